"""Loops of a decoder: words that it writes again and again, told from words that are said so often.

Loops of tokens are found by consecutive repetition (Xu et al. 2022, Learning to Break the Loop). Whether a recogniser
heard each time is read off its cross-attention: where somebody says a sentence three times, each time lies later in the
sound than the time before; in a loop the decoder goes on to write and its attention stands still, or goes back. So a
time counts as heard where its attention has moved on by `ADVANCE` seconds a token at least. That is a tenth of what
people take for a token, because attention that has several like places to look at moves on by less than the sound does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace

#: A loop comes at least so often, and has at least so many tokens in all: speech says "no, no, no" too.
LEAST_TIMES, LEAST_TOKENS = 3, 12
#: Seconds a token by which attention moves on, at least, where something is said once more.
ADVANCE = 0.03
#: Above this OpenAI's own transcription takes a window for silence (`openai/whisper`, `transcribe.py`).
NO_SPEECH = 0.6


@dataclass(frozen=True)
class Loop:
    """A stretch of tokens, `[start, end)`, that is its first `period` tokens again and again, the last time in part."""

    start: int
    end: int
    period: int

    @property
    def times(self) -> int:
        """How often it comes as a whole."""
        return (self.end - self.start) // self.period


def loop_in(ids: Sequence[int]) -> Loop | None:
    """The longest loop in an output, in its shortest period; None where there is none."""
    array, best = np.asarray(ids), None
    for period in range(1, len(ids) // LEAST_TIMES + 1):
        # Where a token is the same as the one a period before: the edges of each such stretch.
        edges = np.flatnonzero(np.diff(np.concatenate([[0], array[period:] == array[:-period], [0]])))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            found = Loop(start, stop + period, period)
            longest = best is None or found.end - found.start > best.end - best.start
            if found.times >= LEAST_TIMES and found.end - found.start >= LEAST_TOKENS and longest:
                best = found
    return best


def loops_in(ids: Sequence[int]) -> list[Loop]:
    """Every loop in an output, none over another, in order."""
    longest = loop_in(ids)
    if longest is None:
        return []
    behind = loops_in(ids[longest.end :])
    later = [Loop(loop.start + longest.end, loop.end + longest.end, loop.period) for loop in behind]
    return [*loops_in(ids[: longest.start]), longest, *later]


@dataclass(frozen=True)
class Heard:
    """A loop in the rows of a cross map, and how many of its times were heard, from the first on."""

    loop: Loop
    times: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it was heard: it is speech that repeats itself, and no loop of the decoder."""
        return self.times >= self.loop.times

    @property
    def rows(self) -> slice:
        """Those that were not heard."""
        return slice(self.loop.end if self.is_whole else self.loop.start + self.times * self.loop.period, self.loop.end)


def loops_heard(trace: Trace) -> list[Heard]:
    """The loops in what a recogniser wrote, in order; what was given to it (a target, a prefix) is in none.

    The decoder's own part of a loop begins where from then on more times stand still than move on. Behind such a part,
    only what lies later in the sound than all before was heard. Where the model holds it likely that nobody speaks,
    nothing of a loop was that has such a part.

    Raises ValueError where the trace has no cross map over frames of sound.
    """
    maps = trace.cross
    if not maps.keys.times:
        raise ValueError("Whether something was heard is seen over frames of sound only.")
    given = next((i for i, step in enumerate(trace.steps) if not step.forced), len(trace.steps))
    own = np.flatnonzero(~maps.keys.is_special)
    no_speech = trace.speech.no_speech_probability if trace.speech else None
    nobody = not len(own) or (no_speech or 0.0) > NO_SPEECH
    found, reached = list[Heard](), -np.inf
    for loop in loops_in([step.id for step in trace.steps[given:]]):
        placed = Loop(loop.start + given, loop.end + given, loop.period)
        places = _places(placed, maps, own) if len(own) else np.zeros(loop.times)
        heard = _moving_on(places, ADVANCE * loop.period, reached)
        if heard < loop.times:
            reached = max(reached, *places[:heard], places[0])
            heard = 0 if nobody else heard
        found.append(Heard(placed, heard))
    return found


def repeated_rows(trace: Trace) -> NDArray[np.bool_]:
    """Which rows of a cross map over sound are of a loop and were not heard, `[query]`.

    Raises ValueError as `loops_heard` does.
    """
    repeated = np.zeros(len(trace.cross.queries), np.bool_)
    for heard in loops_heard(trace):
        repeated[heard.rows] = True
    return repeated


def _places(loop: Loop, cross: AttentionMaps, own: NDArray[np.intp]) -> NDArray[np.float64]:
    """The moment, in seconds, with half of the attention of each time before it, `[time]`.

    The heads are those that words in time are read off by default: all but the lowest quarter of the layers.
    """
    upper = cross.weights[len(cross.layers) // 4 :, :, loop.start : loop.start + loop.times * loop.period]
    rows: NDArray[np.float64] = upper.mean(axis=(0, 1), dtype=np.float64)[:, own]  # [row, frame]
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), 1e-12)
    shares = rows.reshape(loop.times, loop.period, len(own)).mean(axis=1).cumsum(axis=1)
    middles = np.array([sum(time) / 2 for time in cross.keys.times or ()])[own]
    places: NDArray[np.float64] = middles[np.minimum((shares < 0.5).sum(axis=1), len(own) - 1)]
    return places


def _moving_on(places: NDArray[np.float64], least: float, reached: float) -> int:
    """How many places, from the first on, move on: so many that most of them and few others do.

    Those that do are the longest chain, behind `reached`, whose next place lies `least` later at least. Of every number
    of places, what counts is how long that chain is, less the places that are not in it.
    """
    lengths = np.zeros(len(places), np.int64)  # of the longest chain that ends here
    for i in np.flatnonzero(places > reached):
        lengths[i] = 1 + lengths[:i][places[:i] + least <= places[i]].max(initial=0)
    longest = np.maximum.accumulate(lengths)
    return int(np.concatenate([[0], 2 * longest - np.arange(1, len(places) + 1)]).argmax())
