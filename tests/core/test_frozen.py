from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from xattn_viz.core.frozen import read_only, same


@dataclass(frozen=True, eq=False)
class Pair:
    a: Any
    b: Any = None


def test_a_writeable_array_is_copied_so_that_its_owner_cannot_change_the_value() -> None:
    mine = np.arange(3)
    frozen = read_only(mine)
    mine[0] = 9
    assert frozen.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        frozen[0] = 1


def test_an_array_that_nobody_can_write_to_is_kept() -> None:
    frozen = read_only(np.arange(3))
    assert read_only(frozen) is frozen
    view = frozen[1:]
    assert read_only(view) is view
    unpacked = np.frombuffer(b"abcd", np.uint8)
    assert read_only(unpacked) is unpacked


def test_a_locked_view_of_a_writeable_array_is_copied() -> None:
    mine = np.arange(4)
    view = mine[1:]
    view.flags.writeable = False
    frozen = read_only(view)
    mine[1] = 9
    assert frozen.tolist() == [1, 2, 3]


def test_a_locked_view_of_memory_that_python_can_write_to_is_copied() -> None:
    memory = bytearray(b"\1\2\3")
    view = np.frombuffer(memory, np.uint8)
    view.flags.writeable = False
    frozen = read_only(view)
    memory[0] = 9
    assert frozen.tolist() == [1, 2, 3]


def test_same_compares_arrays_by_shape_dtype_and_value() -> None:
    array = np.zeros((2, 2), "f4")
    assert same(Pair(array), Pair(array.copy()))
    for other in (array.astype("f8"), array.reshape(4), array + 1, [0], None):
        assert not same(Pair(array), Pair(other))
        assert not same(Pair(other), Pair(array))
    assert not same(Pair(1), Pair(1.0))
    assert same(Pair((1, "a")), Pair((1, "a")))
    assert same(Pair((array, array)), Pair((array.copy(), array)))
    for others in ((array, array + 1), (array,), (array, None), [array, array]):
        assert not same(Pair((array, array)), Pair(others))
    assert not same(Pair(1), 1)
    assert not same(1, 1)
