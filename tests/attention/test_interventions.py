"""Rows of a batch whose heads are changed, against the same done to the weights of a layer by hand."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from xattn_viz.attention.interventions import Rows
from xattn_viz.attention.layer import CrossAttention
from xattn_viz.core.interventions import Intervention

HEADS, D, QUERIES, KEYS = 4, 8, 3, 5
# Sums of eight products in float32 in another order; measured 1e-7.
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def layer() -> CrossAttention:
    torch.manual_seed(0)
    return CrossAttention(D, HEADS).requires_grad_(False)


@pytest.fixture(scope="module")
def inputs() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(1, QUERIES, D), torch.randn(1, KEYS, D)


def run(layer: CrossAttention, inputs: tuple[Tensor, Tensor], rows: Rows, mask: Tensor | None = None) -> Any:
    x, context = inputs
    return layer.attend(
        layer.project_queries(rows.join(0, x)),
        *layer.project_context(context),
        mask=mask,
        change=lambda outputs, values, allowed: rows.change("cross", 0, outputs, values, lambda: allowed),
    )


def branches(*runs: Sequence[Intervention]) -> Rows:
    return Rows(branches=runs, starts=[0] * len(runs))


def head(number: int, how: Any = "zero", values: Any = None, rows: tuple[int, ...] | None = None) -> Intervention:
    return Intervention("cross", 0, number, how, values, rows)


def test_a_head_at_zero_is_its_columns_of_w_o_at_zero(layer: CrossAttention, inputs: tuple[Tensor, Tensor]) -> None:
    runs = [[head(0)], [head(3)], [head(1), head(2)]]
    output = run(layer, inputs, branches(*runs)).output
    assert torch.equal(output[:1], layer(*inputs).output)  # row 0 is the run without a change
    for row, changes in enumerate(runs, start=1):
        by_hand = copy.deepcopy(layer)
        for one in changes:
            by_hand.out_proj.weight[:, one.head * layer.d_k : (one.head + 1) * layer.d_k] = 0
        assert torch.allclose(output[row], by_hand(*inputs).output[0], atol=TOLERANCE)


def test_of_all_heads_at_zero_the_bias_of_w_o_is_left(layer: CrossAttention, inputs: tuple[Tensor, Tensor]) -> None:
    output = run(layer, inputs, branches([head(number) for number in range(HEADS)])).output
    assert torch.equal(output[1], layer.out_proj.bias.expand(QUERIES, D))


def test_even_weights_are_the_mean_of_the_values_that_may_be_read(
    layer: CrossAttention, inputs: tuple[Tensor, Tensor]
) -> None:
    v = layer.project_context(inputs[1])[1][0, 2]  # [key, d_v]
    mask = torch.ones(QUERIES, KEYS, dtype=torch.bool).tril()
    for allowed in (None, mask, mask[None, None], ~torch.eye(KEYS, dtype=torch.bool)[0]):
        even = torch.ones(QUERIES, KEYS) if allowed is None else allowed.reshape(-1, KEYS).expand(QUERIES, KEYS)
        expected = head(2, "weights", (even / even.sum(-1, keepdim=True)).numpy())
        output = run(layer, inputs, branches([head(2, "uniform")], [expected]), allowed).output
        assert torch.allclose(output[1], output[2], atol=TOLERANCE)
    rows = Rows(base=[head(2, "uniform")], keeps=True)
    run(layer, inputs, rows)
    changed = rows.change("cross", 0, rows.outputs["cross", 0][None], layer.project_context(inputs[1])[1], lambda: None)
    assert torch.allclose(changed[0, 2], v.mean(0).expand(QUERIES, -1), atol=TOLERANCE)


def test_what_a_head_did_itself_changes_nothing(layer: CrossAttention, inputs: tuple[Tensor, Tensor]) -> None:
    kept = Rows(keeps=True)
    found = run(layer, inputs, kept)
    own = kept.outputs["cross", 0].numpy()  # [head, query, d_v]
    weights = found.weights[0].numpy()
    output = run(
        layer,
        inputs,
        branches(
            [head(number, "weights", weights[number]) for number in range(HEADS)],
            [head(number, "output", own[number]) for number in range(HEADS)],
            [head(1, "weights", weights[1, [0, 2]], (0, 2))],
            [head(1, "output", own[1, [2]], (2,))],
        ),
    ).output
    for row in output[1:]:
        assert torch.allclose(row, found.output[0], atol=TOLERANCE)


def test_only_the_rows_that_are_named_change(layer: CrossAttention, inputs: tuple[Tensor, Tensor]) -> None:
    mean = np.full(layer.d_k, 0.5, np.float32)
    output = run(
        layer, inputs, branches([head(0, rows=(1,))], [head(0, "mean", mean, (1,))], [head(0, "mean", mean)])
    ).output
    differs = (output[1:] != output[:1]).any(-1)
    assert differs.tolist() == [[False, True, False], [False, True, False], [True, True, True]]
    assert torch.allclose(output[2, 1], output[3, 1], atol=TOLERANCE)


def test_heads_that_share_values_are_told_apart() -> None:
    torch.manual_seed(2)
    outputs, values = torch.randn(2, 4, QUERIES, 2), torch.randn(1, 2, KEYS, 2)
    changed = branches([head(3, "uniform")]).change("cross", 0, outputs, values, lambda: None)
    assert torch.allclose(changed[1, 3], values[0, 1].mean(0).expand(QUERIES, -1), atol=TOLERANCE)
    assert torch.equal(changed[:, :3], outputs[:, :3])


@pytest.mark.parametrize(
    ("how", "values", "words"),
    [
        ("weights", np.ones((QUERIES, KEYS + 1)), r"Weights must be \[query 3, key 5\]: got \(3, 6\)"),
        ("output", np.ones((QUERIES, 3)), r"must be of shape \(3, 2\): got \(3, 3\)"),
        ("mean", np.ones(3), r"must be of shape \(2,\): got \(3,\)"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    layer: CrossAttention, inputs: tuple[Tensor, Tensor], how: str, values: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        run(layer, inputs, branches([head(0, how, values)]))
