"""From a scene to its pixels, in colour or in shades of grey."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from xattn_viz.shapes.scene import COLOURS, Scene, Thing

#: The radius of a ring's hole, against the ring's own.
HOLE = 0.55

_FINER = 4  # drawn so many times as large and averaged, which smooths the edges
_SQUARE = 0.84  # half the side of a square, against the radius of the circle around it: a little more than 1/√2
_INNER = 0.45  # the inner corners of a star
_ARM = 0.32  # half the width of a cross's arm

_Colours = dict[str, tuple[int, int, int]]


def draw(scene: Scene, pixels: int = 96, colours: _Colours = COLOURS) -> NDArray[np.uint8]:
    """The scene as red, green and blue, `[row, column, 3]` of `pixels` rows and columns. Later things lie on top."""
    image = Image.new("RGB", (pixels * _FINER, pixels * _FINER), scene.paper)
    pen = ImageDraw.Draw(image)
    for thing in scene.things:
        _draw(pen, thing, pixels * _FINER, colours[thing.colour], scene.paper)
    return np.asarray(image.reduce(_FINER))


def outline(shape: str) -> tuple[tuple[float, float], ...]:
    """The corners of a shape without curves, in a circle of radius 1 around (0, 0), y downwards."""
    if shape == "square":
        s = _SQUARE
        return ((-s, -s), (s, -s), (s, s), (-s, s))
    if shape == "cross":
        a = _ARM
        return (
            (-a, -1),
            (a, -1),
            (a, -a),
            (1, -a),
            (1, a),
            (a, a),
            (a, 1),
            (-a, 1),
            (-a, a),
            (-1, a),
            (-1, -a),
            (-a, -a),
        )
    corners, inner = {"triangle": (3, 1.0), "star": (10, _INNER)}[shape]
    turns = [(2 * pi * i / corners, inner if i % 2 and corners > 3 else 1.0) for i in range(corners)]
    return tuple((r * sin(turn), -r * cos(turn)) for turn, r in turns)


def _draw(
    pen: ImageDraw.ImageDraw, thing: Thing, pixels: int, ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    x, y, r = (value * pixels for value in (thing.x, thing.y, thing.radius))
    if thing.shape in ("circle", "ring"):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
        if thing.shape == "ring":
            h = r * HOLE
            pen.ellipse((x - h, y - h, x + h, y + h), fill=paper)
    else:
        pen.polygon([(x + r * dx, y + r * dy) for dx, dy in outline(thing.shape)], fill=ink)


def in_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture `[row, column, 3]` in shades of grey, as bright as it was (ITU-R 601-2 luma)."""
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))
