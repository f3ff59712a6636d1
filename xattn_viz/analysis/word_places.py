"""Where the words of a sound lie, in order: the best of all ways to lay them out between pauses.

What speaks for a way is weighed together, in frames of `STEP` seconds: how much the heads point there for each word;
how long a word lasts, against its letters and the sound that all words share; that words begin and end where the sound
dips or changes; and that loud frames lie in words, and long quiet in pauses between them. The best way is found by
dynamic programming over words and frames, a semi-Markov model of segments (Sarawagi and Cohen 2004, Semi-Markov
Conditional Random Fields for Information Extraction) whose few weights were chosen on clips with known times
(docs/speech.md). How far the next best ways put a boundary elsewhere says how sure it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from xattn_viz.core.records import summary
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import MEL_RATE, RATE

#: Seconds of a frame here: that of a log-mel.
STEP = 1 / MEL_RATE
#: Louder than this share of the way from the quietest to the loudest (2nd and 95th percentile) is no pause.
THRESHOLD = 0.25
# All of the following were chosen together on the clips that `benchmarks.words --chosen-on` prints, and are flat there:
# none of them changes a mean by 5 ms where it is changed by a fifth. In frames:
_CLOSURE = 1.5, 4.3  # quiet as short as the first is the closure of a "t"; longer by the second it is a pause
_CLOSED = 0.1  # what quiet of a closure counts, of quiet in a pause
# What a frame counts, where the heads' share for a word counts from 0 to 1:
_QUIET_IN_WORD, _QUIET_IN_PAUSE, _LOUD_IN_PAUSE = 1.0, 0.6, 0.8
# What a pause between words costs, and how much of it behind a mark of punctuation.
_PAUSE, _AT_MARK = 0.3, 0.4
_DIP, _CHANGE = 2.3, 0.4  # what a boundary gains where the sound is quiet, and where its spectrum changes
# A word's length: the logarithm's deviation, its weight, and letters that every word has besides its own.
_DEVIATION, _LENGTH, _OVERHEAD = 0.35, 1.45, 0.5
_FURTHEST = 4.0  # deviations
#: A frame reaches beyond its middle: a sound seems to end so much later than it does, in seconds.
_BLUR = 0.01
#: A way is nearly as good that gains this much less, and no boundary is surer than this, in seconds: chosen so that
#: nine of ten true starts of the clips above lie within.
_NEARLY, _LEAST_MARGIN = 2.5, 0.02
_SPOKEN, _FIGURE = regex.compile(r"[\p{L}\p{M}]"), regex.compile(r"\p{N}")
_LETTERS_OF_A_FIGURE = 3  # "3" is read "three"
_MARKS = (".", ",", ";", ":", "!", "?", "…", "。", "，", "、", "！", "？")
_QUOTES = "\"'”’)»」"
_NEVER = -1e9


@dataclass(frozen=True, eq=False)
class FineSound:
    """A sound in frames of `STEP` seconds: how loud each is, and how much the sound changes between two.

    `levels` `[frame]` are 0 at the 2nd percentile and 1 at the 95th; `changes` `[frame + 1]` are the distances of the
    mean log spectra of two frames before and behind, 1 at the 95th percentile.
    """

    levels: NDArray[np.float64]
    changes: NDArray[np.float64]

    __repr__ = summary


@dataclass(frozen=True, eq=False)
class Places:
    """Where words lie, in frames of `STEP` seconds from the beginning: `starts` and `ends` `[word]`.

    `start_gains` and `end_gains` `[word, frame + 1]` are how good the best way is that has the word's boundary there,
    0 the best of all.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    start_gains: NDArray[np.float64]
    end_gains: NDArray[np.float64]

    __repr__ = summary

    @property
    def seconds(self) -> list[tuple[float, float]]:
        """When each word begins and ends; one before a pause ends a little before the sound seems to."""
        paused = np.append(self.starts[1:] > self.ends[:-1], True)
        ends = self.ends * STEP - np.where(paused, _BLUR, 0)
        return list(zip((self.starts * STEP).tolist(), ends.tolist(), strict=True))

    @property
    def margins(self) -> list[tuple[float, float]]:
        """How far each word's start and end may be off, in seconds: as far as ways that are nearly as good put them."""
        found = []
        for gains, places in ((self.start_gains, self.starts), (self.end_gains, self.ends)):
            near = gains >= -_NEARLY
            first, last = near.argmax(axis=1), near.shape[1] - 1 - near[:, ::-1].argmax(axis=1)
            found.append(np.maximum(places - first, last - places) * STEP + _LEAST_MARGIN)
        return list(zip(*(margins.tolist() for margins in found), strict=True))


