from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xattn_viz.core.evidence import HeadGrid
from xattn_viz.core.trace import Trace


def grid(values: Any = ((0.1, 0.5), (0.5, np.nan)), layers: tuple[int, ...] = (0, 3), **others: Any) -> HeadGrid:
    said = {"name": "cost", "title": "What each head costs", "unit": "nats a token", "kind": "cross"}
    return HeadGrid(layers=layers, values=np.array(values, np.float64), method="Planted.", **{**said, **others})


def test_a_grid_is_frozen_float32_and_equal_to_its_like() -> None:
    first = grid()
    assert first.values.dtype == np.float32
    assert not first.values.flags.writeable
    assert first == grid()
    assert first != grid(((0.1, 0.5), (0.5, 0.0)))
    assert first != grid(unit="bits a token")
    assert hash(first) == hash(grid())


def test_heads_are_found_by_the_models_own_layer() -> None:
    assert grid().at(3, 0) == 0.5
    assert grid().ranked() == [(0, 1), (3, 0), (0, 0)]  # the NaN is no number
    for layer, head in ((1, 0), (0, 2), (0, -1)):
        with pytest.raises(ValueError, match="holds no head"):
            grid().at(layer, head)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": (1.0, 2.0)}, r"\[layer, head\] of 2 layers: got shape \(2,\)"),
        ({"layers": (0,)}, "of 1 layers"),
        ({"values": ((np.inf, 0), (0, 0))}, "holds infinity"),
        ({"per_query": np.zeros((2, 2))}, r"per_query must be \[layer, head, query\]"),
        ({"per_query": np.zeros((2, 1, 4))}, r"beside values of shape \(2, 2\): got shape \(2, 1, 4\)"),
        ({"low": np.zeros((2, 2))}, "low and high, or neither"),
        ({"low": np.zeros((2, 2)), "high": np.zeros(2)}, "high must be"),
    ],
)
def test_what_does_not_fit_is_refused(changes: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        grid(**changes)


def test_a_trace_keeps_one_grid_of_a_name_and_kind() -> None:
    first, second, encoder = grid(), grid(((0, 0), (0, 1))), grid(kind="encoder")
    trace = Trace((), "a", "b").with_evidence(first, encoder).with_evidence(second)
    assert trace.evidence == (encoder, second)
    assert trace.grid("cost") is second
    assert trace.grid("cost", "encoder") is encoder
    assert trace.grid("aligns") is None
