"""Hints about a scene, and its caption for who reads both: the hint gives colours, the picture everything else.

A hint says which colour a shape has: "the circle is red, the square is blue". What it says wins over what can be seen,
and what it says about a shape that is not there counts for nothing. A colour that is neither said nor seen, because the
picture is in shades of grey, is left out of the caption: "a small circle above a large square".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.shapes.caption import joined, ordered, phrase
from xattn_viz.shapes.scene import COLOURS, SHAPES, Scene, Thing
from xattn_viz.shapes.wording import ARTICLES, Word, words

#: Every word and sign of a hint.
WORDS = ("the", "is", *COLOURS, *SHAPES, ",")
_CLAUSE = re.compile(rf"\bthe ({'|'.join(SHAPES)}) is ({'|'.join(COLOURS)})\b")


def hint(colours: Mapping[str, str]) -> str:
    """The hint that says which colour each shape has, such as {"circle": "red"}, in that order."""
    return ", ".join(f"the {shape} is {colour}" for shape, colour in colours.items())


def as_learned(text: str) -> list[Word]:
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


def said(text: str) -> dict[str, str]:
    """The colour that a hint gives each shape; of two for one shape the first."""
    found: dict[str, str] = {}
    for shape, colour in _CLAUSE.findall(" ".join(word.text for word in as_learned(text))):
        found.setdefault(shape, colour)
    return found


def plain(scene: Scene) -> list[Thing]:
    """The things of which a hint can speak: those whose shape occurs once."""
    shapes = [thing.shape for thing in scene.things]
    return [thing for thing in scene.things if shapes.count(thing.shape) == 1]


def hinted_caption(scene: Scene, colours: Mapping[str, str], *, grey: bool) -> str:
    """The caption of a scene of one to three things with a hint (`said`), in colour or in shades of grey."""
    named = plain(scene)
    return joined(scene, [_phrase(thing, colours if thing in named else {}, grey) for thing in ordered(scene)])


def in_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture `[row, column, 3]` in shades of grey, as bright as it was (ITU-R 601-2 luma)."""
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))


def _phrase(thing: Thing, colours: Mapping[str, str], grey: bool) -> str:
    colour = colours.get(thing.shape)
    if colour is None and grey:
        return f"a {thing.size} {thing.shape}"
    return phrase(Thing(colour or thing.colour, thing.shape, thing.x, thing.y, thing.radius))
