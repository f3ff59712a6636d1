"""Frozen values that hold arrays: what makes their arrays read-only and compares them by content."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        return x.dtype == y.dtype and np.array_equal(x, y)
    if isinstance(x, tuple) and isinstance(y, tuple) and any(isinstance(each, np.ndarray) for each in (*x, *y)):
        return len(x) == len(y) and all(map(_equal, x, y))
    return x is y or (type(x) is type(y) and bool(x == y))
