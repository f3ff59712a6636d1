"""Sound files for tests, written by FFmpeg or byte by byte."""

from __future__ import annotations

import io
import struct
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from xattn_viz.inputs.audio import RATE


def chirp(rate: int, seconds: float = 2.0) -> NDArray[np.float32]:
    """A tone that rises from 200 Hz to 3 kHz, so that each moment sounds unlike any other."""
    t = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * t + 700 * t**2))).astype(np.float32)


def encoded(samples: NDArray[np.float32], container: str, codec: str, rate: int) -> bytes:
    """The file of samples `[channel, sample]`, written by FFmpeg."""
    layout = "mono" if len(samples) == 1 else "stereo"
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout=layout, options={"strict": "experimental"})
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(stream.format, layout, rate, stream.frame_size or 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return out.getvalue()


def wave_file(samples: NDArray[Any], rate: int = RATE, channels: int = 1, kind: int = 1) -> bytes:
    """A WAV file, byte by byte: `kind` 1 is whole numbers, 3 is floats."""
    data, width = samples.tobytes(), samples.itemsize
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * width * channels, width * channels, 8 * width)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
