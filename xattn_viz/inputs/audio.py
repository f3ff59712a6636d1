"""Sound from outside as samples that a model can read: decoded, mixed to one channel, resampled, checked.

FFmpeg (through PyAV) decodes. It is handed open files only, never names, and reads only the containers in `CONTAINERS`:
others, such as playlists, could make it fetch further files or addresses.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xattn_viz.frozen import read_only

#: Samples a second, of every model that we know.
RATE = 16_000
#: Frames a second of every log-mel spectrogram that we know.
MEL_RATE = 100
#: The longest sound that is read, in seconds; its samples take 64 kB a second.
MAX_SECONDS = 2 * 60 * 60
#: FFmpeg's names of the containers: wav, flac, mp3, ogg (Vorbis, Opus), mp4 and m4a, webm, AAC, AIFF, CAF.
CONTAINERS = ("wav", "w64", "flac", "mp3", "ogg", "mov", "mp4", "m4a", "matroska", "webm", "aac", "aiff", "caf")
_LOUDEST = 10.0  # decoders overshoot 1 a little; samples far above are of another scale
_KNOWN = "wav, flac, mp3, ogg, m4a and webm can be read"


#: Called with the seconds that are decoded so far. It may raise to give up.
OnRead = Callable[[float], object]


class AudioError(ValueError):
    """A sound cannot be read; the message is one sentence for people."""


@dataclass(frozen=True, eq=False)
class Sound:
    """`samples` `[sample]` float32 at `RATE`, silence at 0 and full scale at 1, and notes for people on how it came in.

    The samples become read-only.
    """

    samples: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", read_only(self.samples))

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE


def read(source: str | Path | bytes, *, max_seconds: float = MAX_SECONDS, on_read: OnRead | None = None) -> Sound:
    """Decode a sound file, given by its path or its bytes; `on_read` hears how far it is (hours take some seconds).

    A file that is cut or damaged in places gives what could be decoded, and a note says so. Raises AudioError where it
    holds no sound, is of a kind not known, is damaged throughout, holds NaN, or lasts longer than `max_seconds`;
    OSError where the path cannot be read.
    """
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), max_seconds, on_read)
    with Path(source).open("rb") as file:
        return _decode(file, max_seconds, on_read)


def from_samples(samples: NDArray[Any], rate: int = RATE) -> Sound:
    """A sound from an array: `[sample]` or `[sample, channel]`, floats with full scale at 1 or signed whole numbers.

    `rate` is in samples a second. Raises AudioError for another shape or type, NaN, and floats far above full scale.
    """
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fi" or not 1 <= (array.shape[1:] or (1,))[0] <= 64:
        raise AudioError(
            f"Samples must be [sample] or [sample, channel], floats or signed whole numbers: got {array.dtype} "
            f"{array.shape}."
        )
    if not isinstance(rate, int | np.integer) or not 1_000 <= rate <= 768_000:
        raise AudioError(f"A sound has between 1,000 and 768,000 samples a second: got {rate!r}.")
    scale = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max) + 1
    channels = (array if array.ndim == 2 else array[:, None]).astype(np.float32) / np.float32(scale)
    mono = channels.mean(axis=1)
    _check(mono)
    return Sound(mono if rate == RATE else np.concatenate([mono[:0], *_resampled(_as_frames(mono, int(rate)), RATE)]))


def wav(samples: NDArray[np.float32]) -> bytes:
    """A WAV file of 16 bits at `RATE` for a player, from samples `[sample]`; what is beyond full scale is clipped."""
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return packed.getvalue()


def flac(samples: NDArray[np.float32]) -> bytes:
    """A FLAC file of 16 bits at `RATE` for a player: the same samples as `wav`, in about half the bytes."""
    import av

    packed = io.BytesIO()
    whole = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    with av.open(packed, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return packed.getvalue()


def frame_times(count: int, seconds: float, offset: float = 0.0) -> tuple[tuple[float, float], ...]:
    """The (start, end) of `count` frames of `seconds` each, in seconds of the whole, the first at `offset`."""
    edges = offset + np.arange(count + 1) * seconds
    return tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _decode(file: BinaryIO, max_seconds: float, on_read: OnRead | None) -> Sound:
    import av  # its libraries are large, and only a file needs them

    options = {"format_whitelist": ",".join(CONTAINERS)}
    if not file.read(1):
        raise AudioError(f"The file is empty, so it holds no sound: {_KNOWN}.")
    file.seek(0)
    try:
        with av.open(file, metadata_errors="ignore", container_options=options) as container:
            return _gather(container, max_seconds, on_read)
    except (av.error.FFmpegError, UnicodeError) as error:
        raise AudioError(f"This is no sound file, or it is damaged: {_KNOWN}.") from error


def _gather(container: Any, max_seconds: float, on_read: OnRead | None) -> Sound:
    if not container.streams.audio:
        raise AudioError("The file holds no sound.")
    # Memory that is never written to is never taken, and one long sound does not lie there twice.
    samples, count, problems = np.empty(int(max_seconds * RATE), np.float32), 0, list[Exception]()
    for piece in _resampled(_frames(container, problems), RATE):
        if count + len(piece) > len(samples):
            raise AudioError(f"The sound lasts longer than {_duration(max_seconds)}: cut it into parts.")
        samples[count : count + len(piece)] = piece
        count += len(piece)
        if on_read is not None:
            on_read(count / RATE)
    if not count:
        raise AudioError(f"The file holds no sound that can be decoded: {_KNOWN}.")
    samples.resize(count, refcheck=False)
    samples.flags.writeable = False
    _check(samples)
    stated, found = (container.duration or 0) / 1e6, len(samples) / RATE  # FFmpeg counts microseconds
    if problems or found < 0.98 * stated - 0.2:  # codecs fill their last frame, and some durations are estimates
        return Sound(samples, (f"The file is damaged or cut off: {_duration(found)} of it could be decoded.",))
    return Sound(samples)


def _frames(container: Any, problems: list[Exception]) -> Iterator[Any]:
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


def _resampled(frames: Iterable[Any], rate: int) -> Iterator[NDArray[np.float32]]:
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


def _as_frames(mono: NDArray[np.float32], rate: int) -> Iterator[Any]:
    """Samples `[sample]` at `rate` as frames of a second."""
    import av

    for start in range(0, len(mono), rate):
        frame = av.AudioFrame.from_ndarray(mono[None, start : start + rate], format="fltp", layout="mono")
        frame.sample_rate = rate
        yield frame


def _check(samples: NDArray[np.float32]) -> None:
    peak = float(np.maximum(samples.max(initial=0.0), -samples.min(initial=0.0)))  # NaN where there is one
    if not np.isfinite(peak):
        raise AudioError("The sound holds samples that are no numbers (NaN or infinity), so it is damaged.")
    if peak > _LOUDEST:
        raise AudioError(f"The samples reach {peak:,.0f}, and full scale is 1: divide them, or give whole numbers.")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 3600:g} hours" if seconds >= 7200 else f"{round(seconds / 60, 1):g} minutes"
