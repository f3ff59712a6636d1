from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import caption, phrase
from xattn_viz.shapes.caption import named, ordered
from xattn_viz.shapes.scene import Scene, Thing, is_clear, random_scene

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


def test_every_thing_of_a_true_caption_is_named_by_its_colour_and_its_shape() -> None:
    random = np.random.default_rng(11)
    for _ in range(100):
        scene = random_scene(random)
        words = caption(scene).replace(",", " ,").split()
        found = named(words, ordered(scene))
        assert [thing for _, thing in found[::2]] == [thing for _, thing in found[1::2]] == ordered(scene)
        assert [words[place] for place, _ in found] == [
            word for thing in ordered(scene) for word in (thing.colour, thing.shape)
        ]


def test_alike_things_are_told_by_their_order_and_what_is_not_there_is_left_out() -> None:
    lower, upper = Thing("red", "ring", 0.4, 0.8, 0.1), Thing("red", "ring", 0.6, 0.2, 0.1)
    things = ordered(Scene((lower, upper)))
    words = ["a", "Red", "ring", "above", "a", "red", "ring", "and", "a", "red", "ring"]
    assert named(words, things) == ((1, upper), (2, upper), (5, lower), (6, lower))
    assert named(["a", "blue", "ring", "above", "a", "red", "star"], things) == ()
    assert named([], things) == ()
