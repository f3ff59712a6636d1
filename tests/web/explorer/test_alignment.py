"""Rows of two outputs side by side: every row once, in order, equal ones together."""

from __future__ import annotations

import random

import pytest

from xattn_viz.web.explorer.alignment import pairs


@pytest.mark.parametrize(
    ("labels", "others", "wanted"),
    [
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "ac", [(0, 0), (1, None), (2, 1)]),
        ("ac", "abc", [(0, 0), (None, 1), (1, 2)]),
        ("abc", "axc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "axyc", [(0, 0), (1, 1), (None, 2), (2, 3)]),
        ("", "ab", [(None, 0), (None, 1)]),
    ],
)
def test_rows_find_their_counterparts(labels: str, others: str, wanted: list[tuple[int | None, int | None]]) -> None:
    assert pairs(labels, others) == wanted


def test_every_row_stands_once_and_in_order() -> None:
    chance = random.Random(4)  # noqa: S311
    for _ in range(50):
        labels, others = ("".join(chance.choices("abcd", k=chance.randint(0, 300))) for _ in range(2))
        found = pairs(labels, others)
        assert [i for i, _ in found if i is not None] == list(range(len(labels)))
        assert [j for _, j in found if j is not None] == list(range(len(others)))
        assert all(pair != (None, None) for pair in found)
