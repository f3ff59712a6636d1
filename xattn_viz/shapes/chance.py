"""Scenes by chance: those that the models are trained on, and those that they are judged on."""

from __future__ import annotations

from collections.abc import Collection
from math import hypot

import numpy as np

from xattn_viz.shapes.caption import is_clear
from xattn_viz.shapes.scene import COLOURS, PAPER, SHAPES, Scene, Thing

_HOW_MANY = (0.3, 0.5, 0.2)  # scenes of one, two and three things
_SMALL, _LARGE = (0.08, 0.105), (0.155, 0.19)  # radii
_APART = 0.02  # the least gap between two things
_SHADE = 10  # how much the paper may be lighter or darker

Pair = tuple[str, str]


def scene(chance: np.random.Generator, *, without: Collection[Pair] = (), among: Collection[Pair] = ()) -> Scene:
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
