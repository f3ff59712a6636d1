"""Words in time: when each word was spoken, read off the cross-attention of a speech recogniser.

Two methods, both by dynamic time warping through how much the heads point at a frame in each row:

- "zscores": z-scores over the rows, of the heads that the checkpoint names; a word lasts until the next one begins. So
  does `openai/whisper` (`timing.py`), which has two rules besides that are left out here (docs/speech.md).
- "shares": each frame's weights as shares of the rows, of all heads but those of the lowest quarter of layers; pauses
  in and around a word do not belong to it. Chosen on one set of sentences with known times and better on another
  (docs/speech.md).

The times are readings of attention, not measurements of sound; that page says how far they are off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import regex
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from xattn_viz.analysis.pauses import PAUSE, between_pauses, loud_frames, sound_end
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import summary
from xattn_viz.core.tokens import Span, word_spans
from xattn_viz.core.trace import Trace

#: A (layer, head), both from 0.
Head = tuple[int, int]
Method = Literal["shares", "zscores"]
#: The shortest that a word is, in seconds: a frame of Whisper's.
SHORTEST = 0.02
#: Frames that the median is taken over: 0.14 s of Whisper's 0.02 s.
MEDIAN_FRAMES = 7
# Written without spaces, so that words are found by Unicode's rules.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}]")
_SPEAKABLE = regex.compile(r"[\p{L}\p{N}]")


@dataclass(frozen=True)
class TimedWord:
    """A word with the punctuation at it, its `start` and `end` in seconds of the whole, and where it was read.

    `span` is the characters in the output, `rows` the first and last row of the cross map; `confidence` is the
    geometric mean of its tokens' probabilities, from 0 to 1.
    """

    text: str
    start: float
    end: float
    confidence: float
    span: Span
    rows: tuple[int, int]


@dataclass(frozen=True, eq=False)
class WarpingPath:
    """The way of the alignment: `rows` and `frames` `[step]`, both never falling, positions in the cross map.

    `scores` `[row, frame]` is what it was found in, from the row `first_row` of the map on: the higher, the more the
    heads point there.
    """

    rows: NDArray[np.int64]
    frames: NDArray[np.int64]
    scores: NDArray[np.float32]
    first_row: int

    __repr__ = summary

    def starts(self, count: int) -> NDArray[np.int64]:
        """The frame at which each of `count` rows begins, and behind them the end, `[row + 1]`.

        Rows outside the text begin at its edges.
        """
        firsts = np.flatnonzero(np.diff(self.rows, prepend=-1))
        starts = np.full(count + 1, self.frames[-1] + 1)
        starts[: self.first_row] = self.frames[0]
        starts[self.rows[firsts]] = self.frames[firsts]
        return starts


def timed_words(
    trace: Trace, heads: Sequence[Head] | None = None, *, method: Method = "shares", path: WarpingPath | None = None
) -> tuple[TimedWord, ...]:
    """The words of a trace in time, read off `heads`, each (layer, head); None for the method's own.

    `path` is what `warping_path` found with the same, where that was worked out before. There are no words where
    nothing was written, or all of the sound is padding. The words follow each other inside the sound, each a frame long
    at least where there are as many frames as words.

    Raises ValueError where the trace has no cross map over sound, or a head is not there.
    """
    maps = trace.cross
    _check(maps)
    text = _text_rows(maps)
    if not len(text) or maps.keys.is_special.all():
        return ()
    path = path or warping_path(maps, heads, method=method)
    starts, times, spans = path.starts(len(maps.queries)), maps.keys.times or (), maps.queries.spans or ()
    own = np.flatnonzero(~maps.keys.is_special)
    found = [
        (span, rows)
        for span in spoken_spans(trace.output)
        if (rows := [int(row) for row in text if spans[row][0] < span[1] and spans[row][1] > span[0]])
    ]
    stretches = [(int(starts[rows[0]]), int(starts[rows[-1] + 1])) for _, rows in found]
    frame = times[0][1] - times[0][0]
    if method == "shares":
        scores = np.zeros((len(found), len(times)))
        for row, (_, rows) in zip(scores, found, strict=True):
            row[own] = path.scores[np.array(rows) - path.first_row].sum(axis=0)
        stretches = between_pauses(stretches, scores, loud_frames(trace), round(PAUSE / frame))
    begin, end = times[own[0]][0], sound_end(trace)
    edges = [start for start, _ in times] + [times[-1][1]]
    placed = in_order([(edges[a], edges[b]) for a, b in stretches], begin=begin, end=end, shortest=frame)
    return tuple(
        TimedWord(trace.output[span[0] : span[1]], *seconds, _confidence(trace, rows), span, (rows[0], rows[-1]))
        for (span, rows), seconds in zip(found, placed, strict=True)
    )


def _confidence(trace: Trace, rows: Sequence[int]) -> float:
    """The geometric mean of the probabilities of a word's tokens; 1 where a trace has none."""
    return float(np.exp(np.mean([trace.steps[row].log_prob for row in rows]))) if trace.steps else 1.0


