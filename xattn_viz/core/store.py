"""Traces as files: NPZ without pickle, read back equal, and safe to open from anywhere.

An NPZ is a ZIP of NumPy `.npy` arrays (numpy.lib.format, version 1.0). Ours holds `header`, the bytes of a UTF-8 JSON
object {"format", "version", "trace"}, and the arrays that the header names, for example `trace.maps.0.weights`
`[layer, head, query, key]`. `numpy.load` reads them too.
"""

from __future__ import annotations

import errno
import io
import json
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core import files
from xattn_viz.core.records import Arrays, decode, encode, quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace

FORMAT = "xattn_viz trace"
VERSION = 2
#: The most that a file may unpack to unless the caller says otherwise: 1 GiB, some 600 heads of 512 × 512 float32.
MAX_BYTES = 1 << 30
#: The most that a trace's header may hold, in bytes of JSON, in values, and in levels. What Python makes of that takes
#: less than 200 MB, however small the file is; a text of 2,000 tokens, ten alternatives each, has 1.5 MB, 90,000, 7.
MAX_HEADER, MAX_VALUES, MAX_DEPTH = 16 << 20, 1_000_000, 64
_MOST_MEMBERS = 1000
_KINDS = "biuf"  # bool, int, uint, float: a member of any other kind (objects, text, records) is foreign
# Others unpack with a buffer of a size that the file states, up to gigabytes, whatever it holds.
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# What ZIP and JSON raise on damage. RuntimeError: an encrypted member, an unknown feature (NotImplementedError), JSON
# nested too deep. OverflowError: a whole number where a length or a float should stand.
_DAMAGE = (ValueError, TypeError, EOFError, RuntimeError, OverflowError, zipfile.BadZipFile, zlib.error, struct.error)
# NumPy reads this dict as Python, at any length and depth; we as what its writer writes.
_NPY = re.compile(
    r"\{'descr': '([<>|=]?)([a-zA-Z])(\d{0,5})', 'fortran_order': (True|False), "
    r"'shape': \((|\d{1,19},|\d{1,19}(?:, \d{1,19}){1,63})\),? ?\}\s*"
)
_JSON = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[][{},:]', re.DOTALL)  # a text, which may hold marks, or a mark
_MARKS = (b",", b":", b"[", b"{")  # what stands before each value, or in an empty list
_MOST_SAID = 300  # characters of what is wrong: a file can put its own words there
_NPY_MOST = 4096  # bytes of that dict; NumPy's own have less than 1,500
_START = b"PK\x03\x04"


def save(trace: Trace, path: str | Path) -> None:
    """Write a trace to an NPZ file that `load_trace` reads back equal.

    The file is whole or, where anything stops the writing, what it was before (`files.write`). Raises ValueError naming
    a value that JSON cannot keep (in `provenance`, say) or what is larger than `load_trace` would read, OSError naming
    the path where it cannot be written.
    """
    files.write(path, to_bytes(trace))


