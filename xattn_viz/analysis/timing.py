"""Words in time: when each word was spoken, read off the cross-attention of a speech recogniser.

Two methods:

- "zscores": dynamic time warping through z-scores over the rows, of the heads that the checkpoint names; a word lasts
  until the next one begins. So does `openai/whisper` (`timing.py`), which has two rules besides that are left out here
  (docs/speech.md).
- "shares": each frame's weights as shares of the rows, of the heads that follow this very sound best, and beside them
  the sound itself: how loud it is, where it changes, how long a word may last (`word_places`). Chosen on one set of
  clips with known times and better on another (docs/speech.md).

That page says how far the times are off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import regex
from numpy.typing import NDArray

from xattn_viz.analysis.word_places import STEP, FineSound, Places, fine_scores, fine_sound, following, place_words
from xattn_viz.core.loops import repeated_rows
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import Displayed, summary
from xattn_viz.core.tokens import Span, word_spans
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import MEL_RATE, RATE

#: Louder than this share of the way from the quietest to the loudest (2nd and 95th percentile) is no pause.
THRESHOLD = 0.2
_REACH = 0.0125  # seconds that a frame of a log-mel covers before and behind its middle (25 ms in all)


def loud_frames(trace: Trace) -> NDArray[np.bool_]:
    """Which frames of the cross map are louder than a pause, `[key]`; padding is quiet.

    Raises ValueError where the trace's input is neither a log-mel spectrogram `[mel, frame]` nor samples `[sample]`.
    """
    keys, sound = trace.cross.keys, trace.input
    if keys.times is None or isinstance(sound, str) or sound.ndim not in (1, 2):
        raise ValueError("Pauses are found in sound only: this trace's input is none.")
    seconds = keys.times[0][1] - keys.times[0][0]
    if sound.ndim == 2:
        fine, per_frame = sound.mean(axis=0), round(seconds * MEL_RATE)
    else:
        fine, per_frame = np.log10(np.square(sound, dtype=np.float64) + 1e-10), round(seconds * RATE)
    padded = np.pad(fine, (0, max(0, per_frame * len(keys) - len(fine))), constant_values=fine.min())
    frames = padded[: per_frame * len(keys)].reshape(len(keys), per_frame)
    # The louder half of a frame of Whisper; the mean over the hundreds of samples of another.
    levels = frames.max(axis=1) if sound.ndim == 2 else frames.mean(axis=1)
    own = ~keys.is_special
    if not own.any():
        return own
    quiet, loud = np.percentile(levels[own], (2, 95))
    above: NDArray[np.bool_] = (levels > quiet + THRESHOLD * (loud - quiet)) & own
    return above


def sound_end(trace: Trace) -> float:
    """When the sound of a trace ends, in seconds of the whole: at most a frame early, and never late.

    The last frame that holds any of it reaches beyond it. Raises ValueError where the trace is of no sound.
    """
    keys, sound = trace.cross.keys, trace.input
    if keys.times is None or isinstance(sound, str) or sound.ndim not in (1, 2):
        raise ValueError("Only a sound has an end in seconds: this trace's input is none.")
    own = np.flatnonzero(~keys.is_padding)
    begin, end = keys.times[0][0], float(keys.times[own[-1]][1])
    if sound.ndim == 1:
        return min(end, begin + len(sound) / RATE)
    sounding = np.flatnonzero((sound > sound.min(initial=np.inf)).any(axis=0))
    if not len(sounding):  # all is silent, and the frames alone say how long
        return end
    last = float(begin + sounding[-1] / MEL_RATE - _REACH)
    return max(min(end, last), keys.times[0][1])


#: How many heads "shares" listens to: those that follow a sound best.
FOLLOWING = 8
#: A (layer, head), both from 0.
Head = tuple[int, int]
Method = Literal["shares", "zscores"]
#: A word is unsure whose start or end may be off by more than this, in seconds.
UNSURE = 0.15
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
    geometric mean of its tokens' probabilities, from 0 to 1. `is_repeated` where the model wrote it in a loop and did
    not hear it so often (`core.loops`): then its times say nothing. `start_margin` and `end_margin` are how far `start`
    and `end` may be off, in seconds: on clips with known times nine of ten true starts lay within (docs/speech.md).
    They are None where the method tells none.
    """

    text: str
    start: float
    end: float
    confidence: float
    span: Span
    rows: tuple[int, int]
    is_repeated: bool = False
    start_margin: float | None = None
    end_margin: float | None = None

    @property
    def is_unsure(self) -> bool:
        """Whether it is told that a start or an end may be off by more than `UNSURE`."""
        return max(self.start_margin or 0.0, self.end_margin or 0.0) > UNSURE


