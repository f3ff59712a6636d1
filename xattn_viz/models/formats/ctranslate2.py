"""CTranslate2's binary model files (versions 5 and 6), which faster-whisper and others ship.

Source: the layout written by CTranslate2 `python/ctranslate2/specs/model_spec.py`; all numbers are little-endian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.models.formats import ByteReader, FormatError

_VERSIONS = (5, 6)
# In the order of the numbers that stand for them. NumPy has no bfloat16: it is the upper half of a float32.
_TYPES = ("<f4", "<i1", "<i2", "<i4", "<f2", "bfloat16")
_MOST_VARIABLES, _MOST_AXES = 100_000, 8  # far above any real model, and cheap to refuse beyond
_SCALE = "_scale"


@dataclass(frozen=True)
class CTranslate2Model:
    """What a file holds: the name and revision of its layout, and its variables by name, aliases included.

    Numbers with a fraction are float32 whatever the file stores; 8-bit and 16-bit weights come out multiplied back,
    their scales left out. Other whole numbers (head counts, flags) keep their type.
    """

    layout: str
    revision: int
    variables: Mapping[str, NDArray[Any]]


def read_model(data: bytes) -> CTranslate2Model:
    """Read a `model.bin`. Raises FormatError where the bytes are none, or are truncated, damaged or go on behind it."""
    reader = ByteReader(data)
    version = _number(reader, "<u4", "the version")
    if version not in _VERSIONS:
        raise FormatError(f"This is no CTranslate2 model of version 5 or 6: it begins with {version}.")
    layout, revision = _text(reader), _number(reader, "<u4", "the revision")
    stored: dict[str, NDArray[Any]] = {}
    for _ in range(_count(reader, "variables")):
        name = _text(reader)
        if name in stored:
            raise FormatError(f"The model names {name!r} twice.")
        stored[name] = _variable(reader, name)
    variables = {name: _restored(name, stored) for name in stored if not _is_scale(name, stored)}
    for _ in range(_count(reader, "aliases")):
        alias, target = _text(reader), _text(reader)
        if target not in stored or alias in stored:
            raise FormatError(f"The model calls {target!r} also {alias!r}, which does not fit, so it is damaged.")
        if target in variables:  # a scale has an alias too
            variables[alias] = variables[target]
    reader.end()
    return CTranslate2Model(layout, revision, variables)


def _variable(reader: ByteReader, name: str) -> NDArray[Any]:
    """The next variable as it is stored; bfloat16 as float32, which holds it exactly."""
    rank = _number(reader, "<u1", f"the rank of {name!r}")
    if rank > _MOST_AXES:
        raise FormatError(f"The model's {name!r} claims {rank} axes, so it is damaged.")
    shape = tuple(reader.array("<u4", rank, f"the shape of {name!r}").tolist())
    kind = _number(reader, "<u1", f"the type of {name!r}")
    if kind >= len(_TYPES):
        raise FormatError(f"The model's {name!r} is of the type {kind}, which this reader does not know.")
    half = _TYPES[kind] == "bfloat16"
    dtype = np.dtype("<u2" if half else _TYPES[kind])
    length = _number(reader, "<u4", f"the length of {name!r}")
    # The length has 32 bits and wraps round for a variable of 4 GB: the shape says how long it really is.
    needed = math.prod(shape) * dtype.itemsize
    if needed % 2**32 != length:
        raise FormatError(f"The model's {name!r} has shape {shape} but {length:,} bytes, so it is damaged.")
    values = reader.array(dtype.str, math.prod(shape), name).reshape(shape)
    return (values.astype("<u4") << 16).view("<f4") if half else values


def _is_scale(name: str, stored: Mapping[str, NDArray[Any]]) -> bool:
    weight = stored.get(name.removesuffix(_SCALE)) if name.endswith(_SCALE) else None
    return weight is not None and weight.dtype.kind == "i"


def _restored(name: str, stored: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """A variable as float32; weights in whole numbers were multiplied by a scale, one a row or one for all."""
    values, scale = stored[name], stored.get(name + _SCALE)
    if values.dtype.kind == "i" and scale is None:
        return values
    with np.errstate(over="ignore"):  # a damaged scale; infinity is refused below
        result = values.astype(np.float32)
        if scale is not None and values.dtype.kind == "i":
            result = result / _checked(name, scale, values)
    if not np.isfinite(result).all():
        raise FormatError(f"The model's {name!r} holds NaN or infinity, so it is damaged.")
    return result


def _checked(name: str, scale: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float32]:
    if scale.size != 1 and scale.shape != values.shape[:1]:
        raise FormatError(f"The model's {name!r} of shape {values.shape} has scales of shape {scale.shape}.")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise FormatError(f"The model's {name!r} has a scale that is no positive number, so it is damaged.")
    aligned: NDArray[np.float32] = scale.astype(np.float32).reshape((-1, *[1] * (values.ndim - 1)))
    return aligned


def _number(reader: ByteReader, dtype: str, what: str) -> int:
    return int(reader.array(dtype, 1, what)[0])


def _count(reader: ByteReader, what: str) -> int:
    count = _number(reader, "<u4", f"the number of {what}")
    if count > _MOST_VARIABLES:
        raise FormatError(f"The file claims {count:,} {what}, so it is damaged.")
    return count


def _text(reader: ByteReader) -> str:
    length = _number(reader, "<u2", "the length of a name")
    blob = bytes(reader.take(length, "a name"))
    if not blob.endswith(b"\0"):
        raise FormatError("A name in the file does not end, so the file is damaged.")
    try:
        return blob[:-1].decode()
    except UnicodeDecodeError as error:
        raise FormatError("A name in the file is not text, so the file is damaged.") from error
