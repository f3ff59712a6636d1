"""Which files of a checkpoint matter: its configuration, its tokenizer, and one form of its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

#: The forms that weights come in: two of transformers, of which `pickle` needs consent, one of CTranslate2, and a
#: pipeline of diffusers, whose parts lie in folders.
Form = Literal["safetensors", "pickle", "ctranslate2", "pipeline"]
# Whole, or in parts. Other copies that lie beside them, such as model.fp32-00001-of-00002.safetensors, are never read.
_WHOLE: Mapping[Form, str] = {
    "safetensors": "model.safetensors",
    "pickle": "pytorch_model.bin",
    "ctranslate2": "model.bin",
    "pipeline": "unet/diffusion_pytorch_model.safetensors",
}
_PARTS: Mapping[Form, re.Pattern[str]] = {
    "safetensors": re.compile(r"model-\d+-of-\d+\.safetensors"),
    "pickle": re.compile(r"pytorch_model-\d+-of-\d+\.bin"),
}
# Of a pipeline that draws: the weights, and the folders that it consists of. Filters of what it draws are left out.
_PIPELINE = (
    "text_encoder/model.safetensors",
    _WHOLE["pipeline"],
    "vae/diffusion_pytorch_model.safetensors",
)
_FOLDERS = ("text_encoder", "unet", "vae", "tokenizer", "scheduler")
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
        if form == "pipeline":
            if {*_PIPELINE[:2]} <= {*there}:
                return form, [name for name in _PIPELINE if name in there]
        elif _WHOLE[form] in there:
            return form, [_WHOLE[form]]
        if form in _PARTS and (parts := [name for name in there if _PARTS[form].fullmatch(name)]):
            return form, parts
    return None


def choose(sizes: Mapping[str, int], forms: Sequence[Form]) -> tuple[Form | None, dict[str, int]]:
    """The files to fetch, with their sizes, and the form of the weights among them."""
    folders = _FOLDERS if "pipeline" in forms else ()
    near = [path for path in sizes if "/" not in path or path.rpartition("/")[0] in folders]
    form, found = weights(near, forms) or (None, [])
    return form, {path: sizes[path] for path in near if path.endswith(_TOKENIZER_ENDINGS) or path in found}


def listing(folder: Path) -> list[str]:
    """The paths of the files in a folder and in the folders in it, as the hub spells them."""
    return [path.relative_to(folder).as_posix() for path in [*folder.glob("*"), *folder.glob("*/*")] if path.is_file()]


def expected(forms: Sequence[Form]) -> str:
    """The names of the files that the forms have when they are whole, for people."""
    return " nor ".join(_WHOLE[form] for form in forms)
