"""Where a sound is quiet, frame by frame of a cross map: words do not begin or end in a pause."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xattn_viz.inputs.audio import MEL_RATE, RATE
from xattn_viz.trace import Trace

#: Louder than this share of the way from the quietest to the loudest (2nd and 95th percentile) is no pause.
THRESHOLD = 0.2


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
