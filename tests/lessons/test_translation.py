"""The layer that the lessons take out of the model is the one that makes its maps."""

from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.lessons.translation import MODEL, MOST_TOKENS, crossing, reading
from xattn_viz.models import registry
from xattn_viz.models.base import InputError

TEXT = "The little red boat belongs to my grandfather."
TOLERANCE = 1e-6  # float32, the same sums


@pytest.mark.parametrize("layer", [0, 1])
def test_cross_attention_gives_the_weights_of_the_trace(layer: int) -> None:
    maps, taken = registry.load(MODEL).trace(TEXT).cross, crossing(TEXT, layer)
    attention = taken.layer.attend(taken.q, *taken.layer.project_context(taken.context))
    assert np.allclose(attention.weights[0].detach().numpy(), maps.weights[layer], atol=TOLERANCE)
    assert (taken.queries, taken.keys) == (maps.queries.labels, maps.keys.labels)


def test_self_attention_gives_the_weights_of_the_trace() -> None:
    # The trace's encoder reads </s> behind the text, so the rest of each row is as large as without it, scaled.
    maps, taken = registry.load(MODEL).trace(TEXT, kinds=("encoder",)).encoder, reading(TEXT)
    weights = maps.weights[0][:, :-1, :-1]
    expected = weights / weights.sum(-1, keepdims=True)
    assert np.allclose(taken.layer(taken.x, taken.x).weights[0].detach().numpy(), expected, atol=TOLERANCE)
    assert taken.tokens == (maps.queries.labels or ())[:-1]


def test_one_token_is_replaced() -> None:
    before, after = reading(TEXT), reading(TEXT, 2)
    same = (before.x == after.x).all(-1)[0].tolist()
    assert same == [i != 2 for i in range(len(same))]
    assert after.tokens[2] == "boat"


def test_what_cannot_be_shown_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match=f"up to {MOST_TOKENS} can be shown"):
        crossing("cat " * 40)
    with pytest.raises(InputError, match="no token 99"):
        reading(TEXT, 98)
    with pytest.raises(InputError, match="type at least one word"):
        crossing("  ")
