"""Every step against torch's own attention, over settings of every shape and switch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.lessons.steps.drawn import draw
from xattn_viz.lessons.steps import Setting, from_words, steps

# Both sides do the same sums in double precision in another order: some roundings of 2⁻⁵³, of numbers of order 100.
CLOSE = 1e-11


def close(ours: NDArray[np.float64], theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=CLOSE, atol=CLOSE)


def expected(setting: Setting) -> tuple[Tensor, Tensor]:
    """Heads' outputs `[head, query, d_k]` and the layer's output, by torch alone."""
    heads = setting.n_heads

    def split(rows: NDArray[np.float64]) -> Tensor:
        return torch.tensor(rows).view(len(rows), heads, -1).transpose(0, 1)

    q = split(setting.x @ setting.w_q)
    k, v = split(setting.context @ setting.w_k), split(setting.context @ setting.w_v)
    mask, scale = torch.tensor(setting.allowed), setting.scale
    # torch's own has no answer to a row without keys; the layer's is zeros
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale).nan_to_num(0.0)
    return out, out.transpose(0, 1).flatten(1) @ torch.tensor(setting.w_o)


@pytest.mark.parametrize("seed", range(40))
def test_every_step_is_torchs(seed: int) -> None:
    setting = draw(np.random.default_rng(seed))
    shown = steps(setting)
    heads, output = expected(setting)
    close(shown.heads, heads)
    close(shown.output, output)
    shape = (setting.n_heads, len(setting.queries), len(setting.keys))
    assert shown.scores.shape == shown.scaled.shape == shown.masked.shape == shown.weights.shape == shape
    close(shown.scores, shown.q @ shown.k.transpose(0, 2, 1))
    close(shown.scaled, shown.scores * setting.scale)
    hidden = np.broadcast_to(~setting.allowed, shape)
    assert (shown.masked[hidden] == -np.inf).all()
    assert np.array_equal(shown.masked[~hidden], shown.scaled[~hidden])
    assert (shown.weights[hidden] == 0).all()
    empty = hidden.all(axis=-1)
    close(shown.weights.sum(axis=-1), np.where(empty, 0.0, 1.0))


def test_the_settings_of_these_tests_hold_every_case() -> None:
    drawn = [draw(np.random.default_rng(seed)) for seed in range(40)]
    assert {setting.n_heads for setting in drawn} == {1, 2, 4}
    assert {setting.scaled for setting in drawn} == {setting.causal for setting in drawn} == {True, False}
    assert any((~setting.allowed).all(axis=1).any() for setting in drawn)
    assert any(setting.d_model != setting.d_context for setting in drawn)
    assert any(np.abs(setting.x).max() > 20 for setting in drawn)


def test_the_matrices_are_read_only() -> None:
    shown = steps(from_words("gato", "the cat"))
    with pytest.raises(ValueError, match="read-only"):
        shown.weights[0, 0, 0] = 1


def test_the_first_example_reads_its_own_words() -> None:
    weights = steps(from_words("gato preto", "the black cat")).weights[0]
    assert weights[0, 2] > 0.8
    assert weights[1, 1] > 0.8