def fine_sound(trace: Trace, count: int) -> FineSound:
    """The first `count` frames of `STEP` seconds of a trace's sound.

    Raises ValueError where the input is neither a log-mel spectrogram `[mel, frame]` nor samples `[sample]`.
    """
    sound = trace.input
    if isinstance(sound, str) or sound.ndim not in (1, 2):
        raise ValueError("Pauses are found in sound only: this trace's input is none.")
    bands = sound.astype(np.float64) if sound.ndim == 2 else _spectrum(sound)
    bands = np.pad(bands, ((0, 0), (0, max(0, count - bands.shape[1]))), constant_values=bands.min())[:, :count]
    means = bands.mean(axis=0)
    quiet, loud = np.percentile(means, (2, 95))
    return FineSound((means - quiet) / max(loud - quiet, 1e-6), _changes(bands))


def _spectrum(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log power in bands that widen with frequency, `[band, frame]`, of windows of 25 ms every `STEP` seconds."""
    hop, width = RATE // MEL_RATE, RATE // 40
    padded = np.pad(samples.astype(np.float64), (width // 2, width))
    windows = sliding_window_view(padded, width)[::hop][: max(1, len(samples) // hop)] * np.hanning(width)
    power = np.square(np.abs(np.fft.rfft(windows, axis=1)))
    edges = np.unique(np.geomspace(2, power.shape[1] - 1, 33).astype(int))
    bands: NDArray[np.float64] = np.log10(np.add.reduceat(power, edges, axis=1).T + 1e-10)
    return bands


def _changes(bands: NDArray[np.float64], width: int = 2) -> NDArray[np.float64]:
    count = bands.shape[1]
    sums = np.concatenate([np.zeros((len(bands), 1)), np.cumsum(bands, axis=1)], axis=1)
    at = np.arange(count + 1)
    before, behind = np.maximum(at - width, 0), np.minimum(at + width, count)
    left = (sums[:, at] - sums[:, before]) / np.maximum(at - before, 1)
    right = (sums[:, behind] - sums[:, at]) / np.maximum(behind - at, 1)
    found: NDArray[np.float64] = np.sqrt(np.square(right - left).mean(axis=0))
    found[[0, -1]] = 0
    return found / (np.percentile(found, 95) + 1e-6)


def letters(word: str) -> int:
    """How many letters long a word is spoken, 1 at least: a figure counts as `three` does."""
    return max(1, len(_SPOKEN.findall(word)) + _LETTERS_OF_A_FIGURE * len(_FIGURE.findall(word)))


def fine_scores(scores: NDArray[np.floating], seconds: float, count: int) -> NDArray[np.float64]:
    """Scores `[…, frame]` of frames of so many seconds at `count` frames of `STEP`: between their middles linear."""
    at = np.clip((np.arange(count) + 0.5) * STEP / seconds - 0.5, 0, scores.shape[-1] - 1)
    before = np.floor(at).astype(int)
    behind, share = np.minimum(before + 1, scores.shape[-1] - 1), at - before
    found: NDArray[np.float64] = scores[..., before] * (1 - share) + scores[..., behind] * share
    return found


def place_words(
    scores: NDArray[np.floating], sound: FineSound, words: Sequence[str], *, is_draft: bool = False
) -> Places | None:
    """The best way to lay `words` out in a sound; `scores` `[word, frame]` are how much the heads point there, 0 to 1.

    A draft knows nothing of other ways: its gains are empty. None where nothing is loud, or there is no room for so
    many words.
    """
    loud = sound.levels > THRESHOLD
    if not len(words) or not loud.any():
        return None
    layout = _Layout.of(scores, sound, words, int(loud.sum()))
    starts, ends, gaps = layout.forward()
    best = ends[-1] + layout.pauses[-1] - layout.pauses
    if (most := float(best.max())) < _NEVER / 2:
        return None
    # Back from the end of the best way.
    at, first, last = int(best.argmax()), list[int](), list[int]()
    for k in reversed(range(len(words))):
        last.append(at)
        first.append(at - _best_length(starts[k] - layout.words[k], *layout.lengths[k], at))
        at = int(gaps[k][first[-1]])
    firsts, lasts = np.array(first[::-1]), np.array(last[::-1])
    if is_draft:
        return Places(firsts, lasts, np.zeros((0, 0)), np.zeros((0, 0)))
    behind_starts, behind_ends = layout.backward()
    return Places(firsts, lasts, starts + behind_starts - most, ends + behind_ends - most)


@dataclass(frozen=True, eq=False)
class _Layout:
    """What speaks for each way, summed from the beginning, so that any stretch is a difference of two.

    `words` `[word, frame + 1]` are the gains of frames that lie in a word, `pauses` `[frame + 1]` of those in none,
    `edges` `[frame + 1]` what a boundary gains there, `opening` `[word]` what a pause behind a word costs, which may be
    of no length. `lengths` are for each word the least number of frames that it may last, and the gains of that and of
    longer ones.
    """

    words: NDArray[np.float64]
    pauses: NDArray[np.float64]
    edges: NDArray[np.float64]
    opening: NDArray[np.float64]
    lengths: list[tuple[int, NDArray[np.float64]]]

    @classmethod
    def of(cls, scores: NDArray[np.floating], sound: FineSound, words: Sequence[str], loud: int) -> _Layout:
        """The gains for `words`, which share so many `loud` frames."""
        levels = sound.levels
        loudness = np.clip((levels - THRESHOLD) / 0.2, -1, 1)
        quiet = np.maximum(-loudness, 0) * _share_of_pause(levels <= THRESHOLD)
        in_pause = _QUIET_IN_PAUSE * quiet - _LOUD_IN_PAUSE * np.maximum(loudness, 0)
        above = np.clip((levels - THRESHOLD) / (1 - THRESHOLD), 0, 1)
        dips = np.concatenate([[1.0], 1 - np.minimum(above[1:], above[:-1]), [1.0]])
        marked = np.array([word.rstrip(_QUOTES).endswith(_MARKS) for word in words])
        units = np.array([letters(word) + _OVERHEAD for word in words])
        expected = np.maximum(loud * units / units.sum(), 3)
        return cls(
            np.pad(np.cumsum(scores - _QUIET_IN_WORD * quiet, axis=1), ((0, 0), (1, 0))),
            np.concatenate([[0.0], np.cumsum(in_pause)]),
            _DIP * dips + _CHANGE * np.minimum(sound.changes, 1.5),
            _PAUSE * np.where(marked, _AT_MARK, 1.0),
            [_length_gains(frames, len(levels)) for frames in expected],
        )

    def forward(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """The best beginnings `[word, frame + 1]`: up to each word's start, and up to its end.

        Behind them where the word before a start ends.
        """
        shape, at = self.words.shape, np.arange(self.words.shape[1])
        starts, ends = np.empty(shape), np.empty(shape)
        gaps = np.zeros(shape, np.int64)
        start = self.pauses
        for k, gains in enumerate(self.words):
            starts[k] = start
            ends[k] = _best(start - gains, *self.lengths[k]) + gains + self.edges
            if k + 1 < len(self.words):
                open_at = ends[k] - self.pauses
                most = np.maximum.accumulate(open_at)
                came = np.maximum.accumulate(np.where(open_at >= most, at, 0))
                paused = most + self.pauses + self.edges - self.opening[k]
                start = np.maximum(ends[k], paused)
                gaps[k + 1] = np.where(paused > ends[k], came, at)
        return starts, ends, gaps

    def backward(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The best rest of a way `[word, frame + 1]` from each word's start, and from its end."""
        starts, ends = np.empty(self.words.shape), np.empty(self.words.shape)
        rest = self.pauses[-1] - self.pauses
        for k in reversed(range(len(self.words))):
            ends[k] = rest
            gains = self.words[k]
            starts[k] = _best((gains + rest + self.edges)[::-1], *self.lengths[k])[::-1] - gains
            if k:
                most = np.maximum.accumulate((starts[k] + self.pauses + self.edges)[::-1])[::-1]
                rest = np.maximum(starts[k], most - self.pauses - self.opening[k - 1])
        return starts, ends


def following(shares: NDArray[np.floating], places: Places, seconds: float) -> NDArray[np.float64]:
    """How well each head follows words, `[head]` from 0 to 1: its mean share for a word in the word's own frames.

    `shares` `[head, word, frame]` are those of frames of so many seconds.
    """
    found = np.zeros(len(shares))
    for k, (start, end) in enumerate(zip(places.starts, places.ends, strict=True)):
        first = min(int(start * STEP / seconds + 0.5), shares.shape[-1] - 1)
        last = max(int(end * STEP / seconds + 0.5), first + 1)
        found += shares[:, k, first:last].mean(axis=1)
    return found / max(len(places.starts), 1)


def _share_of_pause(quiet: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much each quiet frame counts as one of a pause, by how many stand together; 0 for loud ones."""
    shares = np.zeros(len(quiet))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        shares[first:last] = np.clip((last - first - _CLOSURE[0]) / _CLOSURE[1], _CLOSED, 1)
    return shares


def _length_gains(expected: float, most: int) -> tuple[int, NDArray[np.float64]]:
    """The least number of frames of a word that is expected to last so many, and what that and more gain."""
    reach = np.exp(_FURTHEST * _DEVIATION)
    least = max(2, int(expected / reach))
    frames = np.arange(least, max(min(most, int(expected * reach) + 1), least + 1) + 1)
    off = np.log(frames / expected) / _DEVIATION
    return least, -_LENGTH / 2 * np.minimum(np.square(off), _FURTHEST**2)


def _best(begun: NDArray[np.float64], least: int, gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each end the best sum of `begun` at a start before it and the gain of the length between."""
    found, ways = np.full(len(begun), _NEVER), np.empty(len(begun))
    # Length by length, over all ends at once: several times as fast as a window for each end.
    for length, gain in enumerate(gains.tolist()[: max(len(begun) - least, 0)], least):
        np.add(begun[:-length], gain, out=ways[length:])
        np.maximum(found[length:], ways[length:], out=found[length:])
    return found


def _best_length(begun: NDArray[np.float64], least: int, gains: NDArray[np.float64], end: int) -> int:
    """The length by which `_best` came to this end."""
    lengths = np.arange(least, min(end, least + len(gains) - 1) + 1)
    return int(lengths[np.argmax(begun[end - lengths] + gains[lengths - least])])
