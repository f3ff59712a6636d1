"""Which words of a caption or a prompt name which thing of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from xattn_viz.shapes.scene import COLOURS, SHAPES


class Coloured(Protocol):
    """A thing with a colour, a shape and a box around it: of a scene, or found in a picture."""

    @property
    def colour(self) -> str:
        """Its colour."""

    @property
    def shape(self) -> str:
        """Its shape."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom as shares of the picture's width and height."""


AnyThing = TypeVar("AnyThing", bound=Coloured)


def named(words: Sequence[str], things: Sequence[AnyThing]) -> tuple[tuple[int, AnyThing], ...]:
    """The words that name the colour or the shape of a thing, by their place among `words`, each with its thing.

    A colour and the shape after it name a thing of both, the first where several are alike. Words that fit no thing are
    left out.
    """
    left = list(things)
    found: list[tuple[int, AnyThing]] = []
    for place, (colour, shape) in enumerate(pairwise(word.strip().lower() for word in words)):
        if colour not in COLOURS or shape not in SHAPES:
            continue
        thing = next((thing for thing in left if (thing.colour, thing.shape) == (colour, shape)), None)
        if thing is not None:
            left.remove(thing)
            found += [(place, thing), (place + 1, thing)]
    return tuple(found)