def in_order(
    times: Sequence[tuple[float, float]], *, end: float, begin: float = 0.0, shortest: float = SHORTEST
) -> list[tuple[float, float]]:
    """Stretches (start, end) as they can follow each other: inside `begin` to `end`, none over another, none empty.

    Each lasts `shortest` at least, or its even share of the whole where there is no room for that. One that reaches
    into the next ends where that begins. All are in seconds, to the microsecond.

    Raises ValueError where `end` does not lie behind `begin`, or a time is NaN.
    """
    if not begin < end < math.inf:
        raise ValueError(f"A sound that lasts from {begin} to {end} s has no room for words.")
    if any(math.isnan(time) for stretch in times for time in stretch):
        raise ValueError("A word begins or ends at NaN.")
    whole = int((end - begin) * 1e6)  # whole numbers, so that no sum is off by a rounding
    wanted = [[round((min(max(time, begin), end) - begin) * 1e6) for time in stretch] for stretch in times]
    least = min(round(shortest * 1e6), whole // max(1, len(times)))
    placed, at = list[tuple[float, float]](), 0
    for i, (start, stop) in enumerate(wanted):
        latest = whole - (len(wanted) - i) * least  # those behind need room too
        following = wanted[i + 1][0] if i + 1 < len(wanted) else whole
        start = min(max(start, at), latest)
        at = min(max(min(stop, following), start + least), latest + least)
        placed.append((begin + start / 1e6, min(begin + at / 1e6, end)))
    return placed


def warping_path(maps: AttentionMaps, heads: Sequence[Head] | None = None, *, method: Method = "shares") -> WarpingPath:
    """The way through a cross map over sound, from the first token of the text to the end token behind it.

    Frames of padding take no part. Raises ValueError as `timed_words` does, and where there is no text.
    """
    _check(maps)
    text, own = _text_rows(maps), np.flatnonzero(~maps.keys.is_special)
    if not len(text) or not len(own):
        raise ValueError("This map holds no text or no sound to align.")
    weights = _weights_of(maps, heads, method)[:, :, own].astype(np.float32)
    scores = saliency(weights, method)[text[0] : text[-1] + 2]  # the row behind the text predicts its end
    rows, frames = dtw(-scores)
    return WarpingPath(rows + text[0], own[frames], scores, int(text[0]))


def saliency(weights: NDArray[np.float32], method: Method) -> NDArray[np.float32]:
    """How much heads point at a frame in each row, `[head, row, frame]` to `[row, frame]`.

    Rows are brought to a sum of 1, compared over the rows, smoothed by a median over the frames, averaged over heads.
    """
    weights = _divided(weights, weights.sum(axis=-1, keepdims=True))
    if method == "zscores":
        compared = _divided(weights - weights.mean(axis=1, keepdims=True), weights.std(axis=1, keepdims=True))
    else:
        compared = _divided(weights, weights.sum(axis=1, keepdims=True))
    mean: NDArray[np.float32] = _median(compared, MEDIAN_FRAMES).mean(axis=0)
    return mean


def spoken_spans(text: str) -> list[Span]:
    """The words of a text with the punctuation at them, as (start, end) in characters.

    White space parts them, and Unicode's word boundaries in scripts that write none.
    """
    spans: list[Span] = []
    for chunk in regex.finditer(r"\S+", text):
        parts = word_spans(chunk.group()) if _UNSPACED.search(chunk.group()) else [(0, len(chunk.group()))]
        for start, end in parts:
            start, end = start + chunk.start(), end + chunk.start()
            before = spans[-1] if spans and spans[-1][1] == start else None
            # A mark belongs to the word before it, an opening one to the word behind.
            if before and not (_SPEAKABLE.search(text, start, end) and _SPEAKABLE.search(text, *before)):
                spans[-1] = (before[0], end)
            else:
                spans.append((start, end))
    return spans


def _check(maps: AttentionMaps) -> None:
    if maps.kind != "cross" or maps.keys.kind != "audio" or not maps.keys.times:
        raise ValueError("Words have times only in a cross map whose keys are frames of sound.")


def _text_rows(maps: AttentionMaps) -> NDArray[np.int64]:
    """The rows from the first token of the text to the last; special tokens before and behind are none."""
    own = np.flatnonzero(~maps.queries.is_special)
    return np.arange(own[0], own[-1] + 1) if len(own) else own


def _weights_of(maps: AttentionMaps, heads: Sequence[Head] | None, method: Method) -> NDArray[np.float32]:
    """The weights of the heads, `[head, query, key]`."""
    if heads is None:
        lowest = len(maps.layers) // 4 if method == "shares" else 0
        return maps.weights[lowest:].reshape(-1, *maps.weights.shape[2:])
    if not len(heads):
        raise ValueError("Choose at least one head to read times off.")
    return np.stack([maps.head(layer, head) for layer, head in heads])


def _divided(values: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values / by`, and 0 where `by` is 0: a head that is switched off."""
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0)


def _median(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The running median over the frames, mirrored at both ends, `[head, row, frame]`."""
    half = width // 2
    if scores.shape[-1] <= half:
        return scores
    padded = np.pad(scores, ((0, 0), (0, 0), (half, half)), mode="reflect")
    # Of an odd count the middle one; `np.median` would find it and average it with nothing, in twice the time.
    middle: NDArray[np.float32] = np.partition(sliding_window_view(padded, width, axis=-1), half, axis=-1)[..., half]
    return middle


def dtw(cost: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cheapest way from the first to the last cell of `[row, frame]`, by steps down, right or both at once.

    Returns the rows and the frames of its cells. Cells on one anti-diagonal do not depend on each other and are worked
    out together. Where ways cost the same, right comes first, as in OpenAI's implementation.
    """
    n, m = cost.shape
    # Column d of `total` is the anti-diagonal row + frame = d, indexed by row + 1; a border of infinity stands outside.
    total = np.full((n + 1, n + m + 1), np.inf)
    total[0, 0] = 0.0
    came = np.zeros((n, n + m - 1), np.int8)
    for d in range(n + m - 1):
        rows = np.arange(max(0, d - m + 1), min(d, n - 1) + 1)
        both, down, right = total[rows, d], total[rows, d + 1], total[rows + 1, d + 1]
        diagonal = (both < down) & (both < right)
        below = (down < both) & (down < right)
        came[rows, d] = np.where(diagonal, 0, np.where(below, 1, 2))
        total[rows + 1, d + 2] = cost[rows, d - rows] + np.where(diagonal, both, np.where(below, down, right))
    return _walk_back(came, n, m)


def _walk_back(came: NDArray[np.int8], n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row, frame = n - 1, m - 1
    cells = [(row, frame)]
    while row or frame:
        step = 2 if row == 0 else 1 if frame == 0 else came[row, row + frame]
        row, frame = row - (step != 2), frame - (step != 1)
        cells.append((row, frame))
    rows, frames = np.array(cells[::-1]).T
    return rows, frames
