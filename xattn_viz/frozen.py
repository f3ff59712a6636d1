"""Frozen values that hold arrays: what makes their arrays read-only and compares them by content."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself when nobody can write to it, else a read-only copy."""
    array = np.asarray(array)
    if array.flags.writeable or (array.base is not None and getattr(array.base, "flags", array.flags).writeable):
        array = array.copy()
        array.flags.writeable = False
    return array


def same(a: Any, b: object) -> bool:
    """Field by field, arrays by shape, dtype and value."""
    if not is_dataclass(a) or type(a) is not type(b):
        return False
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            if x.dtype != y.dtype or not np.array_equal(x, y):
                return False
        elif x is not y and (type(x) is not type(y) or x != y):
            return False
    return True
