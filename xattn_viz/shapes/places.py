"""What lies at each place of a scene, on a square grid of places: the truth that a model's answers are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isqrt

from xattn_viz.shapes.scene import Scene, Thing

#: What lies where nothing does.
NOTHING = "nothing"


def at_places(scene: Scene, grid: int) -> tuple[Thing | None, ...]:
    """What lies at each of `grid` × `grid` places, row by row; None where nothing does.

    A thing lies at a place where the place's middle is in the circle around the thing, its radius included: the hole
    of a ring belongs to the ring. Where two do, it is the one on top, which comes later in the scene.
    """
    middles = [(place + 0.5) / grid for place in range(grid)]
    return tuple(_at(scene, x, y) for y in middles for x in middles)


def _at(scene: Scene, x: float, y: float) -> Thing | None:
    inside = (thing for thing in reversed(scene.things) if hypot(x - thing.x, y - thing.y) <= thing.radius)
    return next(inside, None)


def name(thing: Thing | None) -> str:
    """What an answer calls it: "red circle", or `NOTHING`."""
    return NOTHING if thing is None else f"{thing.colour} {thing.shape}"


@dataclass(frozen=True)
class Right:
    """How many answers about places are right, of how many: all of them, and those where something lies."""

    places: int
    of_places: int
    inside: int
    of_inside: int


def right(answers: Sequence[str], scene: Scene) -> Right:
    """How many answers, one a place of a square grid, row by row, are what lies there in the scene.

    Raises ValueError where there are not as many answers as a square grid has places.
    """
    grid = isqrt(len(answers))
    if grid * grid != len(answers):
        raise ValueError(f"{len(answers)} answers are not those of a square grid of places.")
    pairs = [
        (answer == name(thing), thing is not None)
        for answer, thing in zip(answers, at_places(scene, grid), strict=True)
    ]
    inside = [is_right for is_right, is_inside in pairs if is_inside]
    return Right(sum(is_right for is_right, _ in pairs), len(pairs), sum(inside), len(inside))
