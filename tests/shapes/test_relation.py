from __future__ import annotations

import pytest

from xattn_viz.shapes.relation import RELATIONS, places


@pytest.mark.parametrize(
    ("relation", "across", "down"), [("above", 0, -1), ("below", 0, 1), ("left of", -1, 0), ("right of", 1, 0)]
)
def test_the_thing_named_first_lies_as_the_relation_says(relation: str, across: int, down: int) -> None:
    assert relation in RELATIONS
    (x, y), (other_x, other_y) = places(relation)
    assert (x - other_x, y - other_y) == pytest.approx((0.46 * across, 0.46 * down))