class TimedWords(Displayed, tuple[TimedWord, ...]):
    """Words in time, in order."""

    __slots__ = ()


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
) -> TimedWords:
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
        return TimedWords()
    times = maps.keys.times or ()
    own = np.flatnonzero(~maps.keys.is_special)
    found = _spoken_rows(trace)
    begin, end, frame = times[own[0]][0], sound_end(trace), times[0][1] - times[0][0]
    laid = _laid_out(trace, heads, found) if method == "shares" else None
    if laid is not None:
        stretches = [(begin + a, begin + b) for a, b in laid.seconds]
    else:
        starts = (path or warping_path(maps, heads, method=method)).starts(len(maps.queries))
        edges = [start for start, _ in times] + [times[-1][1]]
        stretches = [(edges[starts[rows[0]]], edges[starts[rows[-1] + 1]]) for _, rows in found]
    placed = in_order(stretches, begin=begin, end=end, shortest=frame)
    margins: Sequence[tuple[float | None, float | None]] = laid.margins if laid else [(None, None)] * len(found)
    repeated = repeated_rows(trace)
    return TimedWords(
        TimedWord(
            trace.output[span[0] : span[1]],
            *seconds,
            _confidence(trace, rows),
            span,
            (rows[0], rows[-1]),
            bool(repeated[rows].mean() > 0.5),
            *margin,
        )
        for (span, rows), seconds, margin in zip(found, placed, margins, strict=True)
    )


def _spoken_rows(trace: Trace) -> list[tuple[Span, list[int]]]:
    """The words of a trace, as characters of the output and rows of the cross map."""
    text, spans = _text_rows(trace.cross), trace.cross.queries.spans or ()
    return [
        (span, rows)
        for span in spoken_spans(trace.output)
        if (rows := [int(row) for row in text if spans[row][0] < span[1] and spans[row][1] > span[0]])
    ]


@dataclass(frozen=True, eq=False)
class _Spoken:
    """Words to be laid out: `texts`, the heads' `shares` `[head, word, frame]` for them, and the sound."""

    texts: list[str]
    shares: NDArray[np.float32]
    seconds: float  # of a frame of `shares`
    sound: FineSound

    __repr__ = summary

    @classmethod
    def of(cls, trace: Trace, heads: Sequence[Head] | None, words: Sequence[tuple[Span, Sequence[int]]]) -> _Spoken:
        """Those of a trace, by `heads` or by all of the method."""
        maps, texts = trace.cross, [trace.output[start:end] for (start, end), _ in words]
        shares, seconds = word_shares(maps, heads, [rows for _, rows in words]), _frame_seconds(maps)
        return cls(texts, shares, seconds, fine_sound(trace, round(shares.shape[-1] * seconds / STEP)))

    def placed(self, heads: NDArray[np.intp] | slice = slice(None), *, is_draft: bool = False) -> Places | None:
        """The best way to lay the words out by some of the heads; None where all is quiet or there is no room."""
        scores = fine_scores(self.shares[heads].mean(axis=0), self.seconds, len(self.sound.levels))
        return place_words(scores, self.sound, self.texts, is_draft=is_draft)

    def following(self) -> tuple[NDArray[np.intp], NDArray[np.float64]] | None:
        """The `FOLLOWING` heads that follow the words best, best first, and the share of every head, by a draft."""
        draft = self.placed(is_draft=True)
        if draft is None:
            return None
        follows = following(self.shares, draft, self.seconds)
        return np.argsort(-follows, kind="stable")[:FOLLOWING], follows


def _laid_out(trace: Trace, heads: Sequence[Head] | None, words: Sequence[tuple[Span, Sequence[int]]]) -> Places | None:
    """The best way to lay the words out in the sound; None where it is all quiet, or has no room for them."""
    spoken = _Spoken.of(trace, heads, words)
    if heads is not None:
        return spoken.placed()
    chosen = spoken.following()
    return None if chosen is None else spoken.placed(np.sort(chosen[0]))


