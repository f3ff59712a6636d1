from __future__ import annotations

import ast
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from xattn_viz.lessons.masking import causal_snippet, changed, padded, padding_snippet

TEXT = "The cat sat on the mat."
# Float32: with other lengths the sums before the layer are done in another order, through the six encoder layers.
ROUNDING = 1e-5


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("padding", [1, 3, 6])
def test_masked_padding_gets_exactly_nothing_and_changes_nothing(layer: int, padding: int) -> None:
    seen = padded(TEXT, padding, True, layer)
    assert (seen.weights[..., -padding:] == 0).all()
    assert (seen.leaked == 0).all()
    assert seen.moved < ROUNDING
    assert np.allclose(seen.weights[..., :-padding], padded(TEXT, 0, False, layer).weights, atol=ROUNDING)


@pytest.mark.parametrize("layer", [0, 1])
def test_without_a_mask_weight_leaks_to_padding_and_the_output_moves(layer: int) -> None:
    seen = [padded(TEXT, padding, False, layer) for padding in range(7)]
    assert seen[0].moved == 0
    assert (seen[0].leaked == 0).all()
    for fewer, more in pairwise(seen):
        assert (more.leaked > fewer.leaked).all()
        assert more.moved > fewer.moved
    assert seen[6].moved > 0.1  # against 1e-5 of the masked one
    for one in seen:
        assert np.allclose(one.weights.sum(-1), 1, atol=1e-6)
    # What is left to the words is scaled down and keeps its proportions: the softmax has only one more sum below.
    words = seen[6].weights[..., :-6]
    assert np.allclose(words / words.sum(-1, keepdims=True), seen[0].weights, atol=ROUNDING)
    # Every key gets its label.
    assert len(seen[3].keys) == seen[3].weights.shape[-1] == len(seen[0].keys) + 3


@pytest.mark.parametrize("position", range(6))
def test_under_a_causal_mask_a_change_reaches_no_earlier_output(position: int) -> None:
    seen = changed(TEXT, position, True)
    upper = np.triu(np.ones(seen.weights.shape[-2:], bool), 1)
    assert (seen.weights[:, upper] == 0).all()
    assert np.allclose(seen.weights.sum(-1), 1, atol=1e-6)
    assert (seen.moved[:position] == 0).all()  # exactly: 0 times anything that is finite
    assert (seen.moved[position:] > 1e-4).all()
    assert [i for i, (a, b) in enumerate(zip(seen.before, seen.after, strict=True)) if a != b] == [position]


def test_without_it_every_output_moves() -> None:
    assert (changed(TEXT, 5, False).moved > 1e-4).all()


@pytest.mark.parametrize(("padding", "masked", "layer", "head"), [(4, False, 0, 6), (2, True, 1, 0)])
def test_the_snippet_about_padding_prints_the_sections_numbers(
    padding: int, masked: bool, layer: int, head: int, capsys: Any
) -> None:
    leaked, moved = map(float, run(padding_snippet(TEXT, padding, masked, layer, head), capsys))
    seen = padded(TEXT, padding, masked, layer)
    assert leaked == pytest.approx(seen.leaked[head], abs=1e-6)
    assert moved == pytest.approx(seen.moved, abs=1e-6)


@pytest.mark.parametrize(("position", "causal"), [(5, True), (2, False)])
def test_the_snippet_about_the_causal_mask_prints_the_sections_numbers(
    position: int, causal: bool, capsys: Any
) -> None:
    (printed,) = run(causal_snippet(TEXT, position, causal), capsys)
    assert np.allclose(ast.literal_eval(printed), changed(TEXT, position, causal).moved, atol=1e-6)


def run(code: str, capsys: Any) -> list[str]:
    assert len(code.splitlines()) <= 15
    exec(compile(code, "snippet", "exec"), {})  # noqa: S102 - our own code
    return str(capsys.readouterr().out).splitlines()


def test_a_lesson_leaves_no_gradients_behind() -> None:
    assert not torch.from_numpy(padded(TEXT, 1, True).weights).requires_grad
