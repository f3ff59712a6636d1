"""The words of what people type: cut out of signs and spaces, and the nearest known one to each that is unknown."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

import regex

#: More characters are refused before they are read: no prompt, hint or sentence about a scene needs as many.
MOST_CHARACTERS = 2_000
ARTICLES = ("a", "an", "the")

_MOST_LISTED = 10  # unknown words; what is more is counted
_LONGEST = 40  # characters of a word that are compared and shown
# A word begins with a letter or a digit; all other signs stand between words. No text matches in two ways, so reading
# takes as long as the text is, whatever it holds.
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*+(?:['’][\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*+)*+")
_INVISIBLE = regex.compile(r"\p{Cf}++")


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
