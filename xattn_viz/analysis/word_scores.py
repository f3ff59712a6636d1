"""How far words in time are from true times: errors of starts and ends, and word F1 by overlap.

Found and true words are matched in the order of the text, the same words (case and punctuation aside) with each other,
so that as many match as can, and of equal ways the one whose words overlap most. Word F1 counts a matched word as right
where the overlap of the two over their union (IoU) is `LEAST_IOU` or more, as CrisperWhisper's segmentation is scored
(Wagner et al. 2024, CrisperWhisper: Accurate Timestamps on Verbatim Speech Transcriptions).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import regex
from numpy.typing import NDArray

from xattn_viz.core import files
from xattn_viz.core.records import quoted
from xattn_viz.inputs import InputError

#: A matched word is right whose overlap with the true one over their union is this much or more.
LEAST_IOU = 0.5
#: The distances, in seconds, within which shares of starts and ends are told.
WITHIN = (0.05, 0.1, 0.2)
_MOST_BYTES = 1 << 26
_MOST_CELLS = 16_000_000  # of found words by true ones
_UNHEARD = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_NEEDED = 'To read this file the library {0} is needed: pip install "xattn-viz[speech]".'


class Timed(Protocol):
    """A word and when it was said, in seconds; None where that is not known."""

    @property
    def text(self) -> str:
        """The word as it is written."""

    @property
    def start(self) -> float | None:
        """When it begins."""

    @property
    def end(self) -> float | None:
        """When it ends."""


@dataclass(frozen=True)
class TrueWord:
    """A word whose times somebody knows: its text, and when it begins and ends in seconds; None where unknown."""

    text: str
    start: float | None
    end: float | None


@dataclass(frozen=True)
class WordMatch:
    """A found and a true word that were matched; one of them is None where the other has no counterpart.

    `found_index` and `true_index` are their places among those given, from 0. Errors are in seconds, found less true:
    negative where the word was found too early; None where one of both times is not known. `iou` is the overlap over
    the union, from 0 to 1, None where a time is not known.
    """

    found: Timed | None
    true: Timed | None
    found_index: int | None
    true_index: int | None
    start_error: float | None = None
    end_error: float | None = None
    iou: float | None = None

    @property
    def worst_error(self) -> float:
        """The larger distance of start and end, in seconds; infinite for a word without counterpart."""
        if self.found is None or self.true is None:
            return float("inf")
        return max((abs(error) for error in (self.start_error, self.end_error) if error is not None), default=0.0)


@dataclass(frozen=True)
class EdgeErrors:
    """The distances of the starts, or of the ends, from the true ones, of `count` matched words.

    `mean`, `median` and `largest` are in seconds, `within` the shares, 0 to 1, that are as near as each of `WITHIN`;
    all NaN where nothing was matched.
    """

    count: int
    mean: float
    median: float
    largest: float
    within: tuple[float, ...]

    @classmethod
    def of(cls, errors: Sequence[float]) -> EdgeErrors:
        """Those of errors in seconds, of either sign."""
        if not errors:
            unknown = float("nan")
            return cls(0, unknown, unknown, unknown, (unknown,) * len(WITHIN))
        distances = np.abs(np.array(errors, np.float64))
        # Times are kept to the microsecond: one that is as far as a limit is within it.
        within = tuple(float((distances <= limit + 1e-9).mean()) for limit in WITHIN)
        return cls(len(errors), float(distances.mean()), float(np.median(distances)), float(distances.max()), within)


@dataclass(frozen=True)
class WordScores:
    """How far found words are from true ones.

    `matches` are in the order of the text, those without counterpart among them. `precision` and `recall` are the
    shares of the found and of the true words that are right by `LEAST_IOU`, `f1` their harmonic mean, `iou` the mean
    over the matched words; all from 0 to 1, NaN where nothing can be counted. Words whose true times are not both known
    are left out of these four.
    """

    matches: tuple[WordMatch, ...]
    starts: EdgeErrors
    ends: EdgeErrors
    precision: float
    recall: float
    f1: float
    iou: float

    @property
    def worst(self) -> tuple[WordMatch, ...]:
        """The matches, those first that are off most; words without counterpart before all."""
        return tuple(sorted(self.matches, key=lambda match: -match.worst_error))

    def count_wrong(self, seconds: float = 0.5) -> int:
        """How many starts and ends of matched words are off by more than this."""
        errors = [error for match in self.matches for error in (match.start_error, match.end_error)]
        return sum(error is not None and abs(error) > seconds for error in errors)


def score_times(found: Sequence[Timed], truth: Sequence[Timed] | str | Path) -> WordScores:
    """How far words are from true ones, which a file may hold as `read_words` reads it.

    `found` may be what `timed_words` gave, or anything else with `text`, `start` and `end` in seconds. Raises
    InputError as `read_words` does, and where there is no true word or more than 16 million pairs of words.
    """
    true: Sequence[Timed] = read_words(truth) if isinstance(truth, str | Path) else truth
    if not true:
        raise InputError("There is no true word to score by.")
    return _scores_of(_matches(found, true))


def pool_scores(scores: Sequence[WordScores]) -> WordScores:
    """The scores of several recordings as of one: every word counts alike. Raises InputError where there are none."""
    if not scores:
        raise InputError("There is nothing to pool: give scores of one recording at least.")
    # Each match stays as it is; times of different recordings never meet.
    matches = tuple(match for one in scores for match in one.matches)
    return _scores_of(matches)


def read_words(file: str | Path | BinaryIO, tier: str | None = None) -> tuple[TrueWord, ...]:
    """The words with their times in a file: Praat's TextGrid, SRT, WebVTT or ASS subtitles, or JSON.

    Of a TextGrid the intervals of `tier` are words; without one, of the tier that is called "words" or "word", or of
    the only one. Subtitles that show several words at once tell the start of the first and the end of the last. JSON is
    a list of objects with "text" (or "word"), "start" and "end" in seconds, or an object that holds one as "words", or
    "segments" with "words" each, as Whisper's programs write it.

    Raises InputError for a file that holds none of it, and where a tier has to be named.
    """
    name = Path(file if isinstance(file, str | Path) else str(getattr(file, "name", "the file"))).name
    text = _text(file, name)
    head = text.lstrip()[:2000]
    if "ooTextFile" in head:
        found = _from_textgrid(text, name, tier)
    elif head.startswith(("[", "{")) and not head.startswith("[Script Info]"):
        found = _from_json(text, name)
    elif "-->" in text or head.startswith(("WEBVTT", "[Script Info]")):
        found = _from_subtitles(text, name)
    else:
        raise InputError(f"{quoted(name)} holds no words with times: give a TextGrid, SRT, WebVTT, ASS or JSON.")
    if not found:
        raise InputError(f"{quoted(name)} holds no words.")
    for word in found:
        if word.start is not None and word.end is not None and not 0 <= word.start <= word.end:
            raise InputError(f"{quoted(name)}: {quoted(word.text)} lasts from {word.start} to {word.end} s.")
    return tuple(found)


def _matches(found: Sequence[Timed], true: Sequence[Timed]) -> tuple[WordMatch, ...]:
    """Both in one order: the most pairs of the same word, of those the ones that overlap most."""
    rows, columns = len(found), len(true)
    if rows * columns > _MOST_CELLS:
        raise InputError(f"{rows:,} found words by {columns:,} true ones are too many at once: give them in parts.")
    same = _same_words([word.text for word in found], [word.text for word in true])
    # Overlap decides only between ways with as many pairs: all of it together is less than one pair.
    gains = np.where(same, 1 + _nearness(found, true) / (1 + min(rows, columns)), -np.inf)
    best = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        reached = np.maximum(best[i, 1:], best[i, :-1] + gains[i])
        best[i + 1, 1:] = np.maximum.accumulate(reached)
    pairs, i, j = list[tuple[int | None, int | None]](), rows, columns
    while i or j:
        if i and j and same[i - 1, j - 1] and best[i, j] == best[i - 1, j - 1] + gains[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif j and (not i or best[i, j] == best[i, j - 1]):
            j -= 1
            pairs.append((None, j))
        else:
            i -= 1
            pairs.append((i, None))
    return tuple(_match(found, true, *pair) for pair in reversed(pairs))


def _match(found: Sequence[Timed], true: Sequence[Timed], i: int | None, j: int | None) -> WordMatch:
    one, other = None if i is None else found[i], None if j is None else true[j]
    if one is None or other is None:
        return WordMatch(one, other, i, j)
    start = None if one.start is None or other.start is None else one.start - other.start
    end = None if one.end is None or other.end is None else one.end - other.end
    return WordMatch(one, other, i, j, start, end, _iou(one, other))


def _scores_of(matches: tuple[WordMatch, ...]) -> WordScores:
    starts = [match.start_error for match in matches if match.start_error is not None]
    ends = [match.end_error for match in matches if match.end_error is not None]
    known = [match for match in matches if match.true is None or None not in (match.true.start, match.true.end)]
    right = sum(match.iou is not None and match.iou >= LEAST_IOU - 1e-9 for match in known)
    precision, recall = (
        _share(right, sum(getattr(match, side) is not None for match in known)) for side in ("found", "true")
    )
    overlaps = [match.iou for match in known if match.iou is not None]
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else precision + recall
    iou = float(np.mean(overlaps)) if overlaps else float("nan")
    return WordScores(matches, EdgeErrors.of(starts), EdgeErrors.of(ends), precision, recall, f1, iou)


def _share(count: int, of: int) -> float:
    return count / of if of else float("nan")


def _iou(one: Timed, other: Timed) -> float | None:
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return None
    union = max(one.end, other.end) - min(one.start, other.start)
    overlap = min(one.end, other.end) - max(one.start, other.start)
    return max(0.0, overlap / union) if union > 0 else 1.0


def _same_words(found: Sequence[str], true: Sequence[str]) -> NDArray[np.bool_]:
    """Which words are the same, case and punctuation aside, `[found, true]`."""
    numbers: dict[str, int] = {}
    one, other = (
        np.array([numbers.setdefault(_plain(text), len(numbers)) for text in side], np.int64) for side in (found, true)
    )
    same: NDArray[np.bool_] = one[:, None] == other
    return same


def _plain(text: str) -> str:
    return _UNHEARD.sub("", text.casefold()) or text


def _nearness(found: Sequence[Timed], true: Sequence[Timed]) -> NDArray[np.float64]:
    """How near in time words are, `[found, true]` from 0 to 1: half of it is their overlap, which may be none."""
    (start, end), (true_start, true_end) = _times(found), _times(true)
    overlap = np.minimum(end[:, None], true_end) - np.maximum(start[:, None], true_start)
    union = np.maximum(end[:, None], true_end) - np.minimum(start[:, None], true_start)
    shared = np.divide(np.maximum(overlap, 0), union, out=np.zeros_like(union), where=union > 0)
    apart = np.abs((start + end)[:, None] - (true_start + true_end)) / 2
    near: NDArray[np.float64] = np.nan_to_num(shared / 2 + 0.5 / (1 + apart))
    return near


def _times(words: Sequence[Timed]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and ends, each standing in for the other where that is not known, NaN where both are not."""
    starts, ends = ([getattr(word, edge) for word in words] for edge in ("start", "end"))
    known = [(e if s is None else s, s if e is None else e) for s, e in zip(starts, ends, strict=True)]
    times = np.array([[np.nan if time is None else time for time in each] for each in known], np.float64).reshape(-1, 2)
    return times[:, 0], times[:, 1]


