"""The layer that the lessons take out of the model is the one that makes its maps."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from xattn_viz.inputs import InputError
from xattn_viz.lessons.masking import (
    MODEL,
    MOST_TOKENS,
    LimitKind,
    causal_snippet,
    changed,
    decoder_cross,
    encoder_self,
    limit_snippet,
    limited,
    padded,
    padding_snippet,
)
from xattn_viz.models import registry

BOAT = "The little red boat belongs to my grandfather."
TOLERANCE = 1e-6  # float32, the same sums


@pytest.mark.parametrize("layer", [0, 1])
def test_cross_attention_gives_the_weights_of_the_trace(layer: int) -> None:
    maps, taken = registry.load(MODEL).trace(BOAT).cross, decoder_cross(BOAT, layer)
    attention = taken.layer.attend(taken.q, *taken.layer.project_context(taken.context))
    assert np.allclose(attention.weights[0].detach().numpy(), maps.weights[layer], atol=TOLERANCE)
    assert (taken.queries, taken.keys) == (maps.queries.labels, maps.keys.labels)


def test_self_attention_gives_the_weights_of_the_trace() -> None:
    # The trace's encoder reads </s> behind the text, so the rest of each row is as large as without it, scaled.
    maps, taken = registry.load(MODEL).trace(BOAT, kinds=("encoder",)).encoder, encoder_self(BOAT)
    weights = maps.weights[0][:, :-1, :-1]
    expected = weights / weights.sum(-1, keepdims=True)
    assert np.allclose(taken.layer(taken.x, taken.x).weights[0].detach().numpy(), expected, atol=TOLERANCE)
    assert taken.tokens == (maps.queries.labels or ())[:-1]


def test_one_token_is_replaced() -> None:
    before, after = encoder_self(BOAT), encoder_self(BOAT, 2)
    same = (before.x == after.x).all(-1)[0].tolist()
    assert same == [i != 2 for i in range(len(same))]
    assert after.tokens[2] == "boat"


def test_what_cannot_be_shown_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match=f"up to {MOST_TOKENS} can be shown"):
        decoder_cross("cat " * 40)
    with pytest.raises(InputError, match="no token 99"):
        encoder_self(BOAT, 98)
    with pytest.raises(InputError, match="type at least one word"):
        decoder_cross("  ")


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


OLD_MAN = "The old man sold his little red boat to my grandfather."
KINDS = pytest.mark.parametrize("kind", ["window", "top k"])


@KINDS
@pytest.mark.parametrize("amount", [1, 2, 5])
def test_what_is_left_is_the_softmax_over_the_keys_kept(kind: LimitKind, amount: int) -> None:
    seen = limited(OLD_MAN, kind, amount, 1, 0)
    kept = seen.limited > 0
    left = np.where(kept, seen.full, 0)
    assert np.allclose(seen.limited, left / left.sum(-1, keepdims=True), atol=TOLERANCE)
    assert seen.lost == pytest.approx(1 - left.sum(-1).mean(), abs=TOLERANCE)
    assert seen.kept == kept.sum()
    assert seen.pairs == seen.full.size
    assert np.allclose(seen.full, registry.load("firefox-en-pt").trace(OLD_MAN).cross.weights[1, 0], atol=TOLERANCE)
    if kind == "window":
        centres = np.round(np.linspace(0, len(seen.keys) - 1, len(seen.queries)) + 1e-9)  # half goes to the later key
        distances = np.abs(np.arange(len(seen.keys)) - centres[:, None])
        assert np.array_equal(kept, distances <= amount)
    else:
        assert (kept.sum(-1) == amount).all()
        assert (np.where(kept, seen.full, 1).min(-1) >= np.where(kept, 0, seen.full).max(-1)).all()


@KINDS
def test_a_wider_limit_loses_less_until_nothing_is_lost(kind: LimitKind) -> None:
    everything = len(limited(OLD_MAN, kind, 1).keys)
    seen = [limited(OLD_MAN, kind, amount) for amount in range(1, everything + 1)]
    assert all(a.lost >= b.lost and a.multiplications <= b.multiplications for a, b in pairwise(seen))
    assert seen[0].lost > 0.05
    assert seen[0].moved > 0.01
    last = seen[-1]
    assert (last.lost, last.moved, last.kept) == (0, 0, last.pairs)
    assert last.multiplications == last.full_multiplications


@pytest.mark.parametrize("amount", [1, 3])
def test_the_cost_is_counted_and_top_k_has_to_score_all_pairs(amount: int) -> None:
    band, top = limited(OLD_MAN, "window", amount), limited(OLD_MAN, "top k", amount)
    d_k = 32  # 256 / 8 heads, and as wide for values
    assert band.full_multiplications == top.full_multiplications == len(band.queries) * len(band.keys) * 2 * d_k
    assert band.scored == band.kept
    assert band.multiplications == band.kept * 2 * d_k
    assert top.scored == top.pairs
    assert top.multiplications == top.pairs * d_k + amount * len(top.queries) * d_k
    # As many pairs chosen by their weight lose no more than those chosen by their place.
    assert top.kept <= band.kept or top.lost <= band.lost


@pytest.mark.parametrize(("kind", "amount", "layer", "head"), [("window", 1, 1, 0), ("top k", 3, 0, 5)])
def test_the_snippet_prints_what_the_section_shows(
    kind: LimitKind, amount: int, layer: int, head: int, capsys: Any
) -> None:
    code = limit_snippet(OLD_MAN, kind, amount, layer, head)
    assert len(code.splitlines()) <= 15
    exec(compile(code, "snippet", "exec"), {})  # noqa: S102 - our own code
    lost, moved = map(float, capsys.readouterr().out.split())
    seen = limited(OLD_MAN, kind, amount, layer, head)
    assert lost == pytest.approx(seen.lost, abs=TOLERANCE)
    assert moved == pytest.approx(seen.moved, abs=TOLERANCE)
