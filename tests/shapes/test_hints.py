"""What a hint says, and what a scene is called by who reads it."""

from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import Scene, Thing, caption, draw
from xattn_viz.shapes.hints import hint, hinted_caption, in_grey, plain, said

CIRCLE, SQUARE = Thing("red", "circle", 0.3, 0.2, 0.1), Thing("blue", "square", 0.4, 0.7, 0.17)
SCENE = Scene((CIRCLE, SQUARE))


def test_a_hint_says_what_it_was_made_of() -> None:
    colours = {"circle": "red", "square": "blue"}
    assert hint(colours) == "the circle is red, the square is blue"
    assert said(hint(colours)) == colours
    assert said("The CIRCLE is red, the circle is blue, the star red, is") == {"circle": "red"}
    assert (hint({}), said("")) == ("", {})


@pytest.mark.parametrize(
    ("colours", "grey", "expected"),
    [
        ({}, False, "a small red circle above a large blue square"),
        ({}, True, "a small circle above a large square"),
        ({"square": "pink"}, True, "a small circle above a large pink square"),
        ({"square": "pink"}, False, "a small red circle above a large pink square"),
        ({"star": "pink"}, True, "a small circle above a large square"),
    ],
)
def test_a_hint_wins_and_what_nobody_knows_is_left_out(colours: dict[str, str], grey: bool, expected: str) -> None:
    assert hinted_caption(SCENE, colours, grey=grey) == expected


def test_a_hint_cannot_tell_two_things_of_one_shape() -> None:
    twins = Scene((CIRCLE, Thing("green", "circle", 0.8, 0.3, 0.1), SQUARE))
    assert plain(twins) == [SQUARE]
    assert hinted_caption(twins, {"circle": "pink"}, grey=False) == caption(twins)


def test_grey_is_grey_and_stays_so() -> None:
    picture = in_grey(draw(SCENE))
    assert (picture == picture[..., :1]).all()
    assert picture.std() > 10
    np.testing.assert_array_equal(in_grey(picture), picture)
