from __future__ import annotations

import numpy as np

from xattn_viz.app.address import Output, Request
from xattn_viz.app.remembered import Remembered, size
from xattn_viz.app.runs import Asked
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.projections import Projections
from xattn_viz.core.trace import Trace


def made(keys: int, d_k: int = 0) -> Trace:
    weights = np.full((1, 1, 2, keys), 1 / keys, np.float32)
    projections = None
    if d_k:
        projections = Projections(np.zeros((1, 1, 2, d_k), np.float32), np.zeros((1, 1, keys, d_k), np.float32), 1.0)
    maps = AttentionMaps(
        weights,
        Axis("text", labels=("a", "b")),
        Axis("text", labels=tuple(map(str, range(keys)))),
        "cross",
        (0,),
        projections=projections,
    )
    return Trace((maps,), "in", "out")


def request(text: str) -> Request:
    return Request("model", text)


def test_the_least_recently_used_traces_are_forgotten_beyond_the_limit() -> None:
    remembered = Remembered(limit=3 * 2 * 10 * 4)  # three traces of 2 × 10 float32
    for text in "abc":
        remembered.put(request(text), (made(10),))
    assert remembered.get(request("a")) is not None
    remembered.put(request("d"), (made(10),))
    assert [remembered.get(request(text)) is not None for text in "abcd"] == [True, False, True, True]


def test_traces_larger_than_the_limit_are_kept_alone() -> None:
    remembered = Remembered(limit=10)
    remembered.put(request("a"), (made(10),))
    remembered.put(request("b"), (made(10),))
    assert remembered.get(request("a")) is None
    assert remembered.get(request("b")) is not None


def test_another_model_or_whole_text_is_another_request_and_another_view_is_not() -> None:
    remembered = Remembered(limit=10_000)
    remembered.put(request("a"), (made(3),))
    assert remembered.get(Request("other", "a")) is None
    assert remembered.get(Request("model", "a", whole=True)) is None
    assert remembered.get(Request("model", "a", options=(("beams", "2"),))) is None
    assert remembered.get(Request("model", "a", select={"head": "2.1"})) is not None


def test_another_output_is_asked_for_anew_and_the_same_beside_the_best_is_not() -> None:
    remembered = Remembered(limit=10_000)
    remembered.put(Asked(request("a"), "a", output=Output(target="b")), (made(3),))
    assert remembered.get(Asked(request("a"), "a", output=Output(target="c"))) is None
    assert remembered.get(Asked(request("a"), "a", output=Output(prefix=(1, 2)))) is None
    assert remembered.get(Asked(request("a"))) is None
    assert remembered.get(Asked(request("a"), "a", output=Output(target="b", beside=True))) is not None


def test_queries_and_keys_count_towards_thesize() -> None:
    assert size((made(10),)) == 2 * 10 * 4
    assert size((made(10, d_k=4),)) == (2 * 10 + (2 + 10) * 4) * 4