def word_shares(
    maps: AttentionMaps, heads: Sequence[Head] | None, words: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """How much of all rows' weight on a frame each word's rows have, `[head, word, frame]` of the frames of sound.

    `words` are the rows of each; `heads` are those of the method unless given.
    """
    own = np.flatnonzero(~maps.keys.is_special)
    weights = _weights_of(maps, heads, "shares")
    found = np.empty((len(weights), len(words), len(own)), np.float32)
    for head, each in zip(found, weights, strict=True):  # one by one: large models have hundreds
        scores = saliency(each[None][:, :, own].astype(np.float32), "shares")
        for word, rows in zip(head, words, strict=True):
            word[:] = scores[np.array(rows)].sum(axis=0)
    return found


def following_heads(trace: Trace) -> list[tuple[Head, float]]:
    """The heads that "shares" listens to in a trace, best first, each with its share.

    It is the mean over the words of what share of all rows' weight the head gives to a word in the frames where all
    heads of the method together find it: 1 for a head that points at each word while it is spoken, and at none else.
    Nothing but the sound itself chooses them. Empty where there are no words, or none can be laid out. Raises
    ValueError as `timed_words` does.
    """
    maps = trace.cross
    _check(maps)
    words = [] if maps.keys.is_special.all() else _spoken_rows(trace)
    chosen = _Spoken.of(trace, None, words).following() if words else None
    if chosen is None:
        return []
    lowest = len(maps.layers) // 4
    every = [(layer, head) for layer in maps.layers[lowest:] for head in range(maps.n_heads)]
    best, follows = chosen
    return [(every[number], float(follows[number])) for number in best]


def _frame_seconds(maps: AttentionMaps) -> float:
    start, end = (maps.keys.times or ((0.0, 0.0),))[0]
    return end - start


def words_and_path(
    trace: Trace, heads: Sequence[Head] | None = None, *, method: Method = "shares"
) -> tuple[tuple[TimedWord, ...], WarpingPath | None]:
    """Both at once, as `timed_words` and `warping_path` find them; no way where there are no words at all."""
    _check(trace.cross)
    if not len(_text_rows(trace.cross)) or trace.cross.keys.is_special.all():
        return (), None
    path = warping_path(trace.cross, heads, method=method)
    return timed_words(trace, heads, method=method, path=path), path


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


@cache
def _swaps(count: int) -> list[tuple[int, int]]:
    """The pairs that sort so many values, one pair behind the other (Batcher 1968, odd-even mergesort)."""
    swaps: list[tuple[int, int]] = []
    size = 1
    while size < count:
        step = size
        while step:
            for first in range(step % size, count - step, 2 * step):
                together = range(first, min(first + step, count - step))
                swaps += [(i, i + step) for i in together if i // (2 * size) == (i + step) // (2 * size)]
            step //= 2
        size *= 2
    return swaps


def _median(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The running median over the frames, mirrored at both ends, `[head, row, frame]`."""
    half = width // 2
    if scores.shape[-1] <= half:
        return scores
    padded = np.pad(scores, ((0, 0), (0, 0), (half, half)), mode="reflect")
    # Of an odd count the middle one, by swaps of whole arrays (Batcher's network): several times as fast as sorting
    # each window.
    shifted = [padded[..., i : i + scores.shape[-1]] for i in range(width)]
    for one, other in _swaps(width):
        shifted[one], shifted[other] = (
            np.minimum(shifted[one], shifted[other]),
            np.maximum(shifted[one], shifted[other]),
        )
    middle: NDArray[np.float32] = shifted[half]
    return middle


def dtw(cost: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cheapest way from the first to the last cell of `[row, frame]`, by steps down, right or both at once.

    Returns the rows and the frames of its cells. Cells on one anti-diagonal do not depend on each other and are worked
    out together. Where ways cost the same, right comes first, as in OpenAI's implementation.
    """
    n, m = cost.shape
    flat = np.ascontiguousarray(cost).ravel()
    # Row d + 1 of `total` is the anti-diagonal row + frame = d, by row + 1; a border of infinity stands outside.
    total = np.full((n + m + 1, n + 1), np.inf)
    total[0, 0] = 0.0
    came = np.zeros((n + m - 1, n), np.int8)
    for d in range(n + m - 1):
        low, high = max(0, d - m + 1), min(d, n - 1) + 1
        both, down, right = total[d, low:high], total[d + 1, low:high], total[d + 1, low + 1 : high + 1]
        diagonal, below = (both < down) & (both < right), (down < both) & (down < right)
        came[d, low:high] = np.where(diagonal, 0, np.where(below, 1, 2))
        own = flat[low * m + d - low :: max(m - 1, 1)][: high - low]  # the next row, one frame before
        total[d + 2, low + 1 : high + 1] = own + np.where(diagonal, both, np.where(below, down, right))
    return _walk_back(came, n, m)


def _walk_back(came: NDArray[np.int8], n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row, frame = n - 1, m - 1
    cells = [(row, frame)]
    while row or frame:
        step = 2 if row == 0 else 1 if frame == 0 else came[row + frame, row]
        row, frame = row - (step != 2), frame - (step != 1)
        cells.append((row, frame))
    rows, frames = np.array(cells[::-1]).T
    return rows, frames
