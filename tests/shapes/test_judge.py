from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xattn_viz.shapes import Scene, Thing, chance, draw, judge, prompts

Random = np.random.Generator


def named(scene: Scene) -> list[tuple[str, str]]:
    return [(thing.colour, thing.shape) for thing in sorted(scene.things, key=lambda thing: thing.x)]


@pytest.mark.parametrize(
    ("pixels", "make"),
    [(96, chance.scene), (48, lambda random: prompts.example(random)[1])],
    ids=["scenes that are read", "scenes that are drawn"],
)
def test_true_drawings_are_read_back(pixels: int, make: Callable[[Random], Scene]) -> None:
    random = np.random.default_rng(3)
    scenes = [make(random) for _ in range(200)]
    found = [judge(draw(scene, pixels)) for scene in scenes]
    right = [sorted(named(s)) == sorted((f.colour, f.shape) for f in fs) for s, fs in zip(scenes, found, strict=True)]
    assert np.mean(right) >= 0.98


def test_a_thing_is_found_where_it_lies_and_a_speck_is_none() -> None:
    picture = draw(Scene((Thing("purple", "ring", 0.3, 0.7, 0.15),)), 96).copy()
    picture[2:4, 2:4] = (214, 40, 40)
    (ring,) = judge(picture)
    assert (ring.colour, ring.shape) == ("purple", "ring")
    assert (ring.x, ring.y) == pytest.approx((0.3, 0.7), abs=0.01)
    assert ring.fit > 0.85


def test_empty_paper_holds_nothing_and_a_bar_fits_no_shape() -> None:
    paper = np.full((48, 48, 3), 240, np.uint8)
    assert judge(paper) == ()
    paper[20:25, 5:45] = (37, 99, 235)
    (bar,) = judge(paper)
    assert bar.colour == "blue"
    assert bar.fit < 0.5
