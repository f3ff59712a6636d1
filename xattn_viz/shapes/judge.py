"""What is right about a picture, a drawing, a caption or answers about places, judged by code that knows no model.

A picture is read back into coloured shapes; a drawing is held against its prompt, captions and answers against a scene.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from math import hypot, isqrt

import numpy as np
from numpy.typing import NDArray

from xattn_viz.shapes.prompts import parse_prompt
from xattn_viz.shapes.scene import COLOURS, PAPER, SHAPES, Pair, Scene, Thing, draw, is_clear
from xattn_viz.shapes.sentence import caption

#: What covers less than this share of the picture is a speck, no thing.
SPECK = 0.004
#: What lies at a place where no thing does.
NOTHING = "nothing"
_UNCLEAR = "The things overlap or lie so level that no scene of the training was like it."
_TEMPLATE = 24  # pixels along the side of the masks that shapes are compared by


@dataclass(frozen=True)
class Found:
    """A thing in a picture: its colour and shape, and the box around it.

    `box` is left, top, right and bottom as shares of the picture's width and height; `fit` how much of the thing and of
    the ideal shape overlap, intersection over union, 1 at most.
    """

    colour: str
    shape: str
    box: tuple[float, float, float, float]
    fit: float

    @property
    def x(self) -> float:
        """The middle from left to right."""
        return (self.box[0] + self.box[2]) / 2

    @property
    def y(self) -> float:
        """The middle from top to bottom."""
        return (self.box[1] + self.box[3]) / 2


def judge(picture: NDArray[np.uint8]) -> tuple[Found, ...]:
    """The things in a picture `[row, column, 3]`, from left to right.

    A pixel belongs to a thing where it is nearer to one of the named colours than to the paper. Pixels that touch make
    one thing, whose colour is the one that most of them are nearest to, and whose shape the one that overlaps it best.
    """
    return tuple(thing for thing, _ in with_pixels(picture))


def with_pixels(picture: NDArray[np.uint8]) -> tuple[tuple[Found, NDArray[np.bool_]], ...]:
    """The things that `judge` finds, each with the mask `[row, column]` of its pixels."""
    names = list(COLOURS)
    palette = np.array([COLOURS[name] for name in names] + [PAPER], np.float32)
    nearest = np.linalg.norm(picture[:, :, None].astype(np.float32) - palette, axis=-1).argmin(-1)
    inked = nearest < len(names)
    found: list[tuple[Found, NDArray[np.bool_]]] = []
    for region in regions(inked):
        if region.sum() < SPECK * region.size:
            continue
        rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
        shape, fit = _shape(region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        colour = names[np.bincount(nearest[region], minlength=len(names)).argmax()]
        height, width = region.shape
        left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        edges = (float(left / width), float(top / height), float(right / width), float(bottom / height))
        found.append((Found(colour, shape, edges, fit), region))
    return tuple(sorted(found, key=lambda one: one[0].x))


def _shape(box: NDArray[np.bool_]) -> tuple[str, float]:
    """The shape that overlaps a mask best where both fill the same square, and how well it does."""
    mask = _fitted(box)
    fits = {shape: float((mask & ideal).sum() / (mask | ideal).sum()) for shape, ideal in _ideals().items()}
    best = max(fits, key=lambda shape: fits[shape])
    return best, fits[best]


@cache
def _ideals() -> dict[str, NDArray[np.bool_]]:
    """Each shape as a mask that fills a square."""
    masks = {}
    for shape in SHAPES:
        inked = draw(Scene((Thing("blue", shape, 0.5, 0.5, 0.45),)), 8 * _TEMPLATE)[:, :, 0] < 140
        rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
        masks[shape] = _fitted(inked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return masks


def _fitted(box: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask, made square with nothing around it, as `[_TEMPLATE, _TEMPLATE]`: the pixel nearest to each place."""
    side = max(box.shape)
    spare = [side - size for size in box.shape]
    square = np.pad(box, [(each // 2, each - each // 2) for each in spare])
    nearest = ((np.arange(_TEMPLATE) + 0.5) * side / _TEMPLATE).astype(int)
    return square[np.ix_(nearest, nearest)]


def regions(inked: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The places of a mask `[row, column]` that touch by sides or corners, each such region as a mask of its own."""
    # Every place takes the largest number that it can reach.
    number = np.where(inked, np.arange(1, inked.size + 1).reshape(inked.shape), 0)
    while True:
        around = np.pad(number, 1)
        rows, columns = inked.shape
        reached = np.max([around[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)
        reached = np.where(inked, reached, 0)
        if (reached == number).all():
            return [number == label for label in np.unique(number) if label]
        number = reached


def mark_drawing(prompt: str, picture: NDArray[np.uint8]) -> dict[str, bool]:
    """What of a prompt a picture `[row, column, 3]` shows: each respect by its name.

    `pairs` counts colours with their shapes, wherever they lie. `relation` holds where two things lie along the
    relation's direction and fit the words in that order at least as well as in the other. `fully`: exactly the things
    asked for, each in its place.
    """
    named, relation = parse_prompt(prompt)
    things = judge(picture)
    found = [(thing.colour, thing.shape) for thing in things]
    marked = {
        "count": len(found) == len(named),
        "colours": Counter(colour for colour, _ in found) == Counter(colour for colour, _ in named),
        "shapes": Counter(shape for _, shape in found) == Counter(shape for _, shape in named),
        "pairs": Counter(found) == Counter(named),
    }
    if relation is None:
        return {**marked, "fully": marked["pairs"]}
    placed = _in_order(things, relation)
    marked["relation"] = placed is not None and _fit(placed, named) >= _fit(placed[::-1], named)
    return {**marked, "fully": placed is not None and placed == list(named)}


def drawing_verdict(prompt: str, picture: NDArray[np.uint8]) -> str:
    """Whether a picture shows what was asked for, as a sentence; empty where the prompt names no one or two things."""
    named, relation = parse_prompt(prompt)
    count = 3 * len(named) + (len(relation.split()) if relation else 0)
    if len(prompt.split()) != count or len(named) != (1 if relation is None else 2):
        return ""
    marked = mark_drawing(prompt, picture)
    if marked["fully"]:
        return "Drawn as asked."
    if marked["pairs"]:
        return "Not as asked: both things are there, but not where they belong."
    shown = " and ".join(f"{thing.colour} {thing.shape}" for thing in judge(picture))
    return f"Not as asked: it shows {shown or 'nothing that has a name'}."


def _in_order(things: Sequence[Found], relation: str) -> list[Pair] | None:
    """The two things found, that first which a relation names first; None where they do not lie along it."""
    if len(things) != 2:
        return None
    across, down = abs(things[0].x - things[1].x), abs(things[0].y - things[1].y)
    upright = relation in ("above", "below")
    if (down > across) != upright:
        return None
    order = sorted(things, key=lambda thing: thing.y if upright else thing.x)
    return [(thing.colour, thing.shape) for thing in (order if relation in ("above", "left of") else order[::-1])]


def _fit(placed: Sequence[Pair], named: Sequence[Pair]) -> int:
    return sum(a == b for pair, other in zip(placed, named, strict=True) for a, b in zip(pair, other, strict=True))


def mark_caption(written: str, scene: Scene, expected: str | None = None) -> str:
    """What is right and wrong about a caption of a scene of one to three things, in one or two sentences.

    It is compared, word by word in order, with what is `expected`: unless said, with the caption that `caption-shapes`
    was trained to write.
    """
    wanted = caption(scene) if expected is None else expected
    said, true = (text.replace(",", " ,").split() for text in (written, wanted))
    wrong = [
        _difference(said[a:b], true[c:d])
        for tag, a, b, c, d in SequenceMatcher(None, said, true, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    verdict = f"Not quite: {'; '.join(wrong)}." if wrong else "Right to the last word."
    return verdict if _is_like_training(scene) else f"{verdict} {_UNCLEAR}"


def _difference(said: list[str], true: list[str]) -> str:
    ours, theirs = (" ".join(words).replace(" ,", ",") for words in (said, true))
    if not said:
        return f"“{theirs}” is missing"
    return f"“{ours}” stands for “{theirs}”" if true else f"“{ours}” is too much"


def _is_like_training(scene: Scene) -> bool:
    things = scene.things
    apart = all(
        (one.x - other.x) ** 2 + (one.y - other.y) ** 2 > (one.radius + other.radius) ** 2
        for i, one in enumerate(things)
        for other in things[i + 1 :]
    )
    return apart and is_clear(scene)


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


def label_of(thing: Thing | None) -> str:
    """What an answer calls it: "red circle", or `NOTHING`."""
    return NOTHING if thing is None else f"{thing.colour} {thing.shape}"


@dataclass(frozen=True)
class RightPlaces:
    """How many answers about places are right, of how many: all of them, and those where something lies."""

    places: int
    of_places: int
    inside: int
    of_inside: int


def count_right(answers: Sequence[str], scene: Scene) -> RightPlaces:
    """How many answers, one a place of a square grid, row by row, are what lies there in the scene.

    Raises ValueError where there are not as many answers as a square grid has places.
    """
    grid = isqrt(len(answers))
    if grid * grid != len(answers):
        raise ValueError(f"{len(answers)} answers are not those of a square grid of places.")
    pairs = [
        (answer == label_of(thing), thing is not None)
        for answer, thing in zip(answers, at_places(scene, grid), strict=True)
    ]
    inside = [is_right for is_right, is_inside in pairs if is_inside]
    return RightPlaces(sum(is_right for is_right, _ in pairs), len(pairs), sum(inside), len(inside))
