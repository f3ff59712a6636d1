"""Sound as PyAV decodes it, in frames of any rate, format and count of channels, to samples of one channel at one rate.

PyAV brings FFmpeg's libraries, which are large, so only who has a sound imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray


def frames(container: Any, problems: list[Exception]) -> Iterator[Any]:
    """The decoded frames of the first sound; packets that cannot be decoded are left out, and named in `problems`."""
    import av

    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
            yield from packet.decode()
        except StopIteration:
            return
        except av.error.FFmpegError as error:  # from `next`, the packets have ended with it
            problems.append(error)


def resampled(frames: Iterable[Any], rate: int) -> Iterator[NDArray[np.float32]]:
    """Frames of any kind as mono samples `[sample]` at `rate`, the mean of the channels."""
    import av

    resampler, shape = None, None
    for frame in chain(frames, [None]):
        now = frame and (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
        if resampler is not None and now != shape:  # a file may change in the middle
            yield from map(_mono, resampler.resample(None))
            resampler = None
        if frame is None:
            return
        # Channels side by side ("flt"): PyAV reads beyond memory where more than eight have planes of their own.
        resampler, shape = resampler or av.AudioResampler(format="flt", rate=rate), now
        frame.pts = None  # gaps in the times would be refused
        yield from map(_mono, resampler.resample(frame))


def _mono(frame: Any) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = frame.to_ndarray().reshape(-1, frame.layout.nb_channels).mean(axis=1)
    return mean


def as_frames(mono: NDArray[np.float32], rate: int) -> Iterator[Any]:
    """Samples `[sample]` at `rate` as frames of a second."""
    import av

    for start in range(0, len(mono), rate):
        frame = av.AudioFrame.from_ndarray(mono[None, start : start + rate], format="fltp", layout="mono")
        frame.sample_rate = rate
        yield frame
