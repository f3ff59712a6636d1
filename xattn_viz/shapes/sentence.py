"""Between sentences and scenes: what a scene is called, and which scene a sentence describes.

The caption of a scene is the one that the captioner was trained to write, with which word names which thing. What
people type about shapes is read word by word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Protocol, TypeVar

import regex

from xattn_viz.shapes.scene import COLOURS, MIDDLE, MOST_THINGS, RELATIONS, SHAPES, Scene, Thing, positions


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


#: More characters are refused before they are read: no prompt, hint or sentence about a scene needs as many.
MOST_CHARACTERS = 2_000
ARTICLES = ("a", "an", "the")
#: The radius that each size is drawn with: the middle of those that the models are trained on.
RADII = {"small": 0.09, "large": 0.17}

_MOST_LISTED = 10  # unknown words; what is more is counted
_LONGEST = 40  # characters of a word that are compared and shown
# A word begins with a letter or a digit; all other signs stand between words. No text matches in two ways, so reading
# takes as long as the text is, whatever it holds.
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*+(?:['’][\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*+)*+")
_INVISIBLE = regex.compile(r"\p{Cf}++")
# Three things are listed from left to right; the middle one lies lower, so that three large ones don't touch.
_LISTED = ((0.2, 0.3), (0.5, 0.7), (0.8, 0.3))
_SIDES = ("left", "right")
_VOCABULARY = (*RADII, *COLOURS, *SHAPES, *ARTICLES, "and", "to", "of", *_SIDES, "above", "below")
_HOW = (
    "Say “a red circle left of a small blue square”, or list up to three: “a red star, a blue ring and a pink cross”."
)


@dataclass(frozen=True)
class Word:
    """A word in small letters, and the characters [start, end) of what was typed that it stands for."""

    text: str
    start: int
    end: int


def words(typed: str) -> list[Word]:
    """The words of a text, without punctuation and other signs, where "to the left" is "left", and right likewise.

    Neither capital letters nor signs that cannot be seen make another word.
    """
    found = [Word(_small(match[0]), *match.span()) for match in _WORD.finditer(typed)]
    return [word for place, word in enumerate(found) if not _is_of_a_side(found, place)]


def _small(word: str) -> str:
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", word)).casefold()


def _is_of_a_side(found: list[Word], place: int) -> bool:
    """Whether a word is one of the first two of "to the left"."""
    three = [[word.text for word in found[start : start + 3]] for start in (place, max(place - 1, 0))]
    return any(few in (["to", "the", "left"], ["to", "the", "right"]) for few in three)


def too_long(typed: str, what: str) -> str:
    """Why a text is not read, in a sentence that begins with `what` it is; empty where it is short enough."""
    if len(typed) <= MOST_CHARACTERS:
        return ""
    return f"{what} has {len(typed):,} characters, and at most {MOST_CHARACTERS:,} are read: shorten it."


def unknown(read: Iterable[Word], known: Collection[str]) -> str:
    """The words that are not known, each with the nearest known one; empty where all are known."""
    found = [text for text in dict.fromkeys(word.text for word in read) if text not in known]
    listed = [f"“{text[:_LONGEST]}” (nearest: “{nearest(text, known)}”)" for text in found[:_MOST_LISTED]]
    return ", ".join([*listed, *([f"{len(found) - _MOST_LISTED:,} more"] if len(found) > _MOST_LISTED else [])])


def nearest(word: str, known: Collection[str]) -> str:
    """The known word that has most in common with a word; of several the first by the alphabet.

    A word of three letters or more is near to none that is shorter: "hexagon" has little to do with "an".
    """
    match = SequenceMatcher(None, autojunk=False)
    match.set_seq2(word[:_LONGEST])  # which is what the matcher keeps notes of

    def likeness(other: str) -> float:
        match.set_seq1(other)
        return match.ratio()

    least = min(len(word), 3)
    return max(sorted(one for one in known if len(one) >= least) or sorted(known), key=likeness)


def parse(sentence: str) -> Scene:
    """The scene that a sentence describes: one thing, two and how they lie, or up to three from left to right.

    A thing is a colour and a shape, large unless it is called small. Two lie as the relation between them says (above,
    below, left of, right of). Punctuation, articles and capital letters count for nothing. Raises ValueError for a
    sentence of more than `MOST_CHARACTERS`, for words that it does not know, each with the nearest that it knows, for
    all things without colour or shape, and for more than three things.
    """
    if fault := too_long(sentence, "The sentence"):
        raise ValueError(fault)
    said = words(sentence)
    if faults := unknown(said, _VOCABULARY):
        listed = ", ".join((*RADII, *COLOURS, *SHAPES, *RELATIONS))
        raise ValueError(f"There is no {faults} in a scene: it knows {listed}.")
    named, relations = _parts(said)
    if len(named) > MOST_THINGS:
        raise ValueError(f"This names {len(named)} things, and a scene holds at most three.")
    if relations and (len(named) != 2 or len(relations) != 1):
        raise ValueError(f"A relation stands between two things and no more. {_HOW}")
    if wrong := [part for part in named if _thing(part) is None]:
        listed = ", ".join(f"“{' '.join(word.text for word in part)}” is no thing" for part in wrong if part)
        raise ValueError(
            f"{listed or 'Something is missing'}: "
            "each is a colour and then a shape, such as “a red circle” or “a small blue ring”."
        )
    things = [thing for thing in map(_thing, named) if thing is not None]
    middles = _positions(len(things), relations)
    return Scene(tuple(Thing(c, s, x, y, r) for (c, s, r), (x, y) in zip(things, middles, strict=True)))


def _parts(said: Sequence[Word]) -> tuple[list[list[Word]], list[str]]:
    """The words of each thing, which ends with its shape, "and" or a relation, and the relations."""
    parts: list[list[Word]] = [[]]
    relations: list[str] = []
    has_ended = False  # the thing before, so that "and" or a relation behind it begins no other one
    for place, word in enumerate(said):
        behind = said[place + 1].text if place + 1 < len(said) else ""
        before = said[place - 1].text if place else ""
        relation = f"{word.text} of" if word.text in _SIDES and behind == "of" else word.text
        if word.text == "of" and before in _SIDES:
            continue
        if word.text == "and" or relation in RELATIONS:
            relations += [relation] if relation in RELATIONS else []
            if not has_ended:
                parts.append([])
            has_ended = False
            continue
        has_ended = False
        parts[-1].append(word)
        if word.text in SHAPES:
            parts.append([])
            has_ended = True
    return (parts[:-1] if has_ended else parts), relations


def _thing(said: Sequence[Word]) -> tuple[str, str, float] | None:
    """The colour, the shape and the radius that words name; None where they name no thing."""
    named = [word.text for word in said if word.text not in ARTICLES]
    size = named.pop(0) if named and named[0] in RADII else "large"
    if len(named) != 2 or named[0] not in COLOURS or named[1] not in SHAPES:
        return None
    return named[0], named[1], RADII[size]


def _positions(count: int, relations: Sequence[str]) -> tuple[tuple[float, float], ...]:
    if count == 1:
        return ((MIDDLE, MIDDLE),)
    return _LISTED if count == 3 else positions(relations[0] if relations else "left of")
