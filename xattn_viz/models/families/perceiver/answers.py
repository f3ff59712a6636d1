"""What a Perceiver answers, in words: what lies at each place, or what a picture shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.shapes.caption import with_article
from xattn_viz.shapes.judge import NOTHING, regions

#: How many of a classifier's classes are told.
TOLD = 5
_ROWS, _COLUMNS = ("top", "", "bottom"), ("left", "", "right")


class Answer(NamedTuple):
    """The answer in a sentence, what was asked (the queries of the decoder), and answers with their probabilities."""

    text: str
    asked: Axis
    likely: list[tuple[str, float]]


class Question(Protocol):
    """What the queries of a model's decoder ask."""

    def answer(self, logits: Tensor) -> Answer:
        """The answer in a model's logits for one picture."""


@dataclass(frozen=True)
class WhatLiesWhere:
    """What lies at each place of a square grid of `places` rows: nothing, or one of `colours` and one of `shapes`."""

    places: int
    colours: tuple[str, ...]
    shapes: tuple[str, ...]

    def answer(self, logits: Tensor) -> Answer:
        """The answer of logits `[place, answer]`: nothing, then the colours, then the shapes.

        `likely` holds the likeliest answer at each place. A thing's probability is the product of its colour's and its
        shape's.
        """
        seen, formed = logits.tensor_split([1 + len(self.colours)], 1)
        colours, shapes = (part.softmax(1).max(1) for part in (seen, formed))
        likely = [
            (f"{self.colours[colour - 1]} {self.shapes[shape]}", p * q) if colour else (NOTHING, p)
            for colour, p, shape, q in zip(
                *(part.tolist() for part in (colours.indices, colours.values, shapes.indices, shapes.values)),
                strict=True,
            )
        ]
        labels = tuple(label for label, _ in likely)
        asked = Axis("image", labels=labels, grid=(self.places, self.places))
        return Answer(said(np.array(labels).reshape(self.places, self.places)), asked, likely)


@dataclass(frozen=True)
class WhatItShows:
    """Which of these classes a picture shows."""

    classes: tuple[str, ...]

    def answer(self, logits: Tensor) -> Answer:
        """The answer of logits `[class]`; `likely` holds the first `TOLD` classes, the likeliest first."""
        best = logits.softmax(0).topk(min(TOLD, len(self.classes)))
        likely = [(self.classes[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        text = likely[0][0]
        return Answer(text, Axis("text", labels=(text,), spans=((0, len(text)),)), likely)


def said(there: NDArray[np.str_]) -> str:
    """What lies where, in a sentence, from what lies at each place `[row, column]`."""
    phrases = [f"{with_article(name)} {_whereabouts(*middle)}" for name, middle in things(there)]
    if not phrases:
        return NOTHING
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def things(there: NDArray[np.str_]) -> list[tuple[str, tuple[float, float]]]:
    """The things on a grid `[row, column]` of what lies at each place, and the middle of each as shares of the sides.

    A thing is all places of one answer that touch, by their sides or their corners. From top to bottom, then from left
    to right, by their first place; the middle is (row, column).
    """
    found = []
    for name in set(there.flat) - {NOTHING}:
        for region in regions(there == name):
            places = np.argwhere(region)
            row, column = (places + 0.5).mean(0) / there.shape
            found.append((tuple(places[0]), (str(name), (float(row), float(column)))))
    return [thing for _, thing in sorted(found)]


def _whereabouts(row: float, column: float) -> str:
    """Where a middle lies, by thirds of the picture."""
    words = [word for word in (_ROWS[int(3 * row)], _COLUMNS[int(3 * column)]) if word]
    return f"at the {' '.join(words)}" if words else "in the middle"
