"""The layer from scratch against PyTorch's own, forward and backward."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xattn_viz.attention.layer import Attention, CrossAttention, scaled_dot_product_attention

# Both sides do the same sums in another order: rounding of the dtype, times a few for values of order 1.
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13}
GRADIENT_TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
SHAPES = pytest.mark.parametrize(
    ("batch", "n_heads", "queries", "keys", "d_k"),
    [(1, 1, 1, 1, 4), (2, 3, 5, 7, 8), (3, 2, 11, 4, 16), (1, 8, 6, 40, 32)],
)


def random(*shape: int, dtype: torch.dtype, seed: int, grad: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype, requires_grad=grad)


def close(ours: Tensor | None, theirs: Tensor | None, tolerance: float) -> None:
    assert ours is not None
    assert theirs is not None
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance)


@DTYPES
@SHAPES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_matches_torch(
    batch: int,
    n_heads: int,
    queries: int,
    keys: int,
    d_k: int,
    dtype: torch.dtype,
    masked: bool,
    scale: float | None,
) -> None:
    def inputs() -> tuple[Tensor, Tensor, Tensor]:
        shapes = [(batch, n_heads, queries, d_k), (batch, n_heads, keys, d_k), (batch, n_heads, keys, d_k + 1)]
        q, k, v = (random(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes))
        return q, k, v

    mask = None
    if masked:
        mask = torch.rand(batch, 1, queries, keys, generator=torch.Generator().manual_seed(9)) > 0.5
        mask[..., 0] = True  # torch's own has no answer to a row without keys
    ours, theirs = inputs(), inputs()
    result = scaled_dot_product_attention(*ours, mask=mask, scale=scale)
    expected = nn.functional.scaled_dot_product_attention(*theirs, attn_mask=mask, scale=scale)
    close(result.output, expected, TOLERANCE[dtype])
    assert not result.fully_masked.any()
    towards = random(*expected.shape, dtype=dtype, seed=8, grad=False)
    (result.output * towards).sum().backward()  # type: ignore[no-untyped-call]
    (expected * towards).sum().backward()  # type: ignore[no-untyped-call]
    for a, b in zip(ours, theirs, strict=True):
        close(a.grad, b.grad, GRADIENT_TOLERANCE[dtype])


def test_weights_by_hand() -> None:
    q = torch.tensor([[1.0, 0.0]])
    k = torch.tensor([[0.0, 0.0], [2**0.5 * torch.tensor(3.0).log().item(), 5.0]])
    result = scaled_dot_product_attention(q, k, torch.eye(2), return_scores=True)
    # q · k / √2 is 0 and log 3, so the weights are 1/4 and 3/4
    close(result.scores, torch.tensor([[1.0, 3.0]]).log(), 1e-6)
    close(result.weights, torch.tensor([[0.25, 0.75]]), 1e-6)
    close(result.output, torch.tensor([[0.25, 0.75]]), 1e-6)


def paired(d_model: int, n_heads: int, d_context: int, bias: bool, dtype: torch.dtype) -> tuple[CrossAttention, Any]:
    """Our layer and torch's, with the same random weights."""
    theirs: Any = nn.MultiheadAttention(
        d_model, n_heads, bias=bias, kdim=d_context, vdim=d_context, batch_first=True, dtype=dtype
    )
    ours = CrossAttention(d_model, n_heads, d_context=d_context, bias=bias).to(dtype)
    generator = torch.Generator().manual_seed(d_model + d_context)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype) * d_model**-0.5)
        weights = (
            theirs.in_proj_weight.chunk(3)
            if theirs.in_proj_weight is not None
            else (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight)
        )
        projections = (ours.q_proj, ours.k_proj, ours.v_proj)
        for projection, weight in zip(projections, weights, strict=True):
            projection.weight.copy_(weight)
        ours.out_proj.weight.copy_(theirs.out_proj.weight)
        if bias:
            for projection, value in zip(projections, theirs.in_proj_bias.chunk(3), strict=True):
                projection.bias.copy_(value)
            ours.out_proj.bias.copy_(theirs.out_proj.bias)
    return ours, theirs


