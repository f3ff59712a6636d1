"""Weights that other programs saved, as traces: arrays in NPZ or safetensors, with their tokens in JSON.

Nothing in a file is run. docs/formats.md shows what they hold and how they are written.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xattn_viz.core.records import quoted
from xattn_viz.core.store import MAX_BYTES, MAX_HEADER
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.models.external import from_attention

#: What the arrays are named: `cross_attentions`, of all layers, or `cross_attentions.0` and so on, one a layer.
NAMES = ("cross_attentions", "encoder_attentions", "decoder_attentions")
#: What the JSON says: the tokens of both sides, and what people are shown.
_SAID = {"source": list, "target": list, "input": str, "output": str, "model": str}
_PICKLED = (
    "is a pickle, which can run any program when it is opened, so it is not. Where it was made, load it and save its "
    "arrays: numpy.savez(path, cross_attentions=…)."
)


def load_attention(
    path: str | Path, tokens: str | Path | Mapping[str, Any] | None = None, *, index: int | None = None
) -> Trace:
    """A trace of the attention weights in an `.npz` or `.safetensors` file of another program.

    The file holds `cross_attentions` `[layer, batch, head, query, key]`, or one array a layer, `cross_attentions.0` and
    so on, `[batch, head, query, key]`; a batch of one may be left out. `encoder_attentions` and `decoder_attentions`
    are named likewise. `tokens` is a JSON file, or what it says: `source` and `target`, lists of tokens, and if wanted
    `input`, `output` and `model`; where it is None, the file beside of the same name that ends in `.json`, if there is
    one. `index` chooses one of several sequences, from 0. All else is as in `from_attention`.

    Raises InputError, in a sentence that names the file, for a pickle, a file of another kind, arrays of other names
    and tokens that do not fit them; OSError where a file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(200)
    if start.startswith((b"\x80", b"(dp0")) or b"data.pkl" in start:
        raise InputError(f"{quoted(path.name)} {_PICKLED}")
    if tokens is None:
        beside = path.with_suffix(".json")
        tokens = beside if beside.exists() else {}
    said = _checked(tokens) if isinstance(tokens, Mapping) else _read_tokens(Path(tokens))
    arrays = _read_npz(path) if start.startswith(b"PK") else _read_safetensors(path)
    given = {name: found for name in NAMES if (found := _layers(arrays, name)) is not None}
    if NAMES[0] not in given:
        raise InputError(
            f"{quoted(path.name)} holds no array cross_attentions, nor cross_attentions.0: it holds "
            f"{', '.join(sorted(arrays)[:8]) or 'nothing'}."
        )
    try:
        return from_attention(**given, **said, index=index)
    except InputError as error:
        raise InputError(f"{quoted(path.name)}: {error}") from error


def _layers(arrays: Mapping[str, Any], name: str) -> Any:
    """The array of all layers, or one a layer in their order; None where there is neither."""
    if name in arrays:
        return arrays[name]
    numbered = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
    found = [numbered[str(layer)] for layer in range(len(numbered)) if str(layer) in numbered]
    if len(found) < len(numbered):
        raise InputError(f"Layers count from {name}.0 without a gap: got {', '.join(sorted(numbered)[:8])}.")
    return found or None


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise InputError(f"{quoted(path.name)} unpacks to {size:,} bytes, more than {MAX_BYTES:,}.")
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files if name.split(".")[0] in NAMES}
    except InputError:
        raise
    except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:  # whatever damage raises
        raise InputError(f"{quoted(path.name)} cannot be read as arrays: {quoted(str(error))}.") from error


def _read_safetensors(path: Path) -> dict[str, Any]:
    import safetensors
    from safetensors.torch import load_file  # bfloat16, which NumPy does not have

    try:
        return {name: tensor for name, tensor in load_file(path).items() if name.split(".")[0] in NAMES}
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{quoted(path.name)} is no NPZ and no safetensors file, or damaged.") from error


def _read_tokens(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_HEADER:
        raise InputError(f"{quoted(path.name)} has more than {MAX_HEADER:,} bytes, which no tokens have.")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{quoted(path.name)} is no JSON in UTF-8: {quoted(str(error))}.") from error
    if not isinstance(said, dict):
        raise InputError(f'{quoted(path.name)} is to hold an object, {{"source": […], "target": […]}}.')
    return _checked(said)


def _checked(said: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in said.items():
        if name not in _SAID:
            raise InputError(f"Tokens are said as {', '.join(_SAID)}: got {quoted(name)}.")
        is_texts = not isinstance(value, Sequence) or all(isinstance(token, str) for token in value)
        if not isinstance(value, _SAID[name]) or not is_texts:
            wanted = "a list of texts" if _SAID[name] is list else "a text"
            raise InputError(f"{name} is {wanted}: got {quoted(value)}.")
    return dict(said)