def to_bytes(trace: Trace) -> bytes:
    """The NPZ file of a trace as bytes; equal traces give equal bytes. Raises ValueError as `save` does."""
    arrays: Arrays = {}
    header = {"format": FORMAT, "version": VERSION, "trace": encode(trace, arrays)}
    text = json.dumps(header, separators=(",", ":")).encode()
    if said := _too_much(text):
        raise ValueError(f"This trace cannot be saved: its header, all of it but arrays, {said}.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in {"header": np.frombuffer(text, dtype=np.uint8), **arrays}.items():
            if array.dtype.kind not in _KINDS:
                raise ValueError(f"{name} holds {array.dtype} values: only numbers can be saved.")
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, not now
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return packed.getvalue()


def load_trace(source: str | Path | bytes, *, max_bytes: int = MAX_BYTES) -> Trace:
    """The trace in an NPZ file, given by its path or its bytes.

    Nothing in the file is executed, and nothing is unpacked before its size is known to be allowed: the arrays together
    take at most `max_bytes`, checking them twice that of the largest for a moment, and the rest less than 200 MB
    (`MAX_HEADER`), whatever a small file claims. Raises ValueError in one sentence where the file is damaged, cut off,
    of another kind or version, or would unpack to more; OSError where the path cannot be read.
    """
    if isinstance(source, bytes):
        return _load(io.BytesIO(source), "These bytes", max_bytes)
    files.check(source)
    with Path(source).open("rb") as file:
        return _load(file, quoted(Path(source).name), max_bytes)


def is_damaged(path: Path) -> bool:
    """Whether a file is what is left of one that `save` wrote: empty, cut off, or with bytes that were changed.

    False for a whole one and for what another program wrote. Raises OSError where the path cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(len(_START) + 64)
        if start[: len(_START)] != _START[: len(start)] or (len(start) > 64 and b"header.npy" not in start):
            return False
        try:
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is not None
        except _DAMAGE:
            return True


def _load(file: BinaryIO, name: str, max_bytes: int) -> Trace:
    try:
        return _read_trace(file, max_bytes)
    except _DAMAGE as error:
        reason = str(error).rstrip(".") or type(error).__name__
    except MemoryError:
        reason = "there is not enough memory for what it holds"
    except OSError as error:
        if error.errno not in (errno.EINVAL, None):
            raise
        reason = "it points outside of itself"  # a place before the file's start, where it was to be read on
    raise ValueError(f"{name} cannot be read as a trace: {visible(reason)[:_MOST_SAID]}.")


def _read_trace(file: BinaryIO, max_bytes: int) -> Trace:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise ValueError(f"it holds {len(members)} arrays, more than {_MOST_MEMBERS}")
        if (size := sum(member.file_size for member in members)) > max_bytes:
            raise ValueError(f"it unpacks to {size:,} bytes, more than the {max_bytes:,} allowed (max_bytes)")
        for member in members:
            _check_member(member)
        arrays = {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
    if "header" not in arrays:
        raise ValueError("it has no member named header.npy, so another program wrote it")
    text = arrays.pop("header").tobytes()
    if said := _too_much(text):
        raise ValueError(f"its header {said}")
    header = json.loads(text.decode())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("its header is not that of an xattn_viz trace")
    told, version = header.get("trace"), header.get("version")
    if version == 1 and isinstance(told, dict):
        told = _of_version_1(told)
    elif version != VERSION:
        raise ValueError(f"it is of version {version!r}, and this program reads versions 1 to {VERSION}")
    trace: Trace = decode(told, Trace, arrays)
    return trace


def _of_version_1(said: dict[str, Any]) -> dict[str, Any]:
    """A trace as version 1 wrote it, with its results in the provenance, in the fields that they have now.

    What is not as that version wrote it stays where it is.
    """
    provenance = said.get("provenance")
    if not isinstance(provenance, dict):
        return said
    left, found = dict(provenance), dict[str, Any]()
    match left:
        case {"notes": [*texts]} if all(isinstance(text, str) for text in texts):
            fault = left.pop("fault", None)
            del left["notes"]
            found["notes"] = [{"text": text, "about": "fault" if text == fault else "run"} for text in texts]
    match left:
        case {"answers": [*answers]} if all(isinstance(answer, list) and len(answer) == 2 for answer in answers):
            del left["answers"]
            found["answers"] = [dict(zip(("text", "probability"), answer, strict=True)) for answer in answers]
    for name in ("layers", "alignment_heads"):
        if isinstance(left.get(name), list):
            found[name] = left.pop(name)
    match left.get("decoding"):
        case {"no_speech_probability": _, "language": _, **method}:
            names = ("language", "language_probability", "no_speech_probability")
            found["speech"] = {name: left["decoding"].get(name) for name in names}
            left["decoding"] = {name: value for name, value in method.items() if name not in names}
    return {**said, **found, "provenance": left}


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.compress_type not in _COMPRESSIONS:
        raise ValueError(f"{member.filename} is compressed in a way that no trace is (type {member.compress_type})")
    if member.filename == "header.npy" and member.file_size > MAX_HEADER + _NPY_MOST:
        raise ValueError(f"its header unpacks to {member.file_size:,} bytes, more than {MAX_HEADER:,}")


def _too_much(header: bytes) -> str:
    """What of a header's JSON is too much, known before it is read; empty where nothing is."""
    if len(header) > MAX_HEADER:
        return f"holds {len(header):,} bytes, more than {MAX_HEADER:,}"
    values = deepest = depth = 0
    for token in _JSON.finditer(header):
        mark = token[0]
        values += mark in _MARKS
        depth += (mark in b"[{") - (mark in b"]}")
        deepest = max(deepest, depth)
        if values > MAX_VALUES:
            return f"holds more than {MAX_VALUES:,} values"
        if deepest > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} levels deep"
    return ""


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, read-only. Never allocates more than the size that the archive states for the member."""
    with archive.open(member) as file:
        data = file.read(member.file_size)  # at its end the ZIP's checksum is compared
    shape, fortran, dtype, start = _read_npy_header(data, quoted(member.filename))
    stated = math.prod(shape) * dtype.itemsize
    if len(data) - start != stated:
        name, held = quoted(member.filename), len(data) - start
        raise ValueError(f"{name} states the shape {shape}, which its {held} bytes do not fit")
    array: NDArray[Any] = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    return array


def _read_npy_header(data: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns come first, dtype, and where the values begin."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError(f"{name} is not an array of format version 1.0")
    start = 10 + int.from_bytes(data[8:10], "little")
    said = _NPY.fullmatch(data[10:start].decode("latin-1")) if start <= 10 + _NPY_MOST else None
    if said is None:
        raise ValueError(f"{name} does not begin as an array does")
    order, kind, size, fortran, shape = said.groups()
    if kind not in _KINDS:
        raise ValueError(f"{name} holds {'object' if kind == 'O' else 'other'} values, and only numbers are read")
    sides = tuple(int(side) for side in re.findall(r"\d+", shape))
    return sides, fortran == "True", np.dtype(f"{order}{kind}{size}"), start