@DTYPES
@pytest.mark.parametrize("d_context", [24, 10])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 9), (12, 3)])
def test_matches_multihead_attention(
    d_context: int, bias: bool, padded: bool, queries: int, keys: int, dtype: torch.dtype
) -> None:
    ours, theirs = paired(24, 4, d_context, bias, dtype)
    padding = None
    if padded:
        padding = torch.zeros(3, keys, dtype=torch.bool)
        padding[1, 1:] = True
        padding[2, keys // 2 + 1 :] = True
    x, y = (random(3, queries, 24, dtype=dtype, seed=1) for _ in range(2))
    context, other = (random(3, keys, d_context, dtype=dtype, seed=2) for _ in range(2))
    result = ours(x, context, key_padding_mask=padding, return_scores=True)
    expected, weights = theirs(y, other, other, key_padding_mask=padding, average_attn_weights=False)
    close(result.output, expected, TOLERANCE[dtype])
    close(result.weights, weights, TOLERANCE[dtype])
    close(result.scores.softmax(-1), weights, TOLERANCE[dtype])
    towards = random(*expected.shape, dtype=dtype, seed=3, grad=False)
    (result.output * towards).sum().backward()
    (expected * towards).sum().backward()
    close(x.grad, y.grad, GRADIENT_TOLERANCE[dtype])
    close(context.grad, other.grad, GRADIENT_TOLERANCE[dtype])
    close(ours.out_proj.weight.grad, theirs.out_proj.weight.grad, GRADIENT_TOLERANCE[dtype])
    q_grad = theirs.q_proj_weight.grad if d_context != 24 else theirs.in_proj_weight.grad.chunk(3)[0]
    close(ours.q_proj.weight.grad, q_grad, GRADIENT_TOLERANCE[dtype])


def test_a_fully_masked_row_gives_zeros_and_is_flagged() -> None:
    layer = CrossAttention(8, 2)
    x, context = (random(2, n, 8, dtype=torch.float32, seed=n) for n in (3, 4))
    padding = torch.tensor([[False, False, True, True], [True] * 4])
    result: Attention = layer(x, context, key_padding_mask=padding, return_scores=True)
    assert result.fully_masked.tolist() == [[False] * 3, [True] * 3]
    assert (result.output[1] == 0).all()
    assert (result.weights[1] == 0).all()
    assert result.scores is not None
    assert result.scores[1].isneginf().all()
    close(result.weights[0].sum(-1), torch.ones(2, 3), 1e-6)
    result.output.square().sum().backward()  # type: ignore[no-untyped-call]
    for tensor in (x, context, *layer.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert x.grad is not None
    assert (x.grad[1] == 0).all()
    assert (x.grad[0] != 0).any()


def test_padding_does_not_change_the_rest() -> None:
    layer = CrossAttention(8, 2)
    x, context = (random(1, n, 8, dtype=torch.float32, seed=n) for n in (3, 4))
    longer = torch.cat([context, torch.full((1, 2, 8), 1e3)], dim=1)
    padding = torch.tensor([[False] * 4 + [True] * 2])
    alone, padded = layer(x, context), layer(x, longer, key_padding_mask=padding)
    close(padded.output, alone.output, 1e-6)
    assert (padded.weights[..., 4:] == 0).all()


@DTYPES
@pytest.mark.parametrize("scale", [None, 1.0])
def test_a_mask_and_another_scale_match_torch(scale: float | None, dtype: torch.dtype) -> None:
    layer = CrossAttention(12, 3).to(dtype)
    x, context = (random(2, n, 12, dtype=dtype, seed=n, grad=False) for n in (5, 7))
    mask = random(2, 3, 5, 7, dtype=dtype, seed=1, grad=False) > 0
    mask[..., 0] = True
    padding = torch.zeros(2, 7, dtype=torch.bool)
    padding[1, 4:] = True
    result = layer(x, context, mask=mask, key_padding_mask=padding, scale=scale)
    q, (k, v) = layer.project_queries(x), layer.project_context(context)
    allowed = mask & ~padding[:, None, None]
    heads = nn.functional.scaled_dot_product_attention(q, k, v, allowed, scale=scale)
    close(result.output, layer.out_proj(heads.transpose(1, 2).flatten(2)), TOLERANCE[dtype])
    assert (result.weights[~allowed] == 0).all()


def test_no_keys_at_all() -> None:
    q, k = torch.ones(2, 3), torch.ones(0, 3)
    result = scaled_dot_product_attention(q, k, k)
    assert result.weights.shape == (2, 0)
    assert (result.output == 0).all()
    assert result.fully_masked.all()


def test_ablating_a_head_removes_its_part_of_the_output() -> None:
    layer = CrossAttention(12, 3).double()
    x, context = (random(2, n, 12, dtype=torch.float64, seed=n) for n in (3, 5))
    full, ablated = layer(x, context), layer(x, context, ablate=[1])
    _, v = layer.project_context(context)
    part = full.weights[:, 1] @ v[:, 1] @ layer.out_proj.weight[:, 4:8].T
    close(ablated.output + part, full.output, 1e-12)
    assert (ablated.weights[:, 1] == 0).all()
    close(ablated.weights[:, [0, 2]], full.weights[:, [0, 2]], 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CrossAttention(10, 3), "10 cannot be split into 3"),
        (lambda: CrossAttention(4, 2)(torch.ones(1, 1, 4), torch.ones(1, 1, 4), ablate=[2]), "no head 2"),
        (lambda: scaled_dot_product_attention(torch.ones(2, 3), torch.ones(2, 4), torch.ones(2, 4)), r"q \(2, 3\)"),
        (
            lambda: scaled_dot_product_attention(torch.eye(2), torch.eye(2), torch.eye(2), mask=torch.ones(2, 2)),
            "boolean",
        ),
    ],
)
def test_misuse_is_refused_with_a_sentence(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        call()
