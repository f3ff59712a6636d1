"""Where a sound is quiet, frame by frame of a cross map: words do not begin or end in a pause, nor hold one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import MEL_RATE, RATE

#: Louder than this share of the way from the quietest to the loudest (2nd and 95th percentile) is no pause.
THRESHOLD = 0.2
#: A word goes on over less quiet than this, in seconds: the closure of a "t" is quiet too.
PAUSE = 0.3
#: What sound that no word lies in counts against a way to place the words, a frame; a word's own frames count its share
#: of the heads' weight for it, 1 at most. On the clips with pauses that `benchmarks.words --chosen-on` prints, none of
#: which docs/speech.md measures, all from 0.1 to 0.5 do the same, and a `PAUSE` of 0.2 to 0.4 the same to 10 ms.
_UNCLAIMED = 0.2
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


def between_pauses(
    stretches: Sequence[tuple[int, int]], scores: NDArray[np.floating], loud: NDArray[np.bool_], pause: int
) -> list[tuple[int, int]]:
    """The words' stretches (first frame, frame behind the last), in order, without the pauses in and around them.

    The loud frames fall into parts, with `pause` quiet ones or more between two. Each word lies in one part, the next
    word in the same or a later one: so that the heads point there as much as can be (`scores` `[word, frame]`, looked
    at within the word's stretch) and few loud frames belong to no word. The words of a part share all of it: the first
    begins and the last ends where it does. Without any loud frame the stretches stay.
    """
    frames = np.flatnonzero(loud)
    if not len(stretches) or not len(frames):
        return list(stretches)
    parts = [(int(p[0]), int(p[-1]) + 1) for p in np.split(frames, np.flatnonzero(np.diff(frames) > pause) + 1)]
    own = _parts_of(stretches, scores * loud, parts, loud)
    placed = list[tuple[int, int]]()
    for i, ((first, last), part) in enumerate(zip(stretches, own, strict=True)):
        begin, end = parts[part]
        first = begin if not i or own[i - 1] != part else min(max(first, begin), end)
        last = end if i + 1 == len(own) or own[i + 1] != part else min(max(last, begin), end)
        inside = np.flatnonzero(loud[first:last])
        placed.append((first + int(inside[0]), first + int(inside[-1]) + 1) if len(inside) else (first, last))
    return placed


def _parts_of(
    stretches: Sequence[tuple[int, int]],
    scores: NDArray[np.floating],
    parts: Sequence[tuple[int, int]],
    loud: NDArray[np.bool_],
) -> list[int]:
    """The part that each word lies in, never falling: the best way by dynamic programming."""
    gains = np.array(
        [
            [row[max(first, begin) : max(first, min(last, end))].sum() for begin, end in parts]
            for (first, last), row in zip(stretches, scores, strict=True)
        ]
    )
    lengths = np.array([loud[begin:end].sum() for begin, end in parts])
    before = np.concatenate([[0], np.cumsum(lengths)])  # loud frames before each part, and in all
    parts_in_order = np.arange(len(parts))
    skipped = np.maximum(before[:-1][None, :] - before[1:][:, None], 0)  # between part j and part k, [j, k]
    steps = np.where(parts_in_order[:, None] <= parts_in_order, -_UNCLAIMED * skipped, -np.inf)
    best, came = gains[0] - _UNCLAIMED * before[:-1], list[NDArray[np.int64]]()
    for gain in gains[1:]:
        ways = best[:, None] + steps
        came.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + gain
    own = [int(np.argmax(best - _UNCLAIMED * (before[-1] - before[1:])))]
    for step in reversed(came):
        own.append(int(step[own[-1]]))
    return own[::-1]
