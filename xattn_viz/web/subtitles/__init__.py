"""Cues as what the script of the subtitles reads: their lines, each word with its number, its text and its times.

Texts stay data: the script writes them as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol


class Word(Protocol):
    """A word in time, in seconds."""

    @property
    def text(self) -> str:
        """What is written."""

    @property
    def start(self) -> float:
        """When it begins."""

    @property
    def end(self) -> float:
        """When it ends."""


class Cue(Protocol):
    """Words that are shown together, from `start` to `end` in milliseconds."""

    @property
    def start(self) -> int:
        """From when."""

    @property
    def end(self) -> int:
        """Until when."""

    @property
    def lines(self) -> Sequence[Sequence[Word]]:
        """The words of each line."""


def pack(
    parted: Iterable[Cue],
    numbers: Sequence[int],
    *,
    gaps: Sequence[str],
    player: str,
    edited: Iterable[int] = (),
    speed: float | None = None,
    can_undo: bool = False,
) -> dict[str, Any]:
    """What the script shows. `numbers` and `gaps` are of the words of all cues, in order.

    A word is told by its number when its text is changed; what is written before it in its line is its gap. `player` is
    the class of what holds the page's player of the sound, empty where there is none; `edited` are the numbers of words
    that the visitor wrote, `speed` the characters a second above which a cue is marked.
    """
    own, marked = iter(zip(numbers, gaps, strict=True)), frozenset(edited)
    cues = [
        {
            "start": cue.start / 1000,
            "end": cue.end / 1000,
            "lines": [[_word(word, *next(own), marked) for word in line] for line in cue.lines],
        }
        for cue in parted
    ]
    return {"cues": cues, "player": player, "speed": speed, "can_undo": can_undo}


def _word(word: Word, number: int, gap: str, edited: frozenset[int]) -> dict[str, Any]:
    return {
        "number": number,
        "gap": gap,
        "text": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "edited": number in edited,
    }
