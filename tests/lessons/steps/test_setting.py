from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xattn_viz.lessons.steps import from_words

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
