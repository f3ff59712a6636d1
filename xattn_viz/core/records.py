"""Frozen dataclasses that hold arrays: read-only, compared by content, and as JSON and back.

A file can hold anything, so reading takes nothing on trust: every value must have the type that the field declares.
Arrays stay outside the JSON, which names them. What people gave is quoted in messages as `quoted` shows it.
"""

from __future__ import annotations

import os
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

_MOST_SHOWN = 3  # entries of a tuple that are shown one by one


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself when it and the memory behind it are read-only, else a read-only copy."""
    array = np.asarray(array)
    if not _is_locked(array):
        array = array.copy()
        array.flags.writeable = False
    return array


def _is_locked(array: NDArray[Any]) -> bool:
    """Whether this array, every array that it is a view of, and the memory at the end are all read-only."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return owner is None or isinstance(owner, bytes)


def same(a: Any, b: object) -> bool:
    """Field by field, arrays by shape, dtype and value."""
    if not is_dataclass(a) or type(a) is not type(b):
        return False
    if a is b:
        return True
    return all(_equal(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))


def _equal(x: Any, y: Any) -> bool:
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
    if isinstance(x, tuple) and isinstance(y, tuple) and any(isinstance(each, np.ndarray) for each in (*x, *y)):
        return len(x) == len(y) and all(map(_equal, x, y))
    return x is y or (type(x) is type(y) and bool(x == y))


class Displayed:
    """What a notebook shows by more than its `repr`: `export.notebook` draws it."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        # Named, not imported: what draws stands on a floor above, and is wanted nowhere but in a notebook.
        made: dict[str, str] = import_module("xattn_viz.export.notebook").bundle(self)
        return made


def summary(value: Any) -> str:
    """A dataclass in a line, for its `__repr__`: each field as `brief` shows it."""
    said = (f"{field.name}={brief(getattr(value, field.name))}" for field in fields(value))
    return f"{type(value).__name__}({', '.join(said)})"


def brief(value: object) -> str:
    """A value in a few words: an array by its dtype and shape, a long tuple by its first entry and its length."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, tuple) and len(value) > _MOST_SHOWN:
        return f"({brief(value[0])}, … {len(value)} in all)"
    return quoted(value) if isinstance(value, str | tuple) else repr(value)


Arrays = dict[str, NDArray[Any]]
#: How deep lists and dicts may lie in one another inside a value.
MAX_DEPTH = 50
_WORD = 1 << 63  # whole numbers are of 64 bits: what counts, numbers or measures something fits


def encode(value: Any, arrays: Arrays, path: str = "trace") -> Any:
    """A dataclass, tuple, dict or plain value as JSON values; arrays go to `arrays`, named by their path.

    Raises ValueError, naming the path, for a value that would not come back equal.
    """
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if is_dataclass(value):
        return {f.name: encode(getattr(value, f.name), arrays, f"{path}.{f.name}") for f in fields(value)}
    if isinstance(value, tuple):
        return [encode(item, arrays, f"{path}.{i}") for i, item in enumerate(value)]
    if type(value) is int and not _is_word(value):
        raise ValueError(f"{path} holds a whole number of more than 64 bits.")
    _check_plain(value, path, 0)
    return value


def decode(value: Any, hint: Any, arrays: Mapping[str, NDArray[Any]], path: str = "trace") -> Any:
    """The value that `encode` wrote, of the type `hint`. Raises ValueError, naming the path, where it is another."""
    if hint is Any:
        return value
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _decode_any_of(value, parts, arrays, path)
    if origin is Literal and any(value is part or value == part for part in parts if type(part) is type(value)):
        return value
    if isinstance(value, list) and (kinds := _kinds(hint, len(value))) is not None:
        pairs = enumerate(zip(value, kinds, strict=True))
        items = [decode(item, kind, arrays, f"{path}.{i}") for i, (item, kind) in pairs]
        return tuple(items) if origin is tuple else hint(*items)
    if origin is np.ndarray and isinstance(value, dict) and value.keys() == {"array"} and value["array"] in arrays:
        return arrays[value["array"]]
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return _decode_fields(value, hint, arrays, path)
    if _is_plain(value, hint, origin):
        return value
    raise ValueError(f"{path} is not what it should be ({_name(hint)})")


def _kinds(hint: Any, count: int) -> tuple[Any, ...] | None:
    """The types of the items of a tuple, with or without names for them; None where no such tuple has so many."""
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        parts = (parts[0],) * count if parts[-1] is Ellipsis else parts
        return parts if len(parts) == count else None
    parts = tuple(_hints(hint).values()) if isinstance(hint, type) and issubclass(hint, tuple) else ()
    return parts if parts and len(parts) == count else None


def _decode_any_of(value: Any, kinds: tuple[Any, ...], arrays: Mapping[str, NDArray[Any]], path: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for kind in kinds[:-1]:
        try:
            return decode(value, kind, arrays, path)
        except ValueError:
            continue
    return decode(value, kinds[-1], arrays, path)


def _decode_fields(value: dict[str, Any], kind: type, arrays: Mapping[str, NDArray[Any]], path: str) -> Any:
    declared = {field.name: field for field in fields(kind)}
    if unknown := value.keys() - declared.keys():
        raise ValueError(f"{path} has unknown fields: {', '.join(sorted(unknown))}")
    for name, field in declared.items():
        if name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{path}.{name} is missing")
    hints = _hints(kind)
    return kind(**{name: decode(item, hints[name], arrays, f"{path}.{name}") for name, item in value.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_plain(value: Any, hint: Any, origin: Any) -> bool:
    """Whether a JSON value is of a plain type. A bool is no number here, and an int will do for a float."""
    if hint in (int, float) and type(value) is int:
        return _is_word(value)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict)
    return hint in (str, float, bool) and type(value) is hint


def _is_word(value: int) -> bool:
    return -_WORD <= value < _WORD


def _check_plain(value: Any, path: str, depth: int) -> None:
    """Refuse what JSON would change on the way: numpy scalars, tuples in a dict, keys that are not strings."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{path[:80]}… is nested more than {MAX_DEPTH} levels deep.")
    if type(value) is list:
        for i, item in enumerate(value):
            _check_plain(item, f"{path}.{i}", depth + 1)
    elif type(value) is dict:
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{path} has a key that is not text: {key!r}.")
            _check_plain(item, f"{path}.{key}", depth + 1)
    elif not (value is None or isinstance(value, str | int | float)):
        raise ValueError(f"{path} holds {type(value).__name__}, which JSON cannot keep: {value!r:.60}.")


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


_SHOWN = 100  # characters of what was given that a message repeats


def quoted(value: object) -> str:
    """A value as a message shows it: without control characters, and a long one without its middle."""
    try:
        text = " ".join(repr(os.fspath(value) if isinstance(value, os.PathLike) else value).split())
    except Exception:  # a number of too many digits, or an object that cannot say what it is
        text = f"what is of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 30]}…{text[-29:]}"
