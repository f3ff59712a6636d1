"""Which words of a caption name which thing of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from xattn_viz.scenes.caption import ordered
from xattn_viz.scenes.scene import COLOURS, SHAPES, Scene, Thing


def named(words: Sequence[str], scene: Scene) -> tuple[tuple[int, Thing], ...]:
    """The words that name the colour or the shape of a thing, by their place among `words`, each with its thing.

    A colour and the shape after it name a thing of both, the first in the order of captions where several are alike.
    Words that fit no thing are left out.
    """
    left = ordered(scene)
    found: list[tuple[int, Thing]] = []
    for place, (colour, shape) in enumerate(pairwise(word.strip().lower() for word in words)):
        if colour not in COLOURS or shape not in SHAPES:
            continue
        thing = next((thing for thing in left if (thing.colour, thing.shape) == (colour, shape)), None)
        if thing is not None:
            left.remove(thing)
            found += [(place, thing), (place + 1, thing)]
    return tuple(found)
