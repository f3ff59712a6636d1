from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cachetools import LRUCache

from tests.web.explorer.packed import texts
from xattn_viz.app import explorer
from xattn_viz.app.explorer import link_rows
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.web import explorer as packed

OPTIONS: dict[str, Any] = {"select": {"head": "1.2"}, "layer": None, "kind": "cross", "growing": False}


def kept_at_most(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Nothing is packed yet, and at most so many bytes are kept."""
    monkeypatch.setattr(explorer, "PACKED_BYTES", limit)
    monkeypatch.setattr(explorer, "_packed", LRUCache(limit, explorer._size))


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_at_most(monkeypatch, explorer.PACKED_BYTES)


def test_the_very_same_bytes_come_back() -> None:
    trace, other = texts(), texts(output="Um gato velho sentou.", seed=1)
    alone, both = explorer.pack(trace, None, OPTIONS), explorer.pack(trace, other, OPTIONS)
    assert alone == (packed.pack(trace, **OPTIONS), packed.identity(trace))
    assert both == (packed.pack(trace, beside=other, **OPTIONS), packed.identity(trace))
    assert explorer.pack(trace, None, dict(reversed(OPTIONS.items())))[0] is alone[0]
    assert explorer.pack(trace, other, OPTIONS)[0] is both[0]


def test_another_view_trace_or_companion_is_packed_anew() -> None:
    trace, other = texts(), texts(output="Um gato velho sentou.", seed=1)
    first = explorer.pack(trace, None, OPTIONS)[0]
    for asked in ((other, None, OPTIONS), (trace, other, OPTIONS), (trace, None, {**OPTIONS, "growing": True})):
        assert explorer.pack(*asked)[0] != first


def test_the_least_recently_used_are_forgotten_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [texts(seed=seed) for seed in range(3)]
    first, second = (explorer.pack(trace, None, OPTIONS)[0] for trace in traces[:2])
    kept_at_most(monkeypatch, len(first) + len(second) + 100)
    first, second = (explorer.pack(trace, None, OPTIONS)[0] for trace in traces[:2])
    assert explorer.pack(traces[0], None, OPTIONS)[0] is first  # used last
    explorer.pack(traces[2], None, OPTIONS)
    assert explorer.pack(traces[0], None, OPTIONS)[0] is first
    again = explorer.pack(traces[1], None, OPTIONS)[0]
    assert again is not second
    assert again == second


def test_one_that_is_larger_than_the_limit_is_kept_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_at_most(monkeypatch, 1)
    first, second = texts(), texts(seed=1)
    explorer.pack(first, None, OPTIONS)
    data = explorer.pack(second, None, OPTIONS)[0]
    assert explorer.pack(second, None, OPTIONS)[0] is data
    assert len(explorer._packed) == 1


def test_a_trace_at_the_address_of_one_that_is_gone_is_packed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "id", lambda _: 1, raising=False)  # every trace lives where the last one did
    first, second = texts(), texts(seed=1)
    explorer.pack(first, None, OPTIONS)
    assert explorer.pack(second, None, OPTIONS) == (packed.pack(second, **OPTIONS), packed.identity(second))
    wanted = packed.pack(texts(seed=2), **OPTIONS)
    del second
    assert explorer.pack(texts(seed=2), None, OPTIONS)[0] == wanted


def test_links_of_tokens_that_say_the_same_are_told_apart_by_their_positions() -> None:
    weights = np.zeros((1, 1, 2, 3), np.float32)
    weights[0, 0, 0] = [0.75, 0.0, 0.25]
    weights[0, 0, 1] = [0.0, 0.5, 0.5]
    keys, queries = Axis("text", labels=("the", "cat", "the")), Axis("text", labels=("o", "o"))
    rows = link_rows(AttentionMaps(weights, queries, keys, "cross", (0,)), 0, 0)
    assert rows == [
        {"row": 1, "predicting": "o", "column": 1, "looked at": "the", "weight": 0.75},
        {"row": 2, "predicting": "o", "column": 2, "looked at": "cat", "weight": 0.5},
        {"row": 2, "predicting": "o", "column": 3, "looked at": "the", "weight": 0.5},
        {"row": 1, "predicting": "o", "column": 3, "looked at": "the", "weight": 0.25},
    ]
