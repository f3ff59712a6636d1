"""What Python takes the chosen head to be."""

from __future__ import annotations

import pytest

from tests.web.explorer.packed import texts
from xattn_viz.app.explorer import view_of


@pytest.mark.parametrize(
    ("kind", "asked", "shown"),
    [
        ("cross", "2.1", "2.1"),
        ("cross", "2.mean", "2.mean"),
        ("cross", "max", "max"),
        ("encoder", "3.2", "3.2"),
        ("cross", "3.2", "1.1"),  # the encoder has a third layer, the decoder has not
        ("cross", "1.9", "1.1"),
        ("decoder", "<b>", "1.1"),
        ("decoder", "", "1.1"),
    ],
)
def test_a_head_that_is_not_there_is_the_first_one(kind: str, asked: str, shown: str) -> None:
    assert view_of(texts().of_kind(kind), asked) == shown  # type: ignore[arg-type]
