"""What the panel about a head shows, as rows of its table."""

from __future__ import annotations

import numpy as np

from xattn_viz.app.panels import link_rows
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps


def test_links_of_tokens_that_say_the_same_are_told_apart_by_their_positions() -> None:
    weights = np.zeros((1, 1, 2, 3), np.float32)
    weights[0, 0, 0] = [0.75, 0.0, 0.25]
    weights[0, 0, 1] = [0.0, 0.5, 0.5]
    keys, queries = Axis("text", labels=("the", "cat", "the")), Axis("text", labels=("o", "o"))
    rows = link_rows(AttentionMaps(weights, queries, keys, "cross", (0,)), 0, 0)
    assert rows == [
        {"row": 1, "predicting": "o", "column": 1, "looked at": "the", "weight": 0.75},
        {"row": 2, "predicting": "o", "column": 2, "looked at": "cat", "weight": 0.5},
        {"row": 2, "predicting": "o", "column": 3, "looked at": "the", "weight": 0.5},
        {"row": 1, "predicting": "o", "column": 3, "looked at": "the", "weight": 0.25},
    ]
