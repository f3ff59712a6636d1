from __future__ import annotations

from typing import Any

import pytest

from tests.web.explorer.packed import texts
from xattn_viz.app import packing
from xattn_viz.web import explorer

OPTIONS: dict[str, Any] = {"select": {"head": "1.2"}, "layer": None, "kind": "cross", "growing": False}


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_kept", type(packing._kept)())


def test_the_very_same_bytes_come_back() -> None:
    trace, other = texts(), texts(output="Um gato velho sentou.", seed=1)
    alone, both = packing.packed(trace, None, OPTIONS), packing.packed(trace, other, OPTIONS)
    assert alone == (explorer.pack(trace, **OPTIONS), explorer.identity(trace))
    assert both == (explorer.pack(trace, beside=other, **OPTIONS), explorer.identity(trace))
    assert packing.packed(trace, None, dict(reversed(OPTIONS.items())))[0] is alone[0]
    assert packing.packed(trace, other, OPTIONS)[0] is both[0]


def test_another_view_trace_or_companion_is_packed_anew() -> None:
    trace, other = texts(), texts(output="Um gato velho sentou.", seed=1)
    first = packing.packed(trace, None, OPTIONS)[0]
    for asked in ((other, None, OPTIONS), (trace, other, OPTIONS), (trace, None, {**OPTIONS, "growing": True})):
        assert packing.packed(*asked)[0] != first


def test_the_least_recently_used_are_forgotten_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [texts(seed=seed) for seed in range(3)]
    first, second = (packing.packed(trace, None, OPTIONS)[0] for trace in traces[:2])
    monkeypatch.setattr(packing, "PACKED_BYTES", len(first) + len(second) + 100)
    assert packing.packed(traces[0], None, OPTIONS)[0] is first  # used last
    packing.packed(traces[2], None, OPTIONS)
    assert packing.packed(traces[0], None, OPTIONS)[0] is first
    again = packing.packed(traces[1], None, OPTIONS)[0]
    assert again is not second
    assert again == second


def test_one_that_is_larger_than_the_limit_is_kept_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PACKED_BYTES", 1)
    first, second = texts(), texts(seed=1)
    packing.packed(first, None, OPTIONS)
    data = packing.packed(second, None, OPTIONS)[0]
    assert packing.packed(second, None, OPTIONS)[0] is data
    assert len(packing._kept) == 1


def test_a_trace_at_the_address_of_one_that_is_gone_is_packed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "id", lambda _: 1, raising=False)  # every trace lives where the last one did
    first, second = texts(), texts(seed=1)
    packing.packed(first, None, OPTIONS)
    assert packing.packed(second, None, OPTIONS) == (explorer.pack(second, **OPTIONS), explorer.identity(second))
    wanted = explorer.pack(texts(seed=2), **OPTIONS)
    del second
    assert packing.packed(texts(seed=2), None, OPTIONS)[0] == wanted
