"""Marian model files: read what an independent writer wrote, refuse what is damaged."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import numpy as np
import pytest

from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.marian import read_model


@pytest.fixture(scope="module")
def small() -> tuple[dict[str, Any], dict[str, Any]]:
    generator = np.random.default_rng(3)
    shapes = {"Wemb": (6, 4), "layer_W": (4, 4), "layer_W1": (4, 10), "layer_b": (1, 10)}
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, {"dim-emb": 4}


def test_float32_is_read_exactly(writers: Any, small: Any) -> None:
    model = read_model(writers.marian(*small))
    assert dict(model.configuration) == small[1]
    assert model.parameters.keys() == small[0].keys()
    for name, array in small[0].items():
        np.testing.assert_array_equal(model.parameters[name], array)


def test_eight_bits_are_read_within_their_rounding(writers: Any, small: Any) -> None:
    model = read_model(writers.marian(*small, eight_bit=True))
    assert model.parameters.keys() == small[0].keys()  # the activation scales are left out
    for name, array in small[0].items():
        # half a step of the 8-bit grid, and a little for the division; square and oblong matrices alike
        np.testing.assert_allclose(model.parameters[name], array, atol=np.abs(array).max() / 127 * 0.501, rtol=0)


def test_every_truncation_is_refused(writers: Any, small: Any) -> None:
    data = writers.marian(*small, eight_bit=True)
    for length in range(0, len(data), 7):
        with pytest.raises(FormatError):
            read_model(data[:length])
    with pytest.raises(FormatError, match="1 bytes after its end"):
        read_model(data + b"x")


def test_no_damaged_byte_crashes(writers: Any, small: Any) -> None:
    data = writers.marian(*small, eight_bit=True)
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        with contextlib.suppress(FormatError):  # any other error fails the test
            model = read_model(damaged)
            assert all(np.isfinite(array).all() for array in model.parameters.values())


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, 2, "version 1: it begins with 2"),
        (8, 2**60, "claims 1,152,921,504,606,846,976 items"),
        (16, 2**40, "name of 1,099,511,627,776 bytes"),
        (16 + 8, 0x999, "type 0x999"),
        (16 + 16, 99, "99 axes"),
        (16 + 24, 2**50, "ends within"),
    ],
)
def test_a_wrong_number_is_named(writers: Any, small: Any, at: int, value: int, words: str) -> None:
    data = bytearray(writers.marian(*small))
    struct.pack_into("<Q", data, at, value)
    with pytest.raises(FormatError, match=words):
        read_model(bytes(data))


def test_what_a_model_must_not_hold(writers: Any, small: Any) -> None:
    with pytest.raises(FormatError, match="NaN or infinity"):
        read_model(writers.marian({"W": np.full((2, 2), np.nan, np.float32)}, {"a": 1}))
    with pytest.raises(FormatError, match="lacks its configuration"):
        read_model(writers.marian(small[0], {}))
