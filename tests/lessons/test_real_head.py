"""A head of a real model, cut down, still gives the weights that were captured."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

import xattn_viz as xv
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, Projections
from xattn_viz.lessons.real_head import real_head


def planted(queries: int, keys: int, *, bias: bool, d_k: int = 32, seed: int = 0) -> AttentionMaps:
    """Maps of two layers of three heads that follow from their projections, as torch computes them."""
    chance = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(2, 3, length, d_k, generator=chance) for length in (queries, keys))
    added = torch.randn(1, 3, queries, keys, generator=chance) if bias else None
    scale = 1.0 if bias else d_k**-0.5
    scores = q.double() @ k.double().transpose(-1, -2) * scale + (0 if added is None else added.double())
    return AttentionMaps(
        scores.softmax(-1).float().numpy(),
        Axis("text", labels=tuple(f"q{i}" for i in range(queries))),
        Axis("text", labels=tuple(f"k{i}" for i in range(keys))),
        "cross",
        (4, 5),
        projections=Projections(q.numpy(), k.numpy(), scale, None if added is None else added.numpy()),
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (2, 24), (9, 25), (7, 550)])
def test_the_weights_follow_from_what_is_kept(queries: int, keys: int, bias: bool) -> None:
    maps = planted(queries, keys, bias=bias)
    row, column = queries - 1, keys // 2
    kept = real_head(maps, 5, 1, row, column)
    scaled = kept.q @ kept.k.T * kept.scale + (0 if kept.bias is None else kept.bias)
    if kept.others:
        assert kept.others_scaled is not None
        scaled = np.column_stack([scaled, kept.others_scaled])
    weights = torch.tensor(scaled).softmax(-1).numpy()
    captured = kept.captured
    if kept.others:
        assert kept.others_captured is not None
        captured = np.column_stack([captured, kept.others_captured])
    # The captured weights are float32: 6e-8 of each, and of up to 550 of them for the sum of the others.
    np.testing.assert_allclose(weights, captured, atol=1e-6)
    np.testing.assert_allclose(captured.sum(axis=1), 1, atol=1e-6)
    assert kept.others == max(0, keys - 24)
    assert len(kept.queries) == min(queries, 3)
    assert (kept.queries[kept.row], kept.keys[kept.column]) == (f"q{row}", f"k{column}")
    assert kept.captured[kept.row, kept.column] == maps.head(5, 1)[row, column]
    assert kept.weight() == pytest.approx(float(maps.head(5, 1)[row, column]), abs=1e-7)
    places = [int(name[1:]) for name in kept.keys]
    assert places == sorted(places)


def test_the_strongest_keys_are_kept_and_the_chosen_one() -> None:
    maps = planted(4, 100, bias=False)
    row = maps.head(4, 0)[2]
    weakest = int(row.argmin())
    kept = real_head(maps, 4, 0, 2, weakest)
    strongest = set(np.argsort(-row)[:23].tolist())
    assert {int(name[1:]) for name in kept.keys} == strongest | {weakest}


def test_a_layer_can_be_counted_from_the_end() -> None:
    maps = planted(3, 4, bias=False)
    assert real_head(maps, -1, -1, 0, 0) == real_head(maps, 5, 2, 0, 0)


def test_frames_of_sound_are_named_by_their_seconds() -> None:
    maps = planted(3, 40, bias=False)
    times = tuple((i * 0.02, i * 0.02 + 0.02) for i in range(40))
    heard = AttentionMaps(
        maps.weights, maps.queries, Axis("audio", times=times), "cross", (4, 5), projections=maps.projections
    )
    kept = real_head(heard, 4, 0, 1, 31)
    assert kept.keys[kept.column] == "0.62 s"


def test_what_is_not_there_is_refused() -> None:
    maps = planted(3, 4, bias=False)
    with pytest.raises(ValueError, match=r"no cell \(3, 0\): this map is \(3, 4\)"):
        real_head(maps, 4, 0, 3, 0)
    with pytest.raises(ValueError, match="no layer 9"):
        real_head(maps, 9, 0, 0, 0)
    bare = AttentionMaps(maps.weights, maps.queries, maps.keys, "cross", (4, 5))
    with pytest.raises(ValueError, match="keep_projections=True"):
        real_head(bare, 4, 0, 0, 0)


@cache
def trace() -> xv.Trace:
    return xv.load("firefox-en-pt").trace("The cat sat on the mat.", keep_projections=True)


def test_a_model_in_the_package_gives_its_own_weights() -> None:
    maps = trace().cross
    for row in range(len(maps.queries)):
        column = int(maps.head(1, 0)[row].argmax())
        kept = real_head(maps, 1, 0, row, column)
        # q and k are kept in float32, and scores of this model reach some hundreds: 1e-5 of them at most
        assert kept.weight() == pytest.approx(float(maps.head(1, 0)[row, column]), abs=2e-5)
