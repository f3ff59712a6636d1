"""Sound on its way into a model: cut into windows at quiet moments, turned into what the encoder takes, judged.

Whether anybody speaks in a window is told by how steady its sound is, beside the model's own word for it. Whisper says
how likely it is that nobody speaks, but it says so of quiet or short speech too; and speech comes in syllables, which
no steady sound does. So its word counts only where the sound is steady. What both together find, and what they miss,
is measured in docs/speech.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import MEL_RATE, MOST_CHANNELS, RATE, Sound

#: The longest stretch that is heard at once, in seconds: Whisper's window.
WINDOW = 30
_SEARCHED = 10.0  # seconds before the end of a window in which a quiet moment is looked for
_QUIET = 0.2  # seconds that it should last
#: Seconds; with less, Moonshine's convolutions have nothing left.
SHORTEST = 0.1
#: Samples a frame of the log-mel.
HOP = RATE // MEL_RATE
#: A sound is steady whose loudest `LOUD_FRAMES` frames (of 0.01 s) are at most so many decibels above its quiet ones: a
#: tenth of all `QUIET_FRAMES` frames is quieter than those.
STEADY, LOUD_FRAMES, QUIET_FRAMES = 2.0, 20, 5
#: A shorter sound, in frames, may be one syllable alone: it counts only where it holds nothing at all.
SHORT = 100
#: Decibels of full scale. Of a model without a word for it, only what is quieter than this counts.
QUIET = -60.0
_NOTHING = 1e-10  # power, as in Whisper's log-mel


@dataclass(frozen=True)
class Window:
    """A stretch of a sound: its samples, where it begins in seconds of the whole, and notes for people."""

    samples: NDArray[np.float32]
    offset: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Features:
    """What a model hears of a window.

    `shown` is for people and enough to hear it again: a log-mel spectrogram `[mel, frame]`, or samples `[sample]`;
    `values` go into the encoder; `frames` of the log-mel hold sound, those behind are padding (None: no padding).
    `seconds` is how long the sound is where the log-mel does not tell, because none of it lies above the floor.
    """

    shown: NDArray[np.float32]
    values: NDArray[np.float32]
    frames: int | None = None
    notes: tuple[str, ...] = ()
    seconds: float | None = None


def check_length(sound: Sound) -> Sound:
    """The sound itself. Raises InputError for one that is too short to be heard."""
    if sound.seconds < SHORTEST:
        raise InputError(f"The sound lasts {sound.seconds:.2f} s: at least {SHORTEST} s are needed.")
    return sound


def windows(sound: Sound) -> Iterator[Window]:
    """The stretches of at most `WINDOW` seconds, cut at the quietest moment of their last seconds."""
    samples, start = sound.samples, 0
    while start < len(samples):
        end = len(samples)
        if end - start > WINDOW * RATE:
            end = _quietest(samples, start + int((WINDOW - _SEARCHED) * RATE), start + WINDOW * RATE)
        yield Window(samples[start:end], start / RATE, () if start else sound.notes)
        start = end


def first(sound: Sound) -> Window:
    """The beginning of a sound, as much as is heard at once; a note says what was left out."""
    if sound.seconds <= WINDOW:
        return Window(sound.samples, 0.0, sound.notes)
    note = f"Only the first {WINDOW} of {sound.seconds:.1f} seconds were heard."
    return Window(sound.samples[: WINDOW * RATE], 0.0, (*sound.notes, note))


class FeatureExtractor:
    """From samples to what an encoder takes: a log-mel spectrogram of 30 s (Whisper), or the samples (Moonshine)."""

    def __init__(self, mels: int | None) -> None:
        """`mels` is how many bands the encoder reads; None for one that reads samples."""
        self.mels = mels
        self._extract = None if mels is None else WhisperFeatureExtractor(feature_size=mels)

    @property
    def filters(self) -> NDArray[np.float64] | None:
        """The bank of mel filters, `[frequency, mel]`; None for an encoder that reads samples."""
        return None if self._extract is None else np.asarray(self._extract.mel_filters)

    def is_log_mel(self, array: NDArray[Any]) -> bool:
        """Whether an array is `[mel, frame]` rather than channels of a sound: none has so many."""
        return (
            array.ndim == 2 and self.mels is not None and (len(array) == self.mels or min(array.shape) > MOST_CHANNELS)
        )

    def extract(self, window: Window) -> Features:
        """What the model hears of samples."""
        if self._extract is None:
            return Features(window.samples, window.samples, None, window.notes)
        made = self._extract(window.samples, sampling_rate=RATE, return_tensors="np")
        frames = 2 * (len(window.samples) * MEL_RATE // (2 * RATE))  # whole frames of the encoder, which are two each
        return self._features(made["input_features"][0].astype(np.float32), frames, window.notes)

    def from_log_mel(self, shown: NDArray[Any], seconds: float | None = None) -> Features:
        """The features whose `shown` is a log-mel, and their `seconds`.

        Raises InputError for an array that is none.
        """
        if self.mels is None:
            raise InputError("This model hears samples, and a log-mel holds none: give it the sound itself.")
        most = WINDOW * MEL_RATE
        if shown.ndim != 2 or shown.shape[0] != self.mels or not 1 <= shown.shape[1] <= most:
            raise InputError(
                f"A log-mel spectrogram of this model is [mel, frame] with {self.mels} mels and at most {most} frames: "
                f"got {shown.shape}."
            )
        if shown.dtype.kind != "f" or not np.isfinite(shown).all():
            raise InputError("A log-mel spectrogram holds finite floats.")
        values = np.full((self.mels, most), shown.min(), np.float32)
        values[:, : shown.shape[1]] = shown
        frames = shown.shape[1] if seconds is None else round(seconds * MEL_RATE)
        return self._features(values, min(max(frames, 1), most))

    def _features(self, values: NDArray[np.float32], frames: int, notes: tuple[str, ...] = ()) -> Features:
        """Frames at the end that lie at the floor in every band are padding or digital silence.

        Where all of them do, `frames` says how many there are.
        """
        loud = np.flatnonzero((values > values.min()).any(axis=0))
        if len(loud):
            return Features(values, values, int(loud[-1]) + 1, notes)
        return Features(values, values, frames, notes, frames / MEL_RATE)


def cropped(features: Features) -> NDArray[np.float32]:
    """A log-mel without its padding but for one frame, from which `FeatureExtractor.from_log_mel` knows the rest."""
    assert features.frames is not None  # noqa: S101 - only a log-mel has padding
    return features.shown[:, : features.frames + 1]


def _quietest(samples: NDArray[np.float32], start: int, end: int) -> int:
    """The middle of the quietest `_QUIET` seconds between two samples."""
    span = int(_QUIET * RATE)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples[start:end], dtype=np.float64))])
    return start + int(np.argmin(energy[span:] - energy[:-span])) + span // 2


def may_be_silent(features: Features, *, has_word: bool) -> bool:
    """Whether nobody may speak in a sound, because it is steady; a model that `has_word` for that is to say so, too."""
    found = levels(features)
    if len(found) < SHORT:
        return bool(np.ptp(found) == 0)
    loudest = _means(found, LOUD_FRAMES).max()
    is_steady = loudest - np.percentile(_means(found, QUIET_FRAMES), 10) <= STEADY
    return bool(is_steady and (has_word or loudest < QUIET))


def levels(features: Features) -> NDArray[np.float64]:
    """How loud each 0.01 s of a sound is, in decibels, `[frame]`: the mean over the bands of a log-mel, or of samples.

    The bands count alike, so that slow rumbling, in which a sound has most of its power, does not hide the rest.
    """
    if features.frames is not None:  # a log-mel is (log10 of the power + 4) / 4
        bands: NDArray[np.float64] = features.values[:, : features.frames].mean(axis=0, dtype=np.float64)
        return 40 * bands - 40
    whole = features.values[: len(features.values) // HOP * HOP].astype(np.float64)
    power: NDArray[np.float64] = np.square(whole - whole.mean()).reshape(-1, HOP).mean(axis=1)
    return 10 * np.log10(power + _NOTHING)


def _means(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The running mean over `width` frames."""
    return np.convolve(values, np.full(width, 1 / width), "valid")
