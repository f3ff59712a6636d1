"""What people should know of an output, in sentences: that it did not end, that nobody may speak, that it is a loop."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Note
from xattn_viz.models.families.whisper import ANYWAY, WRITE_ANYWAY
from xattn_viz.models.families.whisper.text import Text

#: Above these OpenAI's own transcription distrusts an output (`openai/whisper`, `transcribe.py`).
NO_SPEECH, COMPRESSION = 0.6, 2.4
#: A loop comes at least so often, and has at least so many tokens in all: speech says "no, no, no" too. (Consecutive
#: repetition is how Xu et al. 2022, Learning to Break the Loop, measure it.)
LOOP_TIMES, LOOP_TOKENS = 3, 12
_QUOTED = 60  # characters


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
    for period in range(1, len(ids) // LOOP_TIMES + 1):
        # Where a token is the same as the one a period before: the edges of each such stretch.
        edges = np.flatnonzero(np.diff(np.concatenate([[0], array[period:] == array[:-period], [0]])))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            found = Loop(start, stop + period, period)
            longest = best is None or found.end - found.start > best.end - best.start
            if found.times >= LOOP_TIMES and found.end - found.start >= LOOP_TOKENS and longest:
                best = found
    return best


def of_silence(probability: float | None) -> list[str]:
    """A note where the model thinks that nobody speaks."""
    if probability is None or probability <= NO_SPEECH:
        return []
    return [f"The model itself gives a probability of {probability:.2f} that nobody speaks here."]


def of_nothing(probability: float | None) -> list[Note]:
    """A note why nothing was written."""
    why = "The sound is silent here"
    if probability is not None:
        said = f"a probability of {probability:.2f} that nobody speaks here"
        why = f"The sound is steady, and the model itself gives {said}"
    shows = f"The option “{WRITE_ANYWAY.title}” ({ANYWAY}) shows those it would write."
    return [Note(f"{why}: no words were written. {shows}", "silence")]


def of_end(output: Sequence[int], end: int) -> list[str]:
    """A note where the output did not end by itself."""
    if output[-1] == end:
        return []
    return [f"The model was stopped after {len(output)} tokens, before it ended by itself."]


def of_loop(
    output: Sequence[int], begin: int, text: Text, cross: AttentionMaps | None, heads: Sequence[tuple[int, int]]
) -> list[str]:
    """A note where the output repeats itself behind the first `begin` tokens, which were given.

    Where `cross` is there, it says from which moment on: where `heads`, or all of them where none are named, look
    most while the loop's first token is predicted.
    """
    ids = output[begin:]
    loop = loop_in(ids)
    if loop is not None:
        # A stretch often begins with the full stop of the sentence before.
        spoken = (i for i in range(loop.start, loop.start + loop.period) if any(map(str.isalnum, text.plain([ids[i]]))))
        first = next(spoken, loop.start)
        phrase = visible(text.plain(ids[first : first + loop.period]))
        phrase = phrase if len(phrase) <= _QUOTED else f"{phrase[: _QUOTED - 1]}…"
        when = "" if cross is None else f" from {_moment(cross, begin + first, heads):.1f} s on"
        how_often = f"{loop.times} times in a row"
        return [f"The model repeats itself{when}: “{phrase}” {how_often}. Unless it is said so often, this is a loop."]
    data = text.plain(ids).encode()
    if data and (ratio := len(data) / len(zlib.compress(data))) > COMPRESSION:
        return [f"The model repeats itself: the text can be packed {ratio:.1f} times smaller, as loops of Whisper can."]
    return []


def _moment(cross: AttentionMaps, row: int, heads: Sequence[tuple[int, int]]) -> float:
    """Where a row looks most, in seconds: the beginning of the frame with the highest mean weight over heads."""
    rows = cross.weights[:, :, row]  # [layer, head, key]
    there = [rows[layer, head] for layer, head in heads if layer < rows.shape[0] and head < rows.shape[1]]
    mean = np.mean(there, axis=0) if there else rows.mean(axis=(0, 1))
    assert cross.keys.times is not None  # noqa: S101 - the keys of this family are frames
    return cross.keys.times[int(mean.argmax())][0]
