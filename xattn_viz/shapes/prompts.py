"""Prompts for a model that draws, each with the scene it asks for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from xattn_viz.shapes.caption import phrase, with_article
from xattn_viz.shapes.relation import MIDDLE, RELATIONS, places
from xattn_viz.shapes.scene import COLOURS, Scene, Thing
from xattn_viz.shapes.wording import ARTICLES, Word

#: What a prompt may name: fewer than a scene, because drawing is harder than reading.
DRAWN_COLOURS = tuple(colour for colour in COLOURS if colour not in ("pink", "brown"))
DRAWN_SHAPES = ("circle", "square", "triangle", "star", "ring")
WORDS = ("a", "an", *DRAWN_COLOURS, *DRAWN_SHAPES, "above", "below", "left", "right", "of")
#: The most words that a prompt has.
LONGEST = 8

_ALONE, _PAIRED = 0.28, 0.19  # radii
_SHIFT = 0.03  # how far a thing may lie from its place
_GROW = 0.06  # how much larger or smaller it may be
_OF_TWO = 0.75  # the share of scenes that hold two things


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
    middles = [(MIDDLE, MIDDLE)] if len(named) == 1 else places(relation)
    radius = _ALONE if len(named) == 1 else _PAIRED
    return tuple(
        Thing(
            colour,
            shape,
            x + float(chance.uniform(-_SHIFT, _SHIFT)),
            y + float(chance.uniform(-_SHIFT, _SHIFT)),
            radius * float(chance.uniform(1 - _GROW, 1 + _GROW)),
        )
        for (colour, shape), (x, y) in zip(named, middles, strict=True)
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


def with_articles(read: Iterable[Word]) -> list[Word]:
    """The words of a prompt with articles where those that models are trained on have them, and nowhere else.

    An article that was typed there, whichever, stands for its own characters, one that was left out for none.
    """
    found: list[Word] = []
    typed: Word | None = None  # the article before this word
    before = ""
    for word in read:
        if word.text in ARTICLES:
            typed = word
            continue
        is_named = word.text in DRAWN_COLOURS or word.text in DRAWN_SHAPES
        if is_named and before not in DRAWN_COLOURS:
            start, end = (typed.start, typed.end) if typed else (word.start, word.start)
            found.append(Word(with_article(word.text).split()[0], start, end))
        found.append(word)
        typed, before = None, word.text
    return found
