"""From a sentence to the scene that it describes: "a red circle left of a small blue square"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xattn_viz.scenes.relation import MIDDLE, RELATIONS, places
from xattn_viz.scenes.scene import COLOURS, SHAPES, Scene, Thing

#: The radius that each size is drawn with: the middle of those that the models are trained on.
RADII = {"small": 0.09, "large": 0.17}

# Three things are listed from left to right; the middle one lies lower, so that three large ones don't touch.
_LISTED = ((0.2, 0.3), (0.5, 0.7), (0.8, 0.3))
_ARTICLES = ("a", "an", "the")
_FILLERS = (*_ARTICLES, "and", "to", "of", "left", "right", "above", "below")
_JOINT = re.compile(r"\b(above|below|left of|right of)\b|,? and\b|,")
_HOW = (
    "Say “a red circle left of a small blue square”, or list up to three: “a red star, a blue ring and a pink cross”."
)


def read(sentence: str) -> Scene:
    """The scene that a sentence describes: one thing, two and how they lie, or up to three from left to right.

    A thing is a colour and a shape, large unless it is called small. Two lie as the relation between them says (above,
    below, left of, right of). Raises ValueError in one sentence for words that it does not know, naming those that it
    knows, for a thing without colour or shape, and for more than three things.
    """
    words = re.findall(r"\w+", sentence.lower())
    known = (*RADII, *COLOURS, *SHAPES, *_FILLERS)
    if unknown := list(dict.fromkeys(word for word in words if word not in known)):
        listed = ", ".join((*RADII, *COLOURS, *SHAPES, *RELATIONS))
        raise ValueError(f"There is no {_quoted(unknown)} in a scene: it knows {listed}.")
    plain = re.sub(r"\bto the (?=left|right)", "", re.sub(r"[^\w,]+", " ", sentence.lower())).strip()
    named = [part.strip() for part in _JOINT.sub("|", plain).split("|")]
    relations = [match[1] for match in _JOINT.finditer(plain) if match[1]]
    if len(named) > 3:
        raise ValueError(f"This names {len(named)} things, and a scene holds at most three.")
    if relations and (len(named) != 2 or len(relations) != 1):
        raise ValueError(f"A relation stands between two things and no more. {_HOW}")
    things = [_named(part) for part in named]
    middles = _places(len(things), relations)
    return Scene(tuple(Thing(c, s, x, y, r) for (c, s, r), (x, y) in zip(things, middles, strict=True)))


def _named(phrase: str) -> tuple[str, str, float]:
    """The colour, the shape and the radius that a phrase names."""
    words = [word for word in phrase.split() if word not in _ARTICLES]
    size = words.pop(0) if words and words[0] in RADII else "large"
    if len(words) != 2 or words[0] not in COLOURS or words[1] not in SHAPES:
        said = f"“{phrase}” is no thing" if phrase else "Something is missing"
        raise ValueError(f"{said}: each is a colour and then a shape, such as “a red circle” or “a small blue ring”.")
    return words[0], words[1], RADII[size]


def _places(count: int, relations: Sequence[str]) -> tuple[tuple[float, float], ...]:
    if count == 1:
        return ((MIDDLE, MIDDLE),)
    return _LISTED if count == 3 else places(relations[0] if relations else "left of")


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
