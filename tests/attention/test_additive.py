"""Additive attention against a loop over scalars, and the bound on its scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.additive import AdditiveAttention

# Sums of at most 12 products of order 1 in float64, in another order.
TOLERANCE = 1e-13


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_loop(layer: AdditiveAttention, queries: Tensor, keys: Tensor, mask: Tensor) -> NDArray[Any]:
    """The weights of one pair of sequences, one scalar at a time."""
    w_q, w_k, v = (part.weight.detach().numpy() for part in (layer.q_proj, layer.k_proj, layer.score))
    weights = np.zeros((len(queries), len(keys)))
    for i, query in enumerate(queries.numpy()):
        exps = {}
        for j, key in enumerate(keys.numpy()):
            if mask[i, j]:
                hidden = [math.tanh(sum(w_q[h] * query) + sum(w_k[h] * key)) for h in range(len(w_q))]
                exps[j] = math.exp(sum(v[0][h] * hidden[h] for h in range(len(hidden))))
        for j, value in exps.items():
            weights[i, j] = value / sum(exps.values())
    return weights


@pytest.mark.parametrize(("queries", "keys", "d_query", "d_key", "d_k"), [(1, 1, 2, 2, 1), (3, 5, 4, 6, 8)])
def test_weights_and_output_are_those_of_a_plain_loop(
    queries: int, keys: int, d_query: int, d_key: int, d_k: int
) -> None:
    torch.manual_seed(0)
    layer = AdditiveAttention(d_query, d_key, d_k).double()
    q, k, v = drawn(2, queries, d_query, seed=1), drawn(2, keys, d_key, seed=2), drawn(2, keys, 3, seed=3)
    mask = drawn(2, queries, keys, seed=4) > 0
    mask[..., 0] = True
    for masked in (None, mask):
        result = layer(q, k, v, mask=masked)
        for one in range(2):
            allowed = mask[one] if masked is not None else torch.ones(queries, keys, dtype=torch.bool)
            expected = plain_loop(layer, q[one], k[one], allowed)
            np.testing.assert_allclose(result.weights[one].detach(), expected, atol=TOLERANCE)
            np.testing.assert_allclose(result.output[one].detach(), expected @ v[one].numpy(), atol=TOLERANCE)
            assert (result.weights[one][~allowed] == 0).all()


def test_a_query_without_keys_gets_zeros_and_finite_gradients() -> None:
    layer = AdditiveAttention(4, 4, 8).double()
    mask = torch.tensor([[True, False, True], [False] * 3])
    result = layer(drawn(2, 4, seed=1), drawn(3, 4, seed=2), drawn(3, 4, seed=3), mask=mask)
    assert result.fully_masked.tolist() == [False, True]
    assert (result.output[1] == 0).all()
    result.output.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


def test_no_score_is_beyond_the_sum_of_the_sizes_of_v() -> None:
    layer = AdditiveAttention(16, 16, 32).double()
    q, k = drawn(20, 16, seed=1) * 1e3, drawn(30, 16, seed=2) * 1e3
    scores = layer(q, k, k, return_scores=True).scores
    bound = layer.score.weight.abs().sum().item()
    assert scores.abs().max().item() <= bound * (1 + 1e-12)  # every tanh is ±1 here: a sum of 32 numbers, rounded
    half = layer(q, k, k, scale=0.5, return_scores=True).scores
    torch.testing.assert_close(half, scores / 2, atol=0, rtol=0)


@pytest.mark.parametrize(("queries", "keys", "values"), [((2, 3), (5, 6), (5, 1)), ((2, 4), (5, 6), (4, 1))])
def test_misfits_are_refused_with_the_shapes(
    queries: tuple[int, int], keys: tuple[int, int], values: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=rf"queries \({queries[0]}, {queries[1]}\)"):
        AdditiveAttention(4, 6, 8)(torch.ones(queries), torch.ones(keys), torch.ones(values))
