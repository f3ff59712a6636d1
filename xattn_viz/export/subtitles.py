"""Words in time as files that players and phoneticians read: SRT, WebVTT, JSON, and Praat's TextGrid.

Sources: SRT as players read it (SubRip), W3C WebVTT, and Praat's manual, "TextGrid file formats" (the long text).

The text of a recogniser is data. Every word stands once in every file, in order and inside the sound, whatever its
times are; what would be markup is escaped where a format has a way to, and elsewhere written by another character.
"""

from __future__ import annotations

import html
import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from xattn_viz.analysis.timing import SHORTEST, TimedWord, in_order

#: A cue holds no more characters, and is shown at least and at most so long (seconds); a pause this long ends one.
MAX_CHARACTERS, MIN_SECONDS, MAX_SECONDS, PAUSE = 80, 0.7, 6.0, 0.8
_FRAME, _LEAST, _MOST = (round(seconds * 1000) for seconds in (SHORTEST, MIN_SECONDS, MAX_SECONDS))
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # lone surrogates too: no file of UTF-8 can hold them
_SURROGATES = re.compile(r"[\ud800-\udfff]")
# SRT has no escapes, and players read <i>, {\an8} and \N as markup: the full-width forms of these are text to all.
_FULL_WIDTH = str.maketrans("<>{}\\", "＜＞｛｝＼")


@dataclass(frozen=True)
class Cue:
    """Words that are shown together, from `start` to `end` in whole milliseconds."""

    start: int
    end: int
    words: tuple[TimedWord, ...]

    @property
    def text(self) -> str:
        """The words as they are written: with a space where the output had one."""
        return "".join(_gap(before, word) + _line(word.text) for before, word in _behind(self.words))


def cues(words: Sequence[TimedWord], duration: float) -> list[Cue]:
    """The words of a sound of `duration` seconds in cues that can be read, in order and none over another.

    A cue is shown for `MIN_SECONDS` at least where the words leave so much time: into the pause behind or before it,
    or with the sentence beside it. It ends with a sentence or a pause, and what is too long for one is parted as evenly
    as the fewest cues allow. Raises ValueError as `in_order` does.
    """
    placed = _placed(words, duration)
    starts = [*(_milliseconds(word.start) for word in placed), int(duration * 1000)]
    ends = [_milliseconds(word.end) for word in placed]
    gaps = [len(_gap(before, word)) for before, word in _behind(placed)]
    lengths = [gap + len(_line(word.text)) for gap, word in zip(gaps, placed, strict=True)]
    breaks = list(accumulate((_breaks(before, word) for before, word in pairwise(placed)), initial=0))
    # The cheapest way to part the first words, by how many they are: what it costs, and its last cue.
    costs: list[tuple[int, ...]] = [(0, 0, 0, 0)]
    lasts = [(0, 0, 0)]  # start, end, first word
    for stop in range(1, len(placed) + 1):
        found: list[tuple[tuple[int, ...], tuple[int, int, int]]] = []
        length = 0
        for first in reversed(range(stop)):
            length += lengths[first]
            letters, spoken = length - gaps[first], ends[stop - 1] - starts[first]
            too_much = letters > MAX_CHARACTERS or spoken > _MOST
            if too_much and first < stop - 1 and spoken >= _FRAME:
                break
            end = min(max(ends[stop - 1], starts[first] + _LEAST), starts[stop], starts[first] + _MOST)
            start = max(min(starts[first], end - _LEAST), lasts[first][1])
            # First all must be readable, then sentences apart, then cues few, then even.
            added = (max(0, _LEAST - (end - start)), breaks[stop - 1] - breaks[first], 1, letters * letters)
            cost = tuple(map(operator.add, costs[first], added))
            found.append((cost, (start, end, first)))
        cost, last = min(found)
        costs.append(cost)
        lasts.append(last)
    parted, stop = list[Cue](), len(placed)
    while stop:
        start, end, first = lasts[stop]
        parted.append(Cue(start, end, tuple(placed[first:stop])))
        stop = first
    return parted[::-1]


