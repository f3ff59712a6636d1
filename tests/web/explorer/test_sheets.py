"""Sums between sentences are those of the exact weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.web.explorer.packed import ROUNDING, sheet_of, texts, unpacked
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer import pack

# SOURCE and OUTPUT of packed.py, token by token; `</s>` and `<s>` are alone.
SOURCE_SENTENCES = [[0, 1, 2, 3], [4, 5, 6, 7, 8], [9, 10], [11]]
OUTPUT_SENTENCES = [[0, 1, 2], [3, 4], [5]]
READ_SENTENCES = [[0], [1, 2, 3], [4, 5]]


def oracle(weights: NDArray[Any], rows: list[list[int]], columns: list[list[int]]) -> NDArray[np.float64]:
    """Cell by cell: the mean over a sentence's rows of what each puts on the other sentence."""
    return np.array([[weights[row][:, column].astype(float).sum(1).mean() for column in columns] for row in rows])


def sums(view: dict[str, Any], reading: int, data: bytes, shape: tuple[int, int]) -> NDArray[np.float64]:
    at, scale = view["sentences"][reading]
    cells: NDArray[np.float64] = np.frombuffer(data, np.uint8, shape[0] * shape[1], at).reshape(shape) * (scale / 255)
    return cells


def test_sums_between_sentences_of_every_kind_and_reading() -> None:
    trace = texts()
    for limit in (None, 10):  # in full, and pooled
        header, data = unpacked(pack(trace, full_limit=limit))
        for kind, rows, columns in (
            ("cross", (OUTPUT_SENTENCES, READ_SENTENCES), SOURCE_SENTENCES),
            ("encoder", (SOURCE_SENTENCES,), SOURCE_SENTENCES),
            ("decoder", (OUTPUT_SENTENCES, READ_SENTENCES), READ_SENTENCES),
        ):
            maps = next(maps for maps in trace.maps if maps.kind == kind)
            for view in sheet_of(header, kind)["views"]:
                if view["head"] is None:
                    continue
                assert len(view["sentences"]) == len(rows)
                for reading, groups in enumerate(rows):
                    wanted = oracle(maps.weights[view["layer"], view["head"]], groups, columns)
                    found = sums(view, reading, data, wanted.shape)
                    # A weight is rounded to the nearest 255th of the largest, which is at most 1.
                    assert np.abs(found - wanted).max() <= ROUNDING + 1e-6


def test_many_weights_too_small_for_a_byte_still_add_up() -> None:
    """A row spread evenly over 800 tokens beside one that is sharp: each weight rounds to 0."""
    text = "a " * 399 + "a! " + "B " * 400
    starts = [i for i, c in enumerate(text) if c in "aB"]
    keys = Axis("text", labels=tuple(text[i] for i in starts), spans=tuple((i, i + 1) for i in starts))
    weights = np.full((1, 1, 2, 800), 1 / 800, np.float32)
    weights[0, 0, 1] = np.eye(800)[5]
    queries = Axis("text", labels=("x", "y"), spans=((0, 1), (2, 3)))
    trace = Trace((AttentionMaps(weights, queries, keys, "cross", (0,)),), text, "x y")
    header, data = unpacked(pack(trace))
    assert not np.frombuffer(data, np.uint8, 800, header["views"][0]["at"]).any()
    np.testing.assert_allclose(sums(header["views"][0], 0, data, (1, 2)), [[0.75, 0.25]], atol=ROUNDING)
