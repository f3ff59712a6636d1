"""What the explorer's script reads is what the trace holds, within the rounding to uint8."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from xattn_viz.axis import Axis
from xattn_viz.explorer.payload import TILE_SIDE, identity, max_pool, pack
from xattn_viz.maps import AttentionMaps
from xattn_viz.projections import Projections
from xattn_viz.trace import Alternative, Step, Trace

# A weight is rounded to the nearest 255th of its map's maximum.
ROUNDING = 0.5 / 255


def planted(layers: int = 2, heads: int = 3, queries: int = 4, keys: int = 5, seed: int = 0) -> Trace:
    """A trace of random softmax rows, with projections that explain them exactly."""
    generator = np.random.default_rng(seed)
    q = generator.normal(size=(layers, heads, queries, 8)).astype(np.float32)
    k = generator.normal(size=(layers, heads, keys, 8)).astype(np.float32)
    scores = np.einsum("lhqd,lhkd->lhqk", q, k) * np.float32(8**-0.5)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    words = [f"s{i}" for i in range(keys)]
    source = " ".join(words)
    starts = [source.index(word) for word in words]
    spans = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
    return Trace(
        (
            AttentionMaps(
                weights.astype(np.float32),
                Axis("text", labels=tuple(f"t{i}" for i in range(queries))),
                Axis("text", labels=tuple(words), spans=spans),
                "cross",
                tuple(range(layers)),
                projections=Projections(q, k, 8**-0.5),
            ),
        ),
        source,
        "output",
        tuple(Step(f"t{i}", i, -0.1 * i, (Alternative("<b>", 9, -2.0),)) for i in range(queries)),
    )


def unpacked(packed: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(packed[:4], "little")
    return json.loads(packed[4 : 4 + length]), packed[4 + length :]


def weights_of(view: dict[str, Any], data: bytes, shape: tuple[int, int]) -> NDArray[np.float64]:
    cells = np.frombuffer(data, np.uint8, shape[0] * shape[1], view["at"])
    weights: NDArray[np.float64] = cells.reshape(shape) * (view["scale"] / 255)
    return weights


def test_every_head_is_there_within_the_rounding() -> None:
    trace = planted()
    header, data = unpacked(pack(trace))
    maps = trace.cross
    heads = [view for view in header["views"] if view["head"] is not None]
    assert [(view["layer"], view["head"]) for view in heads] == [(i, j) for i in range(2) for j in range(3)]
    for view in heads:
        exact = maps.weights[view["layer"], view["head"]]
        assert np.abs(weights_of(view, data, (4, 5)) - exact).max() <= ROUNDING * view["scale"] + 1e-7


def test_means_and_the_maximum_are_those_of_the_maps() -> None:
    trace = planted()
    header, data = unpacked(pack(trace))
    weights = trace.cross.weights
    named = {(view["layer"], view["reduce"]): view for view in header["views"] if view["reduce"]}
    wanted = {
        (0, "mean"): weights[0].mean(0),
        (1, "mean"): weights[1].mean(0),
        (None, "mean"): weights.mean((0, 1)),
        (None, "max"): weights.max((0, 1)),
    }
    assert named.keys() == wanted.keys()
    for name, exact in wanted.items():
        assert np.abs(weights_of(named[name], data, (4, 5)) - exact).max() <= ROUNDING + 1e-7


def test_exact_arrays_come_back_bit_for_bit() -> None:
    trace = planted()
    header, data = unpacked(pack(trace))
    exact, projections = header["exact"], trace.cross.projections
    assert projections is not None
    for name, array in {
        "weights": trace.cross.weights,
        "queries": projections.queries,
        "keys": projections.keys,
    }.items():
        assert np.array_equal(np.frombuffer(data, "<f4", array.size, exact[name]).reshape(array.shape), array)
    assert exact["d_k"] == 8
    assert exact["scale"] == pytest.approx(8**-0.5)


def test_exact_arrays_stay_behind_where_they_would_be_large() -> None:
    header, _ = unpacked(pack(planted(), exact_limit=100))
    assert header["exact"] is None


def test_a_large_trace_sends_pooled_tiles_and_one_layer() -> None:
    trace = planted(layers=3, heads=2, queries=100, keys=70)
    header, data = unpacked(pack(trace, layer=1, full_limit=10_000))
    assert header["tiles"] == [TILE_SIDE, TILE_SIDE]
    assert {view["layer"] for view in header["views"] if view["at"] is not None} == {1, None}
    view = header["views"][0]
    tile = np.frombuffer(data, np.uint8, TILE_SIDE**2, view["tile"]).reshape(TILE_SIDE, TILE_SIDE)
    pooled = max_pool(trace.cross.weights[0, 0], TILE_SIDE)
    assert np.abs(tile * (view["scale"] / 255) - pooled).max() <= ROUNDING
    with pytest.raises(ValueError, match="no layer 7"):
        pack(trace, layer=7)


def test_pooling_keeps_every_peak() -> None:
    weights = np.random.default_rng(1).random((130, 65)).astype(np.float32)
    pooled = max_pool(weights, 64)
    assert pooled.shape == (64, 64)
    for row in range(64):
        block = weights[row * 130 // 64 : (row + 1) * 130 // 64]
        assert pooled[row].max() == block.max()
    small = weights[:5, :7]
    assert np.array_equal(max_pool(small, 64), small)


def test_labels_are_visible_and_text_between_tokens_is_kept() -> None:
    axis = Axis("text", labels=("a", "\u202eb", "</s>"), spans=((1, 2), (2, 5), (5, 5)), special=(False, False, True))
    maps = AttentionMaps(np.full((1, 1, 1, 3), 1 / 3, np.float32), Axis("text", labels=("x",)), axis, "cross", (0,))
    header, _ = unpacked(pack(Trace((maps,), "  a \u202eb\u200b"[1:], "x")))
    keys = header["keys"]
    assert keys["labels"] == ["a", "\\u202eb", "</s>"]
    assert keys["gaps"] == [" ", " ", ""]
    assert keys["rest"] == "\\u200b"
    assert keys["special"] == [False, False, True]


def test_steps_carry_probabilities_not_logarithms() -> None:
    header, _ = unpacked(pack(planted()))
    assert header["steps"][2]["p"] == pytest.approx(np.exp(-0.2))
    assert header["steps"][0]["alternatives"] == [["<b>", pytest.approx(np.exp(-2.0))]]


def test_identity_tells_traces_apart() -> None:
    assert identity(planted()) == identity(planted())
    assert identity(planted()) != identity(planted(seed=1))
