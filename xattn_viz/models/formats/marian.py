"""Marian's binary model files (version 1), as Firefox Translations ships them.

Source: the layout written by marian-dev `src/common/binary.cpp`; all numbers are little-endian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from xattn_viz.models.formats import ByteReader, FormatError

_FLOAT32, _INT8, _INTGEMM8 = 0x404, 0x101, 0x4101
_CONFIGURATION = "special:model.yml"
_MOST_ITEMS, _MOST_AXES, _LONGEST_NAME = 100_000, 8, 1_000  # far above any real model, and cheap to refuse beyond


@dataclass(frozen=True)
class MarianModel:
    """The parameters of a model by name, float32 in the shapes of the file's header, and its configuration."""

    parameters: Mapping[str, NDArray[np.float32]]
    configuration: Mapping[str, Any]


def read_model(data: bytes) -> MarianModel:
    """Read a Marian `.bin` of version 1; 8-bit matrices come out as float32, their activation scales are left out.

    Raises FormatError where the bytes are not such a file, or it is truncated, damaged or followed by something.
    """
    reader = ByteReader(data)
    version = reader.u64("the version")
    if version != 1:
        raise FormatError(f"This is no Marian model of version 1: it begins with {version}.")
    count = reader.count("items", _MOST_ITEMS)
    records = reader.array("<u8", count * 4, "the list of items").reshape(count, 4).tolist()
    names = [_name(reader, length) for length, *_ in records]
    shapes = [_shape(reader, rank, name) for (_, _, rank, _), name in zip(records, names, strict=True)]
    reader.take(reader.count("bytes of padding", len(data)), "the padding")
    parameters: dict[str, NDArray[np.float32]] = {}
    configuration: Mapping[str, Any] = {}
    for name, shape, (_, kind, _, length) in zip(names, shapes, records, strict=True):
        blob = reader.take(length, name)
        if name == _CONFIGURATION:
            configuration = _configuration(blob)
        elif name in parameters:
            raise FormatError(f"The model names {name!r} twice.")
        elif not name.endswith("_QuantMultA"):  # the scale of 8-bit activations: we compute in float32
            parameters[name] = _values(name, shape, kind, blob)
    reader.end()
    if not configuration:
        raise FormatError(f"The model lacks its configuration ({_CONFIGURATION}).")
    return MarianModel(parameters, configuration)


def _values(name: str, shape: tuple[int, ...], kind: int, blob: memoryview) -> NDArray[np.float32]:
    size = math.prod(shape)
    if kind == _FLOAT32 and len(blob) >= 4 * size:
        values = np.frombuffer(blob, "<f4", size).astype(np.float32).reshape(shape)
    elif kind == _INTGEMM8 and len(blob) >= size + 4 and len(shape) == 2:
        (multiplier,) = np.frombuffer(blob, "<f4", 1, offset=size)
        if not (np.isfinite(multiplier) and multiplier > 0):
            raise FormatError(f"The model's {name!r} has the scale {multiplier}, so it is damaged.")
        with np.errstate(over="ignore"):  # a damaged scale; infinity is refused below
            stored = np.frombuffer(blob, np.int8, size).astype(np.float32) / multiplier
        # Embeddings are stored row by row; the other matrices transposed, ready to be multiplied from the right.
        values = stored.reshape(shape) if name.endswith("Wemb") else stored.reshape(shape[::-1]).T
    elif kind in (_FLOAT32, _INTGEMM8):
        raise FormatError(f"The model's {name!r} has shape {shape} but {len(blob)} bytes, so it is damaged.")
    else:
        raise FormatError(f"The model's {name!r} is of the type {kind:#x}, which this reader does not know.")
    if not np.isfinite(values).all():
        raise FormatError(f"The model's {name!r} holds NaN or infinity, so it is damaged.")
    return values


def _configuration(blob: memoryview) -> Mapping[str, Any]:
    try:
        configuration = yaml.safe_load(bytes(blob).split(b"\0")[0].decode())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FormatError("The model's configuration is not YAML, so it is damaged.") from error
    if not isinstance(configuration, dict):
        raise FormatError("The model's configuration is not a mapping, so it is damaged.")
    return configuration


def _name(reader: ByteReader, length: int) -> str:
    if not 0 < length <= _LONGEST_NAME:
        raise FormatError(f"The file claims a name of {length:,} bytes, so it is damaged.")
    try:
        return bytes(reader.take(length, "a name")).rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise FormatError("A name in the file is not text, so it is damaged.") from error


def _shape(reader: ByteReader, rank: int, name: str) -> tuple[int, ...]:
    if rank > _MOST_AXES:
        raise FormatError(f"The model's {name!r} claims {rank:,} axes, so it is damaged.")
    shape = tuple(reader.array("<i4", rank, f"the shape of {name!r}").tolist())
    if any(size < 0 for size in shape):
        raise FormatError(f"The model's {name!r} claims the shape {shape}, so it is damaged.")
    return shape
