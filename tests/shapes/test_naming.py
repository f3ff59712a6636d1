from __future__ import annotations

import numpy as np

from xattn_viz.shapes import caption, chance
from xattn_viz.shapes.caption import ordered
from xattn_viz.shapes.naming import named
from xattn_viz.shapes.scene import Scene, Thing


def test_every_thing_of_a_true_caption_is_named_by_its_colour_and_its_shape() -> None:
    random = np.random.default_rng(11)
    for _ in range(100):
        scene = chance.scene(random)
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
