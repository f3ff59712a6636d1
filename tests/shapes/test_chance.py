from __future__ import annotations

from itertools import combinations
from math import hypot

import numpy as np

from xattn_viz.shapes import chance
from xattn_viz.shapes.caption import is_clear


def test_scenes_are_clear_without_overlap_and_the_same_for_a_seed() -> None:
    scenes = [chance.scene(random) for random in [np.random.default_rng(1)] for _ in range(200)]
    again = [chance.scene(random) for random in [np.random.default_rng(1)] for _ in range(200)]
    assert scenes == again
    counts = np.bincount([len(scene.things) for scene in scenes], minlength=4) / len(scenes)
    np.testing.assert_allclose(counts, [0, 0.3, 0.5, 0.2], atol=0.1)  # three standard deviations of 200
    for scene in scenes:
        assert is_clear(scene)
        for one, other in combinations(scene.things, 2):
            assert hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius


def test_pairs_held_out_never_occur_and_pairs_asked_for_always_do() -> None:
    random, pairs = np.random.default_rng(2), [("red", "ring"), ("blue", "square")]
    for _ in range(100):
        without, among = chance.scene(random, without=pairs), chance.scene(random, among=pairs)
        assert not {(thing.colour, thing.shape) for thing in without.things} & set(pairs)
        assert {(thing.colour, thing.shape) for thing in among.things} & set(pairs)
