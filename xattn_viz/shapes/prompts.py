"""What models read about a scene: prompts that ask for one, and hints that give the colours of one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np

from xattn_viz.shapes.scene import COLOURS, MIDDLE, RELATIONS, SHAPES, Scene, Thing, positions
from xattn_viz.shapes.sentence import ARTICLES, Word, joined, ordered, phrase, with_article, words

#: What a prompt may name: fewer than a scene, because drawing is harder than reading.
DRAWN_COLOURS = tuple(colour for colour in COLOURS if colour not in ("pink", "brown"))
DRAWN_SHAPES = ("circle", "square", "triangle", "star", "ring")
PROMPT_WORDS = ("a", "an", *DRAWN_COLOURS, *DRAWN_SHAPES, "above", "below", "left", "right", "of")
#: Every word and sign of a hint.
HINT_WORDS = ("the", "is", *COLOURS, *SHAPES, ",")
#: The most words that a prompt has.
LONGEST = 8
#: The options of models that read a hint beside the picture, and whether they see it in shades of grey.
HINT, GREY = "hint", "grey"

_ALONE, _PAIRED = 0.28, 0.19  # radii
_SHIFT = 0.03  # how far a thing may lie from its place
_GROW = 0.06  # how much larger or smaller it may be
_OF_TWO = 0.75  # the share of scenes that hold two things
_CLAUSE = re.compile(rf"\bthe ({'|'.join(SHAPES)}) is ({'|'.join(COLOURS)})\b")


def prompt(things: tuple[Thing, ...], relation: str = "left of") -> str:
    """What to ask for: "a red circle" or "a red circle left of a blue square"."""
    return f" {relation} ".join(phrase(thing, sized=False) for thing in things)


def random_prompt(chance: np.random.Generator, *, two: bool | None = None, trained: bool = True) -> tuple[str, Scene]:
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
    middles = [(MIDDLE, MIDDLE)] if len(named) == 1 else positions(relation)
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


def parse_prompt(words: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
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


def hint(colours: Mapping[str, str]) -> str:
    """The hint that says which colour each shape has, such as {"circle": "red"}, in that order."""
    return ", ".join(f"the {shape} is {colour}" for shape, colour in colours.items())


def normalised_hint(text: str) -> list[Word]:
    """The words of a hint as models learned to read them, with "the" before a shape and a comma between clauses.

    Other articles, "and", punctuation and capital letters count for nothing.
    """
    found: list[Word] = []
    for word in words(text):
        if word.text in SHAPES:
            signs = (",", "the") if found else ("the",)
            found += [Word(sign, word.start, word.start) for sign in signs]
        if word.text not in (*ARTICLES, "and"):
            found.append(word)
    return found


def parse_hint(text: str) -> dict[str, str]:
    """The colour that a hint gives each shape; of two for one shape the first."""
    found: dict[str, str] = {}
    for shape, colour in _CLAUSE.findall(" ".join(word.text for word in normalised_hint(text))):
        found.setdefault(shape, colour)
    return found


def things_of_unique_shape(scene: Scene) -> list[Thing]:
    """The things of which a hint can speak: those whose shape occurs once."""
    shapes = [thing.shape for thing in scene.things]
    return [thing for thing in scene.things if shapes.count(thing.shape) == 1]


def hinted_caption(scene: Scene, colours: Mapping[str, str], *, grey: bool) -> str:
    """The caption of a scene of one to three things with a hint (`parse_hint`), in colour or in shades of grey."""
    named = things_of_unique_shape(scene)
    return joined(scene, [_phrase(thing, colours if thing in named else {}, grey) for thing in ordered(scene)])


def _phrase(thing: Thing, colours: Mapping[str, str], grey: bool) -> str:
    colour = colours.get(thing.shape)
    if colour is None and grey:
        return f"a {thing.size} {thing.shape}"
    return phrase(Thing(colour or thing.colour, thing.shape, thing.x, thing.y, thing.radius))
