"""What the explorer shows and plays of a sound: its spectrogram, the sound itself, its words in time.

All times are seconds of the whole recording. Padding, the frames behind the end of the sound, is neither shown nor
sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.timing import TimedWord, WarpingPath, loud_frames
from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import MEL_RATE, RATE, flac
from xattn_viz.web.explorer.sheets import Data, own_frames

#: The most cells of a spectrogram that are sent; of longer sounds, neighbouring frames are averaged.
SPECTROGRAM_CELLS = 120_000
_MOST_PADDING = 60  # seconds that frames reach beyond their sound: Whisper's window has 30
_HIGHEST = 1e4  # of a sample or a log-mel: those of models are below 10, halves end at 65504
_TYPES = {b"RIFF": "audio/wav", b"fLaC": "audio/flac"}


@dataclass(frozen=True, eq=False)
class Playback:
    """A segment to be played: `sound` is a WAV or FLAC file of exactly the segment that was traced.

    `words` are its words in time and `path` is the way of their alignment, both of the trace's cross map
    (`analysis.timing`). Raises ValueError for a file of another kind.
    """

    sound: bytes
    words: tuple[TimedWord, ...] = ()
    path: WarpingPath | None = None

    def __post_init__(self) -> None:
        if self.sound[:4] not in _TYPES:
            raise ValueError("The sound to play must be a WAV or FLAC file: `xattn_viz.inputs.audio.flac` makes one.")

    @classmethod
    def of(
        cls, trace: Trace, samples: NDArray[np.float32], words: tuple[TimedWord, ...], path: WarpingPath | None
    ) -> Playback:
        """The segment that a trace is of, cut out of the samples of the whole sound, at 16 kHz."""
        start, end = (round(seconds * RATE) for seconds in stretch(trace))
        return cls(flac(samples[start:end]), words, path)


def stretch(trace: Trace) -> tuple[float, float]:
    """Where the segment that a trace is of begins and ends in the whole, in seconds, without its padding."""
    times = trace.cross.keys.times or ()
    return times[0][0], times[own_frames(trace.cross.keys) - 1][1]


def pack_sound(trace: Trace, playback: Playback | None, data: Data) -> dict[str, Any]:
    """The header's part about the sound that a trace is of; its arrays go to `data`, the file to play last.

    Raises ValueError for words of another trace.
    """
    keys = trace.cross.keys
    if keys.times is None:
        raise ValueError("The frames of this sound have no times.")
    count = own_frames(keys)
    start, end = keys.times[0][0], keys.times[count - 1][1]
    packed: dict[str, Any] = {
        "start": round(start, 4),
        "end": round(end, 4),
        "offset": trace.offset,
        "padding": round(keys.times[-1][1] - end, 4),
        **_picture(trace.input, end - start, data),
    }
    if _is_sound_of(trace.input, keys):
        loud = np.flatnonzero(loud_frames(trace)[:count])
        if len(loud):
            packed["speech"] = [round(keys.times[loud[0]][0], 4), round(keys.times[loud[-1]][1], 4)]
    if playback is not None:
        packed["words"] = _words(playback.words, len(trace.cross.queries))
        packed["path"] = _path(playback.path, keys)
        at = data.add(np.frombuffer(playback.sound, np.uint8))
        packed["audio"] = {"at": at, "bytes": len(playback.sound), "type": _TYPES[playback.sound[:4]]}
    return packed


def _is_sound_of(sound: Any, keys: Axis) -> bool:
    """Whether this is the sound of the frames, so that each can be measured in it: nothing has to be made up."""
    if isinstance(sound, str) or sound.ndim not in (1, 2) or not sound.size or not np.isfinite(sound).all():
        return False
    frame = keys.times[0][1] - keys.times[0][0] if keys.times else 0.0
    seconds = sound.shape[-1] / (RATE if sound.ndim == 1 else MEL_RATE)
    return bool(0.5 / MEL_RATE < frame <= (seconds + _MOST_PADDING) / len(keys))


def _picture(sound: Any, seconds: float, data: Data) -> dict[str, Any]:
    """A log-mel spectrogram `[mel, frame]`, its values spread over 0 to 255; of samples the loudest of each frame."""
    if isinstance(sound, str) or sound.ndim not in (1, 2) or not sound.size:
        return {}
    sound = np.clip(np.nan_to_num(sound), -_HIGHEST, _HIGHEST)
    if sound.ndim == 1:
        per_frame = RATE // MEL_RATE
        own = np.abs(sound[: _count(seconds * RATE, len(sound))].astype(np.float32))
        peaks = np.pad(own, (0, -len(own) % per_frame)).reshape(-1, per_frame).max(axis=1)
        return {"envelope": _cells(peaks[None], 1 / MEL_RATE, data, low=0.0)}
    mel = sound[:, : _count(seconds * MEL_RATE, sound.shape[1])].astype(np.float32)
    averaged = -(-mel.size // SPECTROGRAM_CELLS)
    if averaged > 1:
        whole = np.pad(mel, ((0, 0), (0, -mel.shape[1] % averaged)), mode="edge")
        mel = whole.reshape(len(mel), -1, averaged).mean(axis=2)
    return {"mel": _cells(mel, averaged / MEL_RATE, data, low=float(mel.min()))}


def _count(wanted: float, there: int) -> int:
    """So many samples or frames of those that are there, one at least."""
    return max(1, round(min(wanted, there)))


def _cells(values: NDArray[np.float32], seconds: float, data: Data, *, low: float) -> dict[str, Any]:
    """`[band, frame]` in 256 steps from `low` to the highest value; `seconds` is how long a frame lasts."""
    reach = (float(values.max()) - low) or 1.0
    at = data.add(np.rint((values - low) * np.float32(255 / reach)).astype(np.uint8))
    return {"at": at, "bands": values.shape[0], "frames": values.shape[1], "seconds": seconds}


def _words(words: tuple[TimedWord, ...], rows: int) -> list[list[Any]]:
    """[text, start, end, first row, last row, confidence] of each word; whether it is repeated, and its margins.

    The last three only where there is something to tell: true alone, or with the margins of start and end.
    """
    for word in words:
        if not 0 <= word.rows[0] <= word.rows[1] < rows:
            raise ValueError(f"The word {word.text!r} is of another trace: it has rows {word.rows}, here are {rows}.")
    return [
        [
            visible(word.text),
            *(round(seconds, 4) for seconds in (word.start, word.end)),
            *word.rows,
            round(word.confidence, 4),
            *_further(word),
        ]
        for word in words
    ]


def _further(word: TimedWord) -> list[Any]:
    if word.start_margin is None or word.end_margin is None:
        return [True] * word.is_repeated
    return [word.is_repeated, round(word.start_margin, 4), round(word.end_margin, 4)]


def _path(path: WarpingPath | None, keys: Axis) -> list[list[float]]:
    """[row, start, end] of each row that the path goes through."""
    if path is None:
        return []
    times = keys.times or ()
    stretches = [(int(row), path.frames[path.rows == row]) for row in np.unique(path.rows)]
    return [[row, round(times[frames[0]][0], 4), round(times[frames[-1]][1], 4)] for row, frames in stretches]