def _text(file: str | Path | BinaryIO, name: str) -> str:
    if isinstance(file, str | Path):
        files.check(file)
        try:
            with Path(file).open("rb") as opened:
                data = opened.read(_MOST_BYTES + 1)
        except OSError as error:
            raise InputError(f"{quoted(file)} cannot be read: {error.strerror or error}.") from error
    else:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InputError(f"{quoted(name)} has more than {_MOST_BYTES >> 20} MB: give it in parts.")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # Praat writes either
    try:
        return io.StringIO(data.decode(encoding), newline=None).read()
    except UnicodeDecodeError as error:
        raise InputError(f"{quoted(name)} is no text in UTF-8 or UTF-16: save it as UTF-8.") from error


def _from_textgrid(text: str, name: str, tier: str | None) -> list[TrueWord]:
    _check_library("praatio")
    from praatio.utilities import textgrid_io

    try:
        tiers = textgrid_io.parseTextgridStr(text)["tiers"]
        intervals = {str(one["name"]): one["entries"] for one in tiers if one["class"] == "IntervalTier"}
    except Exception as error:  # of its many kinds none is documented
        raise InputError(f"{quoted(name)} is a TextGrid that cannot be read: save it again in Praat.") from error
    chosen = tier if tier is not None else _tier_of_words(intervals)
    if chosen is None or chosen not in intervals:
        there = ", ".join(map(quoted, intervals)) or "none"
        raise InputError(f"{quoted(name)}: say which tier holds the words; it has {there}.")
    return [TrueWord(str(label), float(start), float(end)) for start, end, label in intervals[chosen] if label.strip()]


