"""Traces as files: NPZ without pickle, read back equal, and safe to open from anywhere.

An NPZ is a ZIP of NumPy `.npy` arrays (numpy.lib.format, version 1.0). Ours holds `header`, the bytes of a UTF-8 JSON
object {"format", "version", "trace"}, and the arrays that the header names, for example `trace.maps.0.weights`
`[layer, head, query, key]`. `numpy.load` reads them too.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xattn_viz.records import Arrays, decode, encode
from xattn_viz.trace import Trace

FORMAT = "xattn_viz trace"
VERSION = 1
#: The most that a file may unpack to unless the caller says otherwise: 1 GiB, some 600 heads of 512 × 512 float32.
MAX_BYTES = 1 << 30
_MOST_MEMBERS = 1000
# RuntimeError: an encrypted member, an unknown compression (NotImplementedError), JSON nested too deep.
_DAMAGE = (ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error)
_KINDS = "biuf"  # bool, int, uint, float: a member of any other kind (objects, text, records) is foreign


def save(trace: Trace, path: str | Path) -> None:
    """Write a trace to an NPZ file that `load_trace` reads back equal.

    Raises ValueError naming a value that JSON cannot keep (in `provenance`, say), OSError where the path cannot be
    written.
    """
    Path(path).write_bytes(to_bytes(trace))


def to_bytes(trace: Trace) -> bytes:
    """The NPZ file of a trace as bytes; equal traces give equal bytes. Raises ValueError as `save` does."""
    arrays: Arrays = {}
    header = {"format": FORMAT, "version": VERSION, "trace": encode(trace, arrays)}
    text = json.dumps(header, separators=(",", ":")).encode()
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

    Nothing in the file is executed. Raises ValueError in one sentence where the file is damaged, cut off, of another
    kind or version, or would unpack to more than `max_bytes`; OSError where the path cannot be read.
    """
    name = "These bytes" if isinstance(source, bytes) else Path(source).name
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        try:
            return _read_trace(file, max_bytes)
        except _DAMAGE as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"{name} cannot be read as a trace: {reason}.") from error


def _read_trace(file: BinaryIO, max_bytes: int) -> Trace:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise ValueError(f"it holds {len(members)} arrays, more than {_MOST_MEMBERS}")
        if (size := sum(member.file_size for member in members)) > max_bytes:
            raise ValueError(f"it unpacks to {size:,} bytes, more than the {max_bytes:,} allowed (max_bytes)")
        arrays = {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
    if "header" not in arrays:
        raise ValueError("it has no member named header.npy, so another program wrote it")
    header = json.loads(arrays.pop("header").tobytes().decode())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("its header is not that of an xattn_viz trace")
    if header.get("version") != VERSION:
        raise ValueError(f"it is of version {header.get('version')!r}, and this program reads version {VERSION}")
    trace: Trace = decode(header.get("trace"), Trace, arrays)
    return trace


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, read-only. Never allocates more than the size that the archive states for the member."""
    with archive.open(member) as file:
        data = file.read(member.file_size)  # at its end the ZIP's checksum is compared
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{member.filename} is not an array of format version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in _KINDS:
        raise ValueError(f"{member.filename} holds {dtype} values, and only numbers are read")
    start, stated = stream.tell(), math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or len(data) - start != stated:
        raise ValueError(f"{member.filename} states the shape {shape}, which its {len(data) - start} bytes do not fit")
    array: NDArray[Any] = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    return array
