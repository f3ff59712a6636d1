from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import chance, draw
from xattn_viz.shapes.link import from_link, to_link


def test_a_scene_comes_back_to_a_hundredth() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        scene = chance.scene(random)
        back = from_link(to_link(scene))
        assert [(thing.colour, thing.shape) for thing in back.things] == [(t.colour, t.shape) for t in scene.things]
        for ours, theirs in zip(back.things, scene.things, strict=True):
            assert (ours.x, ours.y, ours.radius) == pytest.approx((theirs.x, theirs.y, theirs.radius), abs=0.00501)
        assert from_link(to_link(back)) == back
        assert (draw(from_link(to_link(back))) == draw(back)).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "red-circle",
        "red-circle-30-45-17_",
        "red-circle-30-45-0",
        "red-circle-30-145-17",
        "red-circle-30-45-99",
        "mauve-circle-30-45-17",
        "red-disc-30-45-17",
        "red-circle-\u0663-45-17",
        "<b>-circle-30-45-17",
        "_".join(["red-circle-30-45-17"] * 4),
        "_" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_link(text)
