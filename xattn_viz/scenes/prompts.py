"""Prompts for a model that draws, each with the scene it asks for."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Literal

import numpy as np

from xattn_viz.scenes.caption import phrase
from xattn_viz.scenes.scene import COLOURS, Scene, Thing

#: What a prompt may name: fewer than a scene, because drawing is harder than reading.
DRAWN_COLOURS = tuple(colour for colour in COLOURS if colour not in ("pink", "brown"))
DRAWN_SHAPES = ("circle", "square", "triangle", "star", "ring")
RELATIONS = ("above", "below", "left of", "right of")
WORDS = ("a", "an", *DRAWN_COLOURS, *DRAWN_SHAPES, "above", "below", "left", "right", "of")
#: The most words that a prompt has.
LONGEST = 8

_ALONE, _PAIRED = 0.28, 0.19  # radii
_NEAR, _FAR = 0.27, 0.73  # where the things of a pair lie
_SHIFT = 0.03  # how far a thing may lie from its place
_GROW = 0.06  # how much larger or smaller it may be
_OF_TWO = 0.75  # the share of scenes that hold two things

Relation = Literal["above", "below", "left of", "right of"]


def prompt(things: tuple[Thing, ...], relation: str = "left of") -> str:
    """What to ask for: "a red circle" or "a red circle left of a blue square"."""
    return f" {relation} ".join(phrase(thing, sized=False) for thing in things)


def example(chance: np.random.Generator, *, two: bool | None = None, trained: bool = True) -> tuple[str, Scene]:
    """A prompt by chance and the scene that it asks for; `two` fixes how many things, by chance otherwise.

    A prompt of two things belongs either to those that models are trained on or to those that judge them.
    """
    while True:
        pair = bool(chance.random() < _OF_TWO) if two is None else two
        relation = RELATIONS[chance.integers(len(RELATIONS))]
        named = [
            (DRAWN_COLOURS[chance.integers(len(DRAWN_COLOURS))], DRAWN_SHAPES[chance.integers(len(DRAWN_SHAPES))])
            for _ in range(1 + pair)
        ]
        things = _placed(chance, named, relation)
        if not pair or _is_trained(things, relation) == trained:
            return prompt(things, relation), Scene(things)


def _placed(chance: np.random.Generator, named: list[tuple[str, str]], relation: str) -> tuple[Thing, ...]:
    places = [(0.5, 0.5)]
    if len(named) == 2:
        ahead, after = (_NEAR, _FAR) if relation in ("above", "left of") else (_FAR, _NEAR)
        places = [(ahead, 0.5), (after, 0.5)] if "of" in relation else [(0.5, ahead), (0.5, after)]
    radius = _ALONE if len(named) == 1 else _PAIRED
    return tuple(
        Thing(
            colour,
            shape,
            x + float(chance.uniform(-_SHIFT, _SHIFT)),
            y + float(chance.uniform(-_SHIFT, _SHIFT)),
            radius * float(chance.uniform(1 - _GROW, 1 + _GROW)),
        )
        for (colour, shape), (x, y) in zip(named, places, strict=True)
    )


def _is_trained(things: tuple[Thing, ...], relation: str) -> bool:
    """One in eight of the prompts of two things is kept for judging."""
    numbers = [DRAWN_COLOURS.index(t.colour) * len(DRAWN_SHAPES) + DRAWN_SHAPES.index(t.shape) for t in things]
    return (31 * numbers[0] + 17 * numbers[1] + 7 * RELATIONS.index(relation)) % 8 != 0


def wanted(words: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """The pairs of colour and shape that a prompt names, in its order, and the relation that it names, if any."""
    listed = words.split()
    named = tuple(
        (colour, shape) for colour, shape in pairwise(listed) if colour in DRAWN_COLOURS and shape in DRAWN_SHAPES
    )
    relation = next((each for each in RELATIONS if f" {each} " in words), None)
    return named, relation


def everything() -> list[str]:
    """All prompts of one thing."""
    return [phrase(Thing(c, s, 0.5, 0.5, _ALONE), sized=False) for c, s in product(DRAWN_COLOURS, DRAWN_SHAPES)]
