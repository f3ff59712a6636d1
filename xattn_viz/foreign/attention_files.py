"""What other programs saved, as traces: arrays with their tokens in JSON, and the files of `other_tools`.

What a file is, its first bytes say and not its name. Nothing in a file is run. docs/formats.md shows what they hold and
how they are written.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xattn_viz.analysis import alignment_files
from xattn_viz.core.records import quoted
from xattn_viz.core.store import MAX_BYTES, MAX_HEADER
from xattn_viz.core.trace import Trace
from xattn_viz.foreign import other_tools
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
    """A trace of what another program saved: attention weights, an inseq attribution, a BertViz page, word links.

    An `.npz` or `.safetensors` file holds `cross_attentions` `[layer, batch, head, query, key]`, or one array a layer,
    `cross_attentions.0` and so on, `[batch, head, query, key]`; a batch of one may be left out. `encoder_attentions`
    and `decoder_attentions` are named likewise. `tokens` is a JSON file, or what it says: `source` and `target`, lists
    of tokens, and if wanted `input`, `output` and `model`; where it is None, the file beside of the same name that ends
    in `.json`, if there is one. `index` chooses one of several sequences, from 0. All else is as in `from_attention`.

    The JSON of inseq's `FeatureAttributionOutput.save` (compressed or not), the HTML of BertViz' head view and model
    view, and word links (TSV, JSON, XML; Pharaoh and NAACL with `tokens`, the words of the pair) say their tokens
    themselves; without an `index` the first of several is shown.

    Raises InputError, in a sentence that names the file, for a pickle, a file of another kind, arrays of other names
    and tokens that do not fit them; OSError where a file cannot be read.
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{quoted(path.name)} has more than {MAX_BYTES:,} bytes.")
    beside = path.with_suffix(".json")
    if tokens is None:
        tokens = beside if beside.exists() and beside != path else {}
    said = _checked(tokens) if isinstance(tokens, Mapping) else _read_tokens(Path(tokens))
    return read_attention(path.read_bytes(), path.name, said, index=index)


