from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xattn_viz.core.interventions import Forced, Intervention


def test_values_are_frozen_and_compared() -> None:
    one = Intervention("cross", 0, 1, "mean", np.array([1, 2]))
    assert one.values is not None
    assert one.values.dtype == np.float32
    assert not one.values.flags.writeable
    assert one == Intervention("cross", 0, 1, "mean", np.array([1.0, 2.0]))
    assert one != Intervention("cross", 0, 1, "mean", np.array([1.0, 3.0]))
    assert hash(one) == hash(Intervention("cross", 0, 1, "mean", np.array([1.0, 3.0])))


@pytest.mark.parametrize(
    ("how", "values", "rows", "words"),
    [
        ("half", None, None, "zero, uniform, mean, output, weights: got 'half'"),
        ("zero", np.zeros(2), None, "'zero' takes no values"),
        ("mean", None, None, r"'mean' takes values \[d_v\]"),
        ("mean", np.zeros((2, 2)), None, r"finite values \[d_v\]: got shape \(2, 2\)"),
        ("output", np.array([[np.nan]]), None, "takes finite values"),
        ("weights", np.array([[-0.1, 1.1]]), None, "0 or more"),
        ("weights", np.ones((1, 2)), (0, 1), r"2 rows take as many of values \[query, key\]: got shape \(1, 2\)"),
    ],
)
def test_values_that_do_not_fit_are_refused(how: Any, values: Any, rows: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Intervention("cross", 0, 1, how, values, rows)


def test_the_likeliest_tokens_have_texts() -> None:
    ids = np.array([[[5, 3], [3, -1]]])
    forced = Forced(np.zeros((1, 2), np.float32), ids, np.zeros((1, 2, 2), np.float32), {5: "gato", 3: "O"})
    assert forced.best.tolist() == [[5, 3]]
    assert forced.texts(0) == ("gato", "O")
