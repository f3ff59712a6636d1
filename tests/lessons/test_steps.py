"""Every step against torch's own attention, over settings of every shape and switch, and the script of a setting."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.lessons.random_settings import draw
from xattn_viz.lessons.steps import INPUTS, Setting, from_words, snippet, steps

SETTING = from_words("gato preto", "the black cat", n_heads=2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": np.ones((3, 4))}, r"x must be \(2, 4\) with 2 queries, 3 keys, d_model 4.*got \(3, 4\)"),
        ({"w_k": np.ones((3, 4))}, r"w_k must be \(4, 4\).*d_context 4: got \(3, 4\)"),
        ({"w_o": np.ones(4)}, r"w_o must be \(4, 4\).*got \(4,\)"),
        ({"context": np.ones(4)}, r"context \[key, d_context\]: got x \(2, 4\), context \(4,\)"),
        ({"w_v": np.full((4, 4), np.nan)}, "Every number of w_v must be finite"),
        ({"n_heads": 3}, "d_model 4 cannot be split into 3 heads"),
        ({"n_heads": 0}, "d_model 4 cannot be split into 0 heads"),
        ({"padding": (True,)}, "padding says something of 1 keys, there are 3"),
        ({"queries": ()}, "at least one query"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_shapes(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SETTING, **changes)


def test_the_mask_is_that_of_padding_and_of_what_comes_later() -> None:
    assert SETTING.allowed.all()
    masked = replace(SETTING, causal=True, padding=(True, False, False))
    assert masked.allowed.tolist() == [[False, False, False], [False, True, False]]


def test_the_scale_is_that_of_one_head() -> None:
    assert SETTING.d_k == 2
    assert SETTING.scale == pytest.approx(2**-0.5)
    assert replace(SETTING, scaled=False).scale == 1.0


def test_settings_are_values() -> None:
    assert replace(SETTING) == SETTING
    assert replace(SETTING, causal=True) != SETTING
    with pytest.raises(ValueError, match="read-only"):
        SETTING.x[0, 0] = 3


def test_a_word_has_the_same_vector_wherever_it_stands() -> None:
    setting = from_words("cat lantern cat", "a lantern cat")
    assert np.array_equal(setting.x[0], setting.x[2])
    assert np.array_equal(setting.x[1], setting.context[1])
    assert np.array_equal(setting.x[0], setting.context[2])
    assert not np.array_equal(setting.x[0], setting.x[1])
    assert np.array_equal(setting.x, from_words("cat lantern cat", "other words").x)


@pytest.mark.parametrize("d_model", [1, 2, 4, 8])
def test_numbers_have_two_decimals(d_model: int) -> None:
    setting = from_words("uma lanterna", "a lantern", d_model=d_model)
    assert setting.d_model == setting.d_context == d_model
    for name in INPUTS:
        values = getattr(setting, name)
        assert np.array_equal(values, values.round(2)), name
        assert not np.signbit(values[values == 0]).any(), name


@pytest.mark.parametrize("text", ["1 0 0; 0 -1.5 .5", "1,0,0;0,−1.5,0.5;", " 1 0 0 ; 0 -1.50 +.5 "])
def test_rows_of_numbers_are_the_vectors(text: str) -> None:
    setting = from_words(text, "the black cat")
    assert setting.queries == ("q1", "q2")
    assert setting.x.tolist() == [[1, 0, 0], [0, -1.5, 0.5]]
    assert setting.w_q.shape == (3, 3)
    assert setting.w_k.shape == (4, 3)


@pytest.mark.parametrize(
    ("queries", "keys", "sentence"),
    [
        ("", "cat", "There are no queries: type a word, or a row of numbers"),
        ("gato", "  ", "There are no keys"),
        ("a b c d e f g h i", "cat", "room for 8 queries at most: got 9"),
        ("gato", "1;" * 9, "room for 8 keys at most: got 9"),
        ("gato", "1 2; 1 2 3", "Every row of the keys must have as many numbers: got rows of 2 and 3"),
        ("1 2 3 4 5 6 7 8 9", "cat", "A row of the queries can have 8 numbers at most: got 9"),
        ("1 101", "cat", "from −100 to 100"),
    ],
)
def test_what_a_page_cannot_show_is_refused(queries: str, keys: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_words(queries, keys)


@pytest.mark.parametrize("d_model", [0, 9])
def test_the_width_of_words_has_bounds(d_model: int) -> None:
    with pytest.raises(ValueError, match=f"d_model must be from 1 to 8: got {d_model}"):
        from_words("gato", "cat", d_model=d_model)


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


SETTINGS = {
    "default": from_words("gato preto", "the black cat"),
    "masked": from_words("gato preto", "the black cat", padding=(False, False, True), causal=True),
    "heads": from_words("gato preto", "the black cat", n_heads=4),
    "unscaled": from_words("gato preto", "1 2 3; 4 5 6", scaled=False),
    **{f"drawn {seed}": draw(np.random.default_rng(seed)) for seed in range(4)},
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_the_snippet_prints_the_steps(setting: Setting) -> None:
    script = snippet(setting)
    assert len(script.splitlines()) <= 15
    names: dict[str, Any] = {}
    printed = StringIO()
    with redirect_stdout(printed), np.printoptions(threshold=100_000, suppress=True):
        exec(script, names)  # noqa: S102
    shown = steps(setting)
    wanted = np.concatenate([shown.weights.ravel(), shown.output.ravel()])
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", printed.getvalue())]
    assert numbers == pytest.approx(wanted, abs=0.00501)  # printed with two decimals
    exact = names["attention"].output[0].detach().numpy()
    np.testing.assert_allclose(exact, shown.output, rtol=1e-12, atol=1e-12)
