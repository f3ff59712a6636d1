from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.lessons.steps import from_words
from xattn_viz.lessons.steps.setting import INPUTS


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
