"""Reading a picture back without any model: which coloured shapes are on the paper, and where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xattn_viz.shapes.draw import draw
from xattn_viz.shapes.regions import regions
from xattn_viz.shapes.scene import COLOURS, PAPER, SHAPES, Scene, Thing

#: What covers less than this share of the picture is a speck, no thing.
SPECK = 0.004
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
    names = list(COLOURS)
    palette = np.array([COLOURS[name] for name in names] + [PAPER], np.float32)
    nearest = np.linalg.norm(picture[:, :, None].astype(np.float32) - palette, axis=-1).argmin(-1)
    inked = nearest < len(names)
    found = []
    for region in regions(inked):
        if region.sum() < SPECK * region.size:
            continue
        rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
        shape, fit = _shape(region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        colour = names[np.bincount(nearest[region], minlength=len(names)).argmax()]
        height, width = region.shape
        left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        edges = (float(left / width), float(top / height), float(right / width), float(bottom / height))
        found.append(Found(colour, shape, edges, fit))
    return tuple(sorted(found, key=lambda thing: thing.x))


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
