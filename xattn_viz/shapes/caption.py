"""What a scene is called: the one caption that the captioner was trained to write, and which word names which thing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from xattn_viz.shapes.scene import COLOURS, SHAPES, Scene, Thing


def phrase(thing: Thing, *, sized: bool = True) -> str:
    """What one thing is called, such as "a small red circle"; without its size where that is not asked for."""
    words = [thing.size, thing.colour, thing.shape] if sized else [thing.colour, thing.shape]
    return with_article(" ".join(words))


def with_article(name: str) -> str:
    """A name behind its article: "an orange ring"."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def caption(scene: Scene, *, sized: bool = True) -> str:
    """The caption of a scene of one to three things.

    Two are told by how they lie, the left or upper one first; three are listed from left to right.
    Raises ValueError for a scene with no thing or more than three.
    """
    if not 1 <= len(scene.things) <= 3:
        raise ValueError(f"A scene of {len(scene.things)} things has no caption: it needs one, two or three.")
    return joined(scene, [phrase(thing, sized=sized) for thing in ordered(scene)])


def joined(scene: Scene, phrases: Sequence[str]) -> str:
    """The caption of a scene from what each of its one to three things is called, in their order (`ordered`)."""
    if len(phrases) == 2:
        return f" {'above' if _is_upright(scene) else 'left of'} ".join(phrases)
    return phrases[0] if len(phrases) == 1 else f"{phrases[0]}, {phrases[1]} and {phrases[2]}"


def ordered(scene: Scene) -> list[Thing]:
    """The things in the order in which a caption names them."""
    upright = len(scene.things) == 2 and _is_upright(scene)
    return sorted(scene.things, key=lambda thing: thing.y if upright else thing.x)


def _is_upright(scene: Scene) -> bool:
    one, other = scene.things
    return abs(one.y - other.y) > abs(one.x - other.x)


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
