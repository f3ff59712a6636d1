"""A scene: up to three coloured shapes on square paper, as pixels and as text.

How two of them lie, scenes at random, and how they are drawn, in colour or in shades of grey.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import cos, hypot, pi, sin
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from xattn_viz.core.records import quoted

Size = Literal["small", "large"]

#: The colours that have a name, as red, green and blue from 0 to 255.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (247, 140, 20),
    "yellow": (245, 211, 40),
    "green": (46, 160, 67),
    "blue": (37, 99, 235),
    "purple": (128, 60, 180),
    "pink": (244, 130, 190),
    "brown": (125, 82, 58),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
PAPER = (240, 238, 232)
#: A radius from here on is called large.
LARGE = 0.13
#: How two things can lie to each other, and where they lie then along that direction, as shares of the paper's width.
RELATIONS = ("above", "below", "left of", "right of")
NEAR, MIDDLE, FAR = 0.27, 0.5, 0.73
#: How much farther apart two things must be in one direction than in the other to say which lies how.
CLEAR = 0.15
#: The most things that a scene of the page holds: the models know no more.
MOST_THINGS = 3

_HOW_MANY = (0.3, 0.5, 0.2)  # random scenes of one, two and three things
_SMALL, _LARGE = (0.08, 0.105), (0.155, 0.19)  # their radii
_APART = 0.02  # the least gap between two things
_SHADE = 10  # how much the paper may be lighter or darker
_THING = re.compile(r"([a-z]{1,9})-([a-z]{1,9})-([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,2})", re.ASCII)

Pair = tuple[str, str]
Place = tuple[float, float]


@dataclass(frozen=True)
class Thing:
    """One coloured shape: the middle `x`, `y` and the radius of the circle around it, as shares of the paper's width.

    `x` runs from left to right, `y` from top to bottom. Raises ValueError for a colour or shape without a name here,
    or a shape that lies off the paper.
    """

    colour: str
    shape: str
    x: float
    y: float
    radius: float

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise ValueError(f"There is no colour {quoted(self.colour)} in a scene; there are {', '.join(COLOURS)}.")
        if self.shape not in SHAPES:
            raise ValueError(f"There is no shape {quoted(self.shape)} in a scene; there are {', '.join(SHAPES)}.")
        if not (0 < self.radius <= 0.5 and 0 <= self.x <= 1 and 0 <= self.y <= 1):
            raise ValueError(f"A {self.shape} at ({self.x}, {self.y}) of radius {self.radius} lies off the paper.")

    @property
    def size(self) -> Size:
        """What its size is called."""
        return "large" if self.radius >= LARGE else "small"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the square around it, cut at the edges of the paper."""
        return (
            max(0.0, self.x - self.radius),
            max(0.0, self.y - self.radius),
            min(1.0, self.x + self.radius),
            min(1.0, self.y + self.radius),
        )


@dataclass(frozen=True)
class Scene:
    """The things on the paper, and the paper's colour."""

    things: tuple[Thing, ...]
    paper: tuple[int, int, int] = PAPER


def positions(relation: str) -> tuple[Place, Place]:
    """The middles (x, y) of the thing that is named first and of the other."""
    ahead, after = (NEAR, FAR) if relation in ("above", "left of") else (FAR, NEAR)
    if relation in ("above", "below"):
        return (MIDDLE, ahead), (MIDDLE, after)
    return (ahead, MIDDLE), (after, MIDDLE)


def is_clear(scene: Scene) -> bool:
    """Whether the order and the relation of the things are plain to see: nothing lies near a diagonal or level."""
    things = scene.things
    if len(things) == 2:
        across, down = abs(things[0].x - things[1].x), abs(things[0].y - things[1].y)
        return abs(across - down) >= CLEAR
    places = sorted(thing.x for thing in things)
    return all(b - a >= CLEAR for a, b in pairwise(places))


def random_scene(chance: np.random.Generator, *, without: Collection[Pair] = (), among: Collection[Pair] = ()) -> Scene:
    """A scene of one to three things at random places, none over another, whose caption is plain to see.

    `without` names pairs of colour and shape that must not occur, `among` those of which one must.
    """
    count = 1 + int(chance.choice(3, p=_HOW_MANY))
    while True:
        made = _try(chance, count, list(among))
        if made is None or not is_clear(made):
            continue
        if not any((thing.colour, thing.shape) in without for thing in made.things):
            return made


def _try(chance: np.random.Generator, count: int, among: list[Pair]) -> Scene | None:
    things: list[Thing] = []
    for number in range(count):
        low, high = (_SMALL, _LARGE)[chance.integers(2)]
        radius = float(chance.uniform(low, high))
        x, y = (float(value) for value in chance.uniform(radius + 0.01, 0.99 - radius, 2))
        colour, shape = list(COLOURS)[chance.integers(len(COLOURS))], SHAPES[chance.integers(len(SHAPES))]
        if among and number == 0:
            colour, shape = among[chance.integers(len(among))]
        if any(hypot(x - other.x, y - other.y) < radius + other.radius + _APART for other in things):
            return None
        things.append(Thing(colour, shape, x, y, radius))
    chance.shuffle(things)
    shade = int(chance.integers(-_SHADE, _SHADE + 1))
    return Scene(tuple(things), paper=(PAPER[0] + shade, PAPER[1] + shade, PAPER[2] + shade))


def to_link(scene: Scene) -> str:
    """A scene as a few characters that fit into an address: "red-circle-30-45-17_blue-square-70-50-10".

    Each thing is its colour, its shape, and x, y and radius rounded to hundredths of the paper's width. The paper is
    the usual one.
    """
    return "_".join(
        "-".join([thing.colour, thing.shape, *(str(round(100 * value)) for value in (thing.x, thing.y, thing.radius))])
        for thing in scene.things
    )


def from_link(text: str) -> Scene:
    """The scene of such characters. Raises ValueError where they are no scene of one to `MOST_THINGS` things."""
    parts = text.split("_", MOST_THINGS)
    if len(parts) > MOST_THINGS:
        raise ValueError(f"A scene holds at most {MOST_THINGS} things.")
    return Scene(tuple(map(_thing_of, parts)))


def _thing_of(text: str) -> Thing:
    found = _THING.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is no thing of a scene: write it as red-circle-30-45-17.")
    x, y, radius = (int(number) / 100 for number in found.groups()[2:])
    return Thing(found[1], found[2], x, y, radius)


def snippet(scene: Scene, model: str, options: Mapping[str, str | bool] | None = None) -> str:
    """A script that draws the scene, lets a model caption it and prints where each word attends most.

    `options` are keywords of its `trace`.
    """
    said = "".join(f", {name}={value!r}" for name, value in (options or {}).items())
    things = [
        f"    Thing({thing.colour!r}, {thing.shape!r}, x={thing.x:g}, y={thing.y:g}, radius={thing.radius:g}),"
        for thing in scene.things
    ]
    lines = [
        "import xattn_viz as xv",
        "from xattn_viz.shapes import Scene, Thing, draw",
        "",
        "scene = Scene((",
        *things,
        "))",
        f"trace = xv.load({model!r}).trace(draw(scene){said})",
        "print(trace.output)",
        "cross = trace.cross  # weights [layer, head, token, patch], counted from 0",
        "for token, weights in enumerate(cross.weights.mean((0, 1))):",
        "    print(cross.queries.name(token), cross.keys.name(weights.argmax()))",
    ]
    return "\n".join(lines) + "\n"


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
