"""From what people type about shapes to words, and from a sentence to the scene that it describes."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import regex

from xattn_viz.shapes.scene import COLOURS, MIDDLE, MOST_THINGS, RELATIONS, SHAPES, Scene, Thing, positions

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
