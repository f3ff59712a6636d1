"""Whether anybody speaks in a window: by how steady its sound is, beside the model's own word for it.

Whisper says how likely it is that nobody speaks, but it says so of quiet or short speech too; and speech comes in
syllables, which no steady sound does. So its word counts only where the sound is steady. What both together find, and
what they miss, is measured in docs/speech.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xattn_viz.inputs.audio import MEL_RATE, RATE
from xattn_viz.models.families.whisper.sound import Heard

#: A sound is steady whose loudest `LOUD_FRAMES` frames (of 0.01 s) are at most so many decibels above its quiet ones: a
#: tenth of all `QUIET_FRAMES` frames is quieter than those.
STEADY, LOUD_FRAMES, QUIET_FRAMES = 2.0, 20, 5
#: A shorter sound, in frames, may be one syllable alone: it counts only where it holds nothing at all.
SHORT = 100
#: Decibels of full scale. Of a model without a word for it, only what is quieter than this counts.
QUIET = -60.0
_NOTHING = 1e-10  # power, as in Whisper's log-mel


def may_be_silent(heard: Heard, *, has_word: bool) -> bool:
    """Whether nobody may speak in a sound, because it is steady; a model that `has_word` for that is to say so, too."""
    found = levels(heard)
    if len(found) < SHORT:
        return bool(np.ptp(found) == 0)
    loudest = _means(found, LOUD_FRAMES).max()
    is_steady = loudest - np.percentile(_means(found, QUIET_FRAMES), 10) <= STEADY
    return bool(is_steady and (has_word or loudest < QUIET))


def levels(heard: Heard) -> NDArray[np.float64]:
    """How loud each 0.01 s of a sound is, in decibels, `[frame]`: the mean over the bands of a log-mel, or of samples.

    The bands count alike, so that slow rumbling, in which a sound has most of its power, does not hide the rest.
    """
    if heard.frames is not None:  # a log-mel is (log10 of the power + 4) / 4
        bands: NDArray[np.float64] = heard.values[:, : heard.frames].mean(axis=0, dtype=np.float64)
        return 40 * bands - 40
    width = RATE // MEL_RATE
    whole = heard.values[: len(heard.values) // width * width].astype(np.float64)
    power: NDArray[np.float64] = np.square(whole - whole.mean()).reshape(-1, width).mean(axis=1)
    return 10 * np.log10(power + _NOTHING)


def _means(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The running mean over `width` frames."""
    return np.convolve(values, np.full(width, 1 / width), "valid")
