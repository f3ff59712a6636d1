from __future__ import annotations

import pytest
import torch

from xattn_viz.attention import masks


def test_causal_allows_what_stands_before() -> None:
    mask = masks.causal(5)
    assert mask.dtype == torch.bool
    assert all(bool(mask[i, j]) == (j <= i) for i in range(5) for j in range(5))


@pytest.mark.parametrize("reach", [0, 1, 3, 9])
def test_a_window_of_self_attention_is_a_band(reach: int) -> None:
    mask = masks.window(7, 7, reach)
    assert all(bool(mask[i, j]) == (abs(i - j) <= reach) for i in range(7) for j in range(7))


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 6), (6, 1), (4, 9), (9, 4), (10, 8), (5, 0)])
def test_a_window_runs_from_corner_to_corner_whatever_the_lengths(queries: int, keys: int) -> None:
    mask = masks.window(queries, keys, 0)
    assert mask.shape == (queries, keys)
    if keys:
        assert mask.sum(-1).eq(1).all()
        centres = mask.int().argmax(-1)
        assert centres[0] == 0
        assert queries == 1 or centres[-1] == keys - 1
        assert (centres.diff() >= 0).all()
    assert masks.window(queries, keys, keys).all()


def test_top_k_keeps_the_largest_of_each_row_and_the_earlier_of_equal_ones() -> None:
    scores = torch.tensor([[0.1, 3.0, -1.0, 2.0], [5.0, 5.0, 5.0, 5.0]])
    assert masks.top_k(scores, 2).tolist() == [[False, True, False, True], [True, True, False, False]]
    assert masks.top_k(scores, 9).all()
    random = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(1))
    mask = masks.top_k(random, 4)
    assert mask.sum(-1).eq(4).all()
    kept, cut = random.masked_fill(~mask, torch.inf).amin(-1), random.masked_fill(mask, -torch.inf).amax(-1)
    assert (kept > cut).all()


def test_what_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="got k = 0"):
        masks.top_k(torch.zeros(2, 2), 0)
    with pytest.raises(ValueError, match="got -1"):
        masks.window(2, 2, -1)
