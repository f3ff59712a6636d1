from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import COLOURS, SHAPES, Scene, Thing, draw
from xattn_viz.shapes.scene import PAPER

# What share of the square around it a shape covers: π/4, 0.84², 3√3/16 and so on, from its own geometry.
COVERED = {
    "circle": np.pi / 4,
    "square": 0.84**2,
    "triangle": 3 * np.sqrt(3) / 16,
    "star": 10 * 0.5 * 0.45 * np.sin(np.pi / 5) / 4,
    "cross": (2 * 2 * 0.64 - 0.64**2) / 4,
    "ring": np.pi / 4 * (1 - 0.55**2),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_covers_what_its_geometry_says(shape: str) -> None:
    picture = draw(Scene((Thing("blue", shape, 0.4, 0.6, 0.25),)), 200).astype(float)
    ink = (PAPER[0] - picture[:, :, 0]) / (PAPER[0] - COLOURS["blue"][0])  # edges count by half
    # Pillow draws the pixels that an edge passes through: half a pixel of 800 more on each side.
    assert ink.sum() == pytest.approx(COVERED[shape] * (0.5 * 200) ** 2, rel=0.02)
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)
    assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(80, abs=1)
    if shape not in ("triangle", "star"):  # these reach farther up than down
        assert (rows[0] + rows[-1] + 1) / 2 == pytest.approx(120, abs=1)


def test_later_things_lie_on_top_and_the_paper_has_its_colour() -> None:
    things = (Thing("red", "square", 0.5, 0.5, 0.3), Thing("green", "circle", 0.5, 0.5, 0.1))
    picture = draw(Scene(things, paper=(10, 20, 30)), 64)
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    assert tuple(picture[32, 32]) == COLOURS["green"]
    assert tuple(picture[32, 20]) == COLOURS["red"]
    assert tuple(picture[0, 0]) == (10, 20, 30)
