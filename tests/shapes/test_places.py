"""What lies where: the circle around a thing decides, and the upper of two things."""

from __future__ import annotations

import pytest

from xattn_viz.shapes import Scene, Thing
from xattn_viz.shapes.places import NOTHING, Right, at_places, name, right

RING = Thing("red", "ring", 0.375, 0.375, 0.13)
CROSS = Thing("blue", "cross", 0.625, 0.375, 0.26)
# The middles of a grid of 4 lie at 0.125, 0.375, 0.625 and 0.875: the cross reaches those beside, above and below it.
WHERE = [
    *(None, None, CROSS, None),
    *(None, RING, CROSS, CROSS),
    *(None, None, CROSS, None),
    *(None, None, None, None),
]


def test_a_thing_lies_where_its_circle_does_and_the_later_one_on_top() -> None:
    assert list(at_places(Scene((CROSS, RING)), 4)) == WHERE
    under = [CROSS if thing is RING else thing for thing in WHERE]
    assert list(at_places(Scene((RING, CROSS)), 4)) == under


def test_answers_are_counted_over_all_places_and_over_those_inside() -> None:
    scene = Scene((CROSS, RING))
    answers = [name(thing) for thing in WHERE]
    assert right(answers, scene) == Right(16, 16, 5, 5)
    answers[0], answers[5], answers[6] = "blue cross", NOTHING, "blue ring"
    assert right(answers, scene) == Right(13, 16, 3, 5)
    with pytest.raises(ValueError, match="15 answers are not those of a square grid"):
        right(answers[1:], scene)