def read_attention(
    data: bytes,
    name: str,
    tokens: Mapping[str, Any] | None = None,
    *,
    index: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> Trace:
    """As `load_attention`, of the bytes of a file of that name, and of what its tokens' JSON says.

    Arrays unpack to at most `max_bytes`.
    """
    if is_pickle(data):
        raise InputError(f"{quoted(name)} {_PICKLED}")
    said, read = tokens or {}, _reader(data)
    if read is not None:
        try:
            return read(data, name, said, index)
        except ValueError as error:
            text = str(error)
            text = text if text.startswith((name, quoted(name))) else f"{quoted(name)}: {text}"
            raise InputError(f"{text.rstrip('.')}.") from error
    arrays = _read_npz(data, name, max_bytes) if data.startswith(b"PK") else _read_safetensors(data, name)
    given = {one: found for one in NAMES if (found := _layers(arrays, one)) is not None}
    if NAMES[0] not in given:
        raise InputError(
            f"{quoted(name)} holds no array cross_attentions, nor cross_attentions.0: it holds "
            f"{', '.join(sorted(arrays)[:8]) or 'nothing'}."
        )
    try:
        return from_attention(**given, **said, index=index)
    except InputError as error:
        raise InputError(f"{quoted(name)}: {error}") from error


def is_pickle(data: bytes) -> bool:
    """Whether the bytes begin as a pickle does, or as PyTorch's archive of one."""
    return data.startswith((b"\x80", b"(dp0")) or b"data.pkl" in data[:200]


def is_foreign(data: bytes) -> bool:
    """Whether the bytes begin as a file that `read_attention` reads and that is no trace of ours."""
    if data.startswith(b"PK"):
        return b"_attentions" in data[:200]
    return _reader(data) is not None or data[8:10] == b'{"'


_Reader = Callable[[bytes, str, Mapping[str, Any], int | None], Trace]


def _reader(data: bytes) -> _Reader | None:
    """What reads a file of text by how it begins; None for arrays, and for what is of no kind."""
    begin = data[: 1 << 16].removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith((b"{", b"[", b"\x1f\x8b")):
        return _read_json
    if begin.startswith(b"<"):
        return _read_marked_up
    try:
        alignment_files.detect(begin.decode(errors="ignore"), "")
    except InputError:
        return None
    return _read_links


def _read_json(data: bytes, name: str, tokens: Mapping[str, Any], index: int | None) -> Trace:
    """The JSON of inseq, which may be compressed, or that of word links."""
    text = _text(other_tools.unpacked(data) if data.startswith(b"\x1f\x8b") else data)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON that can be read: {quoted(str(error))}.") from error
    if other_tools.is_inseq(said):
        return other_tools.read_inseq(said, index)
    if isinstance(said, dict) and "pairs" not in said:
        raise InputError("this JSON is no attribution of inseq and no list of pairs with links.")
    return _read_links(text.encode(), name, tokens, index)


def _read_marked_up(data: bytes, name: str, tokens: Mapping[str, Any], index: int | None) -> Trace:
    """A page of BertViz, or word links in XML."""
    text = _text(data)
    return other_tools.read_bertviz(text) or _read_links(data, name, tokens, index)


def _read_links(data: bytes, name: str, tokens: Mapping[str, Any], index: int | None) -> Trace:
    """One pair of a file of word links: the first, unless another is chosen."""
    text, number = _text(data), index or 0
    if max(map(text.count, ("\n", "<s", '"target"'))) > other_tools.MOST_LINES:
        raise InputError(f"it has more than {other_tools.MOST_LINES:,} lines or pairs: give those wanted alone.")
    kind = alignment_files.detect(text, name)
    if kind in ("pharaoh", "naacl"):
        if not tokens.get("source") or not tokens.get("target"):
            raise InputError(
                'these are links without sentences: give their words, as in tokens={"source": […], "target": […]}, or '
                "read both with alignment_files.read_gold."
            )
        words = tuple(tokens["source"]), tuple(tokens["target"])
        links = alignment_files.read_links(text, name, kind)
        pairs = [alignment_files.LinkedPair(*words, *one, name) if i == number else None for i, one in enumerate(links)]
    else:
        pairs = list(alignment_files.read_gold(io.BytesIO(data), kind))
    if not 0 <= number < len(pairs) or (pair := pairs[number]) is None:
        raise InputError(f"there is no pair {number}: there are {len(pairs)}, counted from 0.")
    trace = other_tools.from_links(pair)
    some = f"Pair {number + 1} of the {len(pairs)} that the file holds."
    return trace if len(pairs) == 1 or index is not None else trace.with_notes(some)


def _text(data: bytes) -> str:
    if len(data) > other_tools.MOST_TEXT:
        raise InputError(f"it has more than {other_tools.MOST_TEXT:,} bytes of text.")
    if sum(map(data.count, (b",", b"[", b"{", b"<"))) > other_tools.MOST_VALUES:
        raise InputError(f"it holds more than {other_tools.MOST_VALUES:,} values.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"it is no text in UTF-8: byte {error.start + 1} is none of it.") from error


def _layers(arrays: Mapping[str, Any], name: str) -> Any:
    """The array of all layers, or one a layer in their order; None where there is neither."""
    if name in arrays:
        return arrays[name]
    numbered = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
    found = [numbered[str(layer)] for layer in range(len(numbered)) if str(layer) in numbered]
    if len(found) < len(numbered):
        raise InputError(f"Layers count from {name}.0 without a gap: got {', '.join(sorted(numbered)[:8])}.")
    return found or None


def _read_npz(data: bytes, name: str, most: int) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > most:
            raise InputError(f"{quoted(name)} unpacks to {size:,} bytes, more than {most:,}.")
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return {one: held[one] for one in held.files if one.split(".")[0] in NAMES}
    except InputError:
        raise
    except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:  # whatever damage raises
        raise InputError(f"{quoted(name)} cannot be read as arrays: {quoted(str(error))}.") from error


def _read_safetensors(data: bytes, name: str) -> dict[str, Any]:
    import safetensors
    from safetensors.torch import load  # bfloat16, which NumPy does not have

    try:
        return {one: tensor for one, tensor in load(data).items() if one.split(".")[0] in NAMES}
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{quoted(name)} is no NPZ and no safetensors file, or damaged.") from error


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