def srt(words: Sequence[TimedWord], duration: float) -> str:
    """The words of a sound of `duration` seconds as SubRip subtitles.

    `<`, `>`, `{`, `}` and the backslash are written full-width, because players read markup from them.
    """
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text.translate(_FULL_WIDTH)}\n"
        for number, cue in enumerate(cues(words, duration), 1)
    ]
    return "\n".join(blocks)


def vtt(words: Sequence[TimedWord], duration: float) -> str:
    """The words of a sound of `duration` seconds as WebVTT, with the start of each word inside its cue."""
    blocks = []
    for cue in cues(words, duration):
        parts, shown = list[str](), cue.start
        for before, word in _behind(cue.words):
            # A time inside a cue must lie behind those before it, and before its end.
            if parts and shown < _milliseconds(word.start) < cue.end:
                shown = _milliseconds(word.start)
                parts.append(f"<{_clock(shown, '.')}>")
            parts.append(_gap(before, word) + html.escape(_line(word.text), quote=False))
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{''.join(parts)}\n")
    return "\n".join(["WEBVTT\n", *blocks])


def to_json(words: Sequence[TimedWord], duration: float) -> str:
    """The words of a sound of `duration` seconds as a JSON list of {"text", "start", "end", "confidence"}, in seconds.

    Texts are as they are, each character of them.
    """
    values = [
        {"text": word.text, "start": word.start, "end": word.end, "confidence": round(word.confidence, 4)}
        for word in _placed(words, duration)
    ]
    written = json.dumps(values, ensure_ascii=False, indent=1)
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def textgrid(words: Sequence[TimedWord], duration: float) -> str:
    """The words of a sound of `duration` seconds as one interval tier of a Praat TextGrid.

    Pauses are empty intervals, so that it has no gaps.
    """
    placed, intervals = _placed(words, duration), list[tuple[float, float, str]]()
    at, last = 0.0, int(duration * 1e6) / 1e6  # in whole microseconds, as all of its times are
    for word in placed:
        if word.start > at:
            intervals.append((at, word.start, ""))
        intervals.append((word.start, word.end, _line(word.text)))
        at = word.end
    if at < last:
        intervals.append((at, last, ""))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {last:.6f}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "words"',
        "        xmin = 0",
        f"        xmax = {last:.6f}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, end, text) in enumerate(intervals, 1):
        quoted = text.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start:.6f}",
            f"            xmax = {end:.6f}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


#: Each format by its name: from the words and the duration of the sound, in seconds, to the file's text.
FORMATS: dict[str, Callable[[Sequence[TimedWord], float], str]] = {
    "srt": srt,
    "vtt": vtt,
    "json": to_json,
    "textgrid": textgrid,
}


def _placed(words: Sequence[TimedWord], duration: float) -> list[TimedWord]:
    """The words with times that lie inside the sound and follow each other."""
    times = in_order([(word.start, word.end) for word in words], end=duration)
    return [replace(word, start=start, end=end) for word, (start, end) in zip(words, times, strict=True)]


def _breaks(before: TimedWord, word: TimedWord) -> bool:
    """Whether a sentence ends between two words, or somebody pauses."""
    return word.start - before.end >= PAUSE or before.text.rstrip("\"'”’)»").endswith(_SENTENCE_ENDS)


def _behind(words: Sequence[TimedWord]) -> Iterator[tuple[TimedWord | None, TimedWord]]:
    """Each word with the one before it."""
    return zip((None, *words), words, strict=False)


def _gap(before: TimedWord | None, word: TimedWord) -> str:
    """What is written between two words: nothing where the output had nothing (they may be of two windows)."""
    return "" if before is None or word.span[0] == before.span[1] else " "


def _line(text: str) -> str:
    """A word in one line: white space is a blank, and what no file of text can hold is the replacement character."""
    return _CONTROLS.sub("\ufffd", " ".join(text.split())) or "\ufffd"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(milliseconds: int, mark: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{thousandths:03}"
