"""What a scene is called: the one caption that the captioner was trained to write."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from xattn_viz.shapes.scene import Scene, Thing

#: How much farther apart two things must be in one direction than in the other to say which lies how.
CLEAR = 0.15


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


def is_clear(scene: Scene) -> bool:
    """Whether the order and the relation of the things are plain to see: nothing lies near a diagonal or level."""
    things = scene.things
    if len(things) == 2:
        across, down = abs(things[0].x - things[1].x), abs(things[0].y - things[1].y)
        return abs(across - down) >= CLEAR
    places = sorted(thing.x for thing in things)
    return all(b - a >= CLEAR for a, b in pairwise(places))