def _tier_of_words(tiers: Mapping[str, Any]) -> str | None:
    named = [name for name in tiers if name.strip().casefold() in ("words", "word")]
    return named[0] if named else next(iter(tiers)) if len(tiers) == 1 else None


def _from_subtitles(text: str, name: str) -> list[TrueWord]:
    _check_library("pysubs2")
    import pysubs2

    try:
        shown = pysubs2.SSAFile.from_string(text)
    except Exception as error:  # as above
        raise InputError(f"{quoted(name)} holds subtitles that cannot be read.") from error
    words: list[TrueWord] = []
    for event in shown:
        said = event.plaintext.split()
        for place, word in enumerate(said):
            start = event.start / 1000 if place == 0 else None
            words.append(TrueWord(word, start, event.end / 1000 if place == len(said) - 1 else None))
    return words


def _from_json(text: str, name: str) -> list[TrueWord]:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{quoted(name)} is no JSON: {error}.") from error
    if isinstance(held, dict) and "words" not in held:
        segments = held.get("segments")
        parts = [one for one in segments if isinstance(one, dict)] if isinstance(segments, list) else []
        held = {"words": [word for part in parts for word in _listed(part.get("words"))]}
    words: list[TrueWord] = []
    for number, one in enumerate(_listed(held["words"] if isinstance(held, dict) else held), 1):
        said = one.get("text", one.get("word")) if isinstance(one, dict) else None
        times = [one.get(edge) for edge in ("start", "end")] if isinstance(one, dict) else []
        if not isinstance(said, str) or any(not isinstance(time, int | float | None) for time in times):
            raise InputError(f'{quoted(name)}: its word {number} has no "text" with a "start" and an "end" in seconds.')
        # A number may be as long as somebody likes; no sound lasts so long.
        start, end = (None if time is None else float(min(max(time, -1), 1e9)) for time in times)
        words.append(TrueWord(said.strip(), start, end))
    return words


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_library(library: str) -> None:
    if find_spec(library) is None:
        raise InputError(_NEEDED.format(library))
