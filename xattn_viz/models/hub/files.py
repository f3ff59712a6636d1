"""Which files of a checkpoint matter: its configuration, its tokenizer, and one form of its weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from xattn_viz.models.folder import PARTS, Folder

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
# Of a pipeline that draws. Filters of what it draws are left out.
_PIPELINE = (
    "text_encoder/model.safetensors",
    _WHOLE["pipeline"],
    "vae/diffusion_pytorch_model.safetensors",
)
# What a checkpoint's tokenizer may consist of, besides its .json files.
_TOKENIZER_ENDINGS = (".json", ".model", ".spm", ".tokenizer", ".codes", "merges.txt", "vocab.txt", "dict.txt")
#: How the names of a checkpoint's files end that are not its weights; some tokenizers have endings of their own.
SMALL_ENDINGS = (*_TOKENIZER_ENDINGS, ".txt", ".tiktoken", ".bpe")
#: How the name of a list ends that says which part holds which weights.
INDEX_ENDING = ".index.json"


def configuration(folder: Folder | Path, name: str = "config.json") -> dict[str, Any]:
    """What the settings in a folder say; nothing where there are none, or they are damaged. Raises as `Folder.file`."""
    try:
        said = (folder if isinstance(folder, Folder) else Folder(folder)).json(name)
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
    folders = PARTS if "pipeline" in forms else ()
    near = [path for path in sizes if "/" not in path or path.rpartition("/")[0] in folders]
    form, found = weights(near, forms) or (None, [])
    return form, {path: sizes[path] for path in near if path.endswith(_TOKENIZER_ENDINGS) or path in found}


def expected(forms: Sequence[Form]) -> str:
    """The names of the files that the forms have when they are whole, for people."""
    return " nor ".join(_WHOLE[form] for form in forms)
