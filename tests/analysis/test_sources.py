"""Shares of weight in the parts of an axis, planted."""

from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.analysis.sources import are_apart, by_part, part_names
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps

KEYS = Axis(
    "image",
    labels=("[CLS]", "", "", "red", "</s>"),
    special=(True, False, False, False, True),
    grid=(1, 2),
    parts=(("picture", 0, 3), ("hint", 3, 5)),
)
QUERIES = Axis("text", labels=("a", "b"))


def maps(weights: list[list[float]], keys: Axis = KEYS) -> AttentionMaps:
    """Two layers of one head, the same rows in both."""
    return AttentionMaps(np.array([[weights]] * 2, np.float32), QUERIES, keys, "cross", (0, 1))


def test_shares_of_parts_are_sums_of_weights() -> None:
    mixed = maps([[0.1, 0.2, 0.3, 0.25, 0.15], [0, 0, 0, 0.5, 0.5]])
    assert part_names(mixed) == ("picture", "hint")
    np.testing.assert_allclose(by_part(mixed), np.array([[[[0.6, 0.4], [0.0, 1.0]]]] * 2), atol=1e-7)
    assert not are_apart(mixed)


def test_layers_over_one_part_each_are_apart() -> None:
    weights = np.zeros((2, 1, 2, 5), np.float32)
    weights[0, :, :, :2] = 0.5
    weights[1, :, :, 4] = 1
    assert are_apart(AttentionMaps(weights, QUERIES, KEYS, "cross", (0, 1)))


def test_keys_of_one_sequence_have_no_parts() -> None:
    with pytest.raises(ValueError, match="one text sequence"):
        by_part(maps([[0.2] * 5] * 2, Axis("text", labels=("a", "b", "c", "d", "e"))))
