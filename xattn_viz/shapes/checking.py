"""Whether a drawing shows what its prompt asks for, judged by code that knows no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xattn_viz.shapes.judge import Found, judge
from xattn_viz.shapes.prompts import wanted

Pair = tuple[str, str]


def marks(prompt: str, picture: NDArray[np.uint8]) -> dict[str, bool]:
    """What of a prompt a picture `[row, column, 3]` shows: each respect by its name.

    `pairs` counts colours with their shapes, wherever they lie. `relation` holds where two things lie along the
    relation's direction and fit the words in that order at least as well as in the other. `fully`: exactly the things
    asked for, each in its place.
    """
    named, relation = wanted(prompt)
    seen = judge(picture)
    found = [(thing.colour, thing.shape) for thing in seen]
    marked = {
        "count": len(found) == len(named),
        "colours": Counter(colour for colour, _ in found) == Counter(colour for colour, _ in named),
        "shapes": Counter(shape for _, shape in found) == Counter(shape for _, shape in named),
        "pairs": Counter(found) == Counter(named),
    }
    if relation is None:
        return {**marked, "fully": marked["pairs"]}
    placed = _in_order(seen, relation)
    marked["relation"] = placed is not None and _fit(placed, named) >= _fit(placed[::-1], named)
    return {**marked, "fully": placed is not None and placed == list(named)}


def verdict(prompt: str, picture: NDArray[np.uint8]) -> str:
    """Whether a picture shows what was asked for, as a sentence; empty where the prompt names no one or two things."""
    named, relation = wanted(prompt)
    count = 3 * len(named) + (len(relation.split()) if relation else 0)
    if len(prompt.split()) != count or len(named) != (1 if relation is None else 2):
        return ""
    marked = marks(prompt, picture)
    if marked["fully"]:
        return "Drawn as asked."
    if marked["pairs"]:
        return "Not as asked: both things are there, but not where they belong."
    shown = " and ".join(f"{thing.colour} {thing.shape}" for thing in judge(picture))
    return f"Not as asked: it shows {shown or 'nothing that has a name'}."


def _in_order(seen: Sequence[Found], relation: str) -> list[Pair] | None:
    """The two things found, that first which a relation names first; None where they do not lie along it."""
    if len(seen) != 2:
        return None
    across, down = abs(seen[0].x - seen[1].x), abs(seen[0].y - seen[1].y)
    upright = relation in ("above", "below")
    if (down > across) != upright:
        return None
    order = sorted(seen, key=lambda thing: thing.y if upright else thing.x)
    return [(thing.colour, thing.shape) for thing in (order if relation in ("above", "left of") else order[::-1])]


def _fit(placed: Sequence[Pair], named: Sequence[Pair]) -> int:
    return sum(a == b for pair, other in zip(placed, named, strict=True) for a, b in zip(pair, other, strict=True))
