"""Which files of a checkpoint matter: its configuration, its tokenizer, and one form of its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

#: The forms that weights come in: two of transformers, of which `pickle` needs consent, and one of CTranslate2.
Form = Literal["safetensors", "pickle", "ctranslate2"]
# Whole, or in parts. Other copies that lie beside them, such as model.fp32-00001-of-00002.safetensors, are never read.
_WHOLE: Mapping[Form, str] = {
    "safetensors": "model.safetensors",
    "pickle": "pytorch_model.bin",
    "ctranslate2": "model.bin",
}
_PARTS: Mapping[Form, re.Pattern[str]] = {
    "safetensors": re.compile(r"model-\d+-of-\d+\.safetensors"),
    "pickle": re.compile(r"pytorch_model-\d+-of-\d+\.bin"),
}
# What a checkpoint's tokenizer may consist of, besides its .json files.
_TOKENIZER_ENDINGS = (".json", ".model", ".spm", "merges.txt", "vocab.txt")


def configuration(folder: Path) -> dict[str, Any]:
    """What the config.json in a folder says; nothing where there is none, or it is damaged."""
    try:
        said = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def weights(names: Iterable[str], forms: Sequence[Form]) -> tuple[Form, list[str]] | None:
    """The first of the forms in which weights are there, with the names of its files in order; None without any."""
    there = sorted(names)
    for form in forms:
        if _WHOLE[form] in there:
            return form, [_WHOLE[form]]
        if form in _PARTS and (parts := [name for name in there if _PARTS[form].fullmatch(name)]):
            return form, parts
    return None


def choose(sizes: Mapping[str, int], forms: Sequence[Form]) -> tuple[Form | None, dict[str, int]]:
    """The files to fetch, with their sizes, and the form of the weights among them."""
    top = [path for path in sizes if "/" not in path]
    form, found = weights(top, forms) or (None, [])
    return form, {path: sizes[path] for path in top if path.endswith(_TOKENIZER_ENDINGS) or path in found}


def expected(forms: Sequence[Form]) -> str:
    """The names of the files that the forms have when they are whole, for people."""
    return " nor ".join(_WHOLE[form] for form in forms)
