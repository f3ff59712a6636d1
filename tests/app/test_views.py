from __future__ import annotations

import pytest

from xattn_viz.app import views


@pytest.mark.parametrize(
    ("view", "chosen", "title"),
    [
        ("2.1", (1, 0), "Layer 2, head 1"),
        ("12.mean", (11, None), "Layer 12, mean over its heads"),
        ("mean", (None, None), "Mean over all layers and heads"),
    ],
)
def test_a_view_is_a_head_or_a_mean(view: str, chosen: tuple[int | None, int | None], title: str) -> None:
    assert views.layer_and_head(view) == chosen
    assert views.title(*chosen) == title


def test_a_maximum_is_neither() -> None:
    assert views.layer_and_head("max") is None
