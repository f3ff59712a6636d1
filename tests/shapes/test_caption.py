from __future__ import annotations

import pytest

from xattn_viz.shapes import Scene, Thing, caption, phrase
from xattn_viz.shapes.caption import is_clear

RED, BLUE, PINK = ("red", "circle"), ("blue", "square"), ("orange", "star")


def scene(*placed: tuple[tuple[str, str], float, float, float]) -> Scene:
    return Scene(tuple(Thing(*named, x, y, radius) for named, x, y, radius in placed))


def test_one_two_and_three_things_are_told_in_their_order() -> None:
    red, blue, star = (RED, 0.7, 0.2, 0.1), (BLUE, 0.2, 0.3, 0.2), (PINK, 0.45, 0.9, 0.1)
    assert caption(scene(red)) == "a small red circle"
    assert caption(scene(red, blue)) == caption(scene(blue, red)) == "a large blue square left of a small red circle"
    assert caption(scene((BLUE, 0.6, 0.8, 0.2), red)) == "a small red circle above a large blue square"
    told = caption(scene(red, star, blue))
    assert told == "a large blue square, a small orange star and a small red circle"


def test_without_sizes_the_article_fits_the_colour() -> None:
    assert phrase(Thing("orange", "ring", 0.5, 0.5, 0.1), sized=False) == "an orange ring"
    assert phrase(Thing("red", "ring", 0.5, 0.5, 0.1), sized=False) == "a red ring"


def test_nothing_and_a_crowd_have_no_caption() -> None:
    for many in (0, 4):
        with pytest.raises(ValueError, match=f"A scene of {many} things"):
            caption(scene(*[(RED, 0.5, 0.5, 0.1)] * many))


def test_what_lies_near_a_diagonal_or_level_is_not_clear() -> None:
    assert is_clear(scene((RED, 0.2, 0.5, 0.1), (BLUE, 0.8, 0.5, 0.1)))
    assert not is_clear(scene((RED, 0.2, 0.2, 0.1), (BLUE, 0.8, 0.75, 0.1)))
    assert not is_clear(scene((RED, 0.2, 0.2, 0.1), (BLUE, 0.25, 0.75, 0.1), (PINK, 0.8, 0.5, 0.1)))
