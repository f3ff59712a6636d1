"""Sound from outside as samples that a model can read: decoded, mixed to one channel, resampled, checked.

FFmpeg (through PyAV) decodes. It is handed open files only, never names, and reads only the containers in `CONTAINERS`:
others, such as playlists, could make it fetch further files or addresses. PyAV brings FFmpeg's libraries, which are
large, so only who has a sound imports it.
"""

from __future__ import annotations

import importlib.util
import io
import wave
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from numbers import Real
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.records import quoted, read_only, summary
from xattn_viz.inputs import InputError, as_array, is_file, of_mapping, opened
from xattn_viz.inputs.audio_headers import StatedLength, stated_length

#: Samples a second, of every model that we know.
RATE = 16_000
#: Frames a second of every log-mel spectrogram that we know.
MEL_RATE = 100
#: The longest sound that is read, in seconds; its samples take 64 kB a second.
MAX_SECONDS = 2 * 60 * 60
#: FFmpeg's names of the containers: wav, flac, mp3, ogg (Vorbis, Opus), mp4 and m4a, webm, AAC, AIFF, CAF.
CONTAINERS = ("wav", "w64", "flac", "mp3", "ogg", "mov", "mp4", "m4a", "matroska", "webm", "aac", "aiff", "caf")
#: The most channels that an array may have. A side with more is taken for samples.
MOST_CHANNELS = 64
_RATES = (1_000, 768_000)  # samples a second
_LOUDEST = 10.0  # decoders overshoot 1 a little; samples far above are of another scale
_LOUDEST_ARRAY = 2.0  # so does who resamples, by less
_READABLE = "wav, flac, mp3, ogg, m4a and webm can be read"
_MOST_TRACKS = 8  # of a file, in which sound is looked for
_MOST_PACKETS = 10_000  # that are looked through for one beyond the longest sound
_WITH_RATE = "model.trace(samples, sampling_rate=16000)"
# Channels that have nothing to do with each other have a mean of 1 / channels of their mean energy; where it is less
# than a quarter of that over a second, they cancel each other out there. A tenth of the sound, and one is read alone.
_CANCELLED, _CANCELLED_SHARE = 0.25, 0.1

#: Called with the seconds that are decoded so far. It may raise to give up.
OnRead = Callable[[float], object]


@dataclass(frozen=True, eq=False)
class Sound:
    """`samples` `[sample]` float32 at `RATE`, silence at 0 and full scale at 1, and notes for people on how it came in.

    The samples become read-only. Raises InputError for others than floats of one channel.
    """

    samples: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.ndim != 1 or samples.dtype.kind != "f":
            raise InputError(
                f"A Sound has samples [sample] of floats: got {samples.dtype} of {samples.shape}, of which audio.read "
                "makes one."
            )
        object.__setattr__(self, "samples", read_only(samples.astype(np.float32, copy=False)))

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE

    __repr__ = summary


def read(
    source: Any, sampling_rate: Any = None, *, max_seconds: float = MAX_SECONDS, on_read: OnRead | None = None
) -> Sound:
    """The sound of whatever people have; `on_read` is told how far the decoding of a file is (hours take some seconds).

    A file is given by its path, its bytes or open; an array (of numpy, torch or any other library) or a list by its
    samples and the `sampling_rate`, how many of them are a second:

    >>> import io, numpy as np
    >>> tone = np.sin(np.arange(8000) / 8)
    >>> read(tone, sampling_rate=8000).seconds
    1.0
    >>> stereo = np.stack([tone, tone])  # [channel, sample]; [sample, channel] reads as well
    >>> read(stereo, 8000).samples.shape == read(stereo.T, 8000).samples.shape == (16000,)
    True
    >>> whole = np.int16(tone * 32767)  # int16, int32 and uint8 as a WAV file has them
    >>> read((8000, whole)).seconds  # as scipy.io.wavfile.read returns it
    1.0
    >>> read({"array": tone, "sampling_rate": 8000}).seconds  # as datasets of Hugging Face hold it
    1.0
    >>> file = wav(read(tone, 8000).samples)
    >>> [read(given).seconds for given in (file, bytearray(file), io.BytesIO(file), {"bytes": file, "path": None})]
    [1.0, 1.0, 1.0, 1.0]

    An object with `get_all_samples`, as newer datasets hold it, is a sound too, and a `Sound` is itself.

    Channels become one, their mean; where they cancel each other out, the loudest is read alone. Of several tracks the
    first that is not silent is read. A file that is cut or damaged gives what could be decoded. `Sound.notes` says each
    of these. Raises InputError, in one sentence, for anything that holds no sound, is damaged throughout, holds NaN or
    infinity, or lasts longer than `max_seconds`; and for numbers that could be read in two ways.
    """
    source, rate = _unpacked(source, sampling_rate)
    if isinstance(source, Sound):
        _check(source.samples, _LOUDEST)
        return source
    if is_file(source):
        if rate is not None:
            raise InputError("A sound file says its own sampling rate: leave sampling_rate away.")
        with opened(source) as file:
            return _decode(file, max_seconds, on_read)
    array = as_array(source)
    if array is None:
        raise InputError(
            "A sound is a file (its path, its bytes or open) or an array of samples with its sampling_rate: got "
            f"{type(source).__name__}."
        )
    return _from_array(array, rate, max_seconds)


def _unpacked(source: Any, rate: Any) -> tuple[Any, Any]:
    """The sound itself and its rate, of what holds both."""
    said: Any = None
    if isinstance(source, Mapping):
        source, said = _of_mapping(source)
    elif isinstance(source, tuple) and len(source) == 2 and _is_number(source[0]) != _is_number(source[1]):
        source, said = source if _is_number(source[1]) else source[::-1]
    elif callable(getattr(source, "get_all_samples", None)):  # a decoder, as datasets of Hugging Face hold it
        try:
            decoded = source.get_all_samples()
            source, said = decoded.data, decoded.sample_rate
        except Exception as error:  # whatever that library raises
            raise InputError(f"The sound cannot be decoded ({quoted(str(error))}): give its file.") from error
    elif isinstance(source, Sound):
        said = RATE if rate is not None else None
    if said is not None and rate is not None and said != rate:
        raise InputError(f"The sound says that it has {quoted(said)} samples a second, and sampling_rate says another.")
    return source, rate if said is None else said


def _of_mapping(source: Mapping[Any, Any]) -> tuple[Any, Any]:
    for name in ("array", "raw"):
        if source.get(name) is not None:
            return source[name], source.get("sampling_rate")
    return of_mapping(source, "a sound", also='"array" and "sampling_rate", '), None


def _is_number(value: Any) -> bool:
    """Whether this is one number, that of an array or a tensor without axes too."""
    return isinstance(value, Real | np.number) or getattr(value, "ndim", None) == 0


def _from_array(array: NDArray[Any], rate: Any, max_seconds: float) -> Sound:
    if array.ndim not in (1, 2):
        raise InputError(f"Samples are [sample], [channel, sample] or [sample, channel]: got a shape of {array.shape}.")
    if not array.size:
        raise InputError("There are no samples, so there is no sound: give at least a tenth of a second of them.")
    channels = _laid_out(array)
    if rate is None:
        raise InputError(f"Samples do not say how many of them are a second: say it, as in {_WITH_RATE}.")
    per_second = _whole_rate(rate)
    _check_seconds(len(channels) / per_second, max_seconds)
    floats = _full_scale(channels)
    _check(floats, _LOUDEST_ARRAY)
    mix = _Mix(per_second)
    mono = np.concatenate([mix.add(floats[at : at + per_second]) for at in range(0, len(floats), per_second)])
    notes: tuple[str, ...] = ()
    if mix.cancels:
        mono, notes = floats[:, mix.loudest], (_alone(mix.loudest),)
    if per_second != RATE:
        mono = np.concatenate([mono[:0], *(part[:, 0] for part in _resampled(_as_frames(mono, per_second), RATE))])
    return Sound(mono, notes)


def _laid_out(array: NDArray[Any]) -> NDArray[Any]:
    """The samples as `[sample, channel]`."""
    if array.ndim == 1:
        return array[:, None]
    short, long = sorted(array.shape)
    if short > MOST_CHANNELS or long <= MOST_CHANNELS:
        raise InputError(
            f"An array of {array.shape} could be [channel, sample] or [sample, channel]: give one channel, as in "
            "model.trace(samples.mean(axis=0), sampling_rate=16000) for [channel, sample]."
        )
    return array if array.shape[1] == short else array.T


def _whole_rate(rate: Any) -> int:
    least, most = _RATES
    if not _is_number(rate) or isinstance(rate, bool) or not least <= float(rate) <= most or float(rate) % 1:
        raise InputError(f"A sound has between {least:,} and {most:,} samples a second: got {quoted(rate)}.")
    return int(rate)


def _full_scale(array: NDArray[Any]) -> NDArray[np.float32]:
    """Samples of any type as floats, full scale at 1."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # becomes infinity, which is refused
            return array.astype(np.float32)
    if array.dtype == np.uint8:
        return ((array.astype(np.float32) - 128) / 128).astype(np.float32)
    if array.dtype.kind == "i" and array.dtype.itemsize <= 4:
        scale = float(np.iinfo(array.dtype).max) + 1
        return (array / scale).astype(np.float32)
    raise InputError(
        f"Samples are floats from \u22121 to 1, or whole numbers of type int16, int32 or uint8: got {array.dtype}; say "
        "which, as in model.trace(np.asarray(samples, np.int16), sampling_rate=16000)."
    )


def wav(samples: NDArray[np.float32]) -> bytes:
    """A WAV file of 16 bits at `RATE` for a player, from samples `[sample]`; what is beyond full scale is clipped."""
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return packed.getvalue()


def _check_av() -> None:
    if importlib.util.find_spec("av") is None:
        raise InputError('Sounds need the library av: pip install "xattn-viz[speech]".')


def flac(samples: NDArray[np.float32]) -> bytes:
    """A FLAC file of 16 bits at `RATE` for a player: the same samples as `wav`, in about half the bytes."""
    _check_av()
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


@dataclass
class _Mix:
    """Channels on their way to one: their mean, or one of them alone; and whether they cancel each other out."""

    rate: int
    only: int | None = None
    energy: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    _total: float = 0.0
    _cancelled: float = 0.0
    _block: tuple[int, float, float] = (0, 0.0, 0.0)  # samples, energy as it would be if unrelated, energy of the mean

    def add(self, piece: NDArray[np.float32]) -> NDArray[np.float32]:
        """One channel `[sample]` of `[sample, channel]`."""
        channels = piece.shape[1]
        if channels == 1:
            return piece[:, 0]
        if self.only is not None:
            return piece[:, min(self.only, channels - 1)]
        mean: NDArray[np.float32] = piece.mean(axis=1)
        each = np.einsum("sc,sc->c", piece, piece, dtype=np.float64)
        if len(self.energy) < channels:
            self.energy = np.pad(self.energy, (0, channels - len(self.energy)))
        self.energy[:channels] += each
        count, unrelated, mixed = self._block
        self._block = (
            count + len(piece),
            unrelated + float(each.sum()) / channels**2,
            mixed + float(np.einsum("s,s->", mean, mean, dtype=np.float64)),
        )
        if self._block[0] >= self.rate:
            self._settle()
        return mean

    @property
    def cancels(self) -> bool:
        """Whether the channels that were added so far cancel each other out in much of the sound."""
        self._settle()
        return self._cancelled > _CANCELLED_SHARE * self._total

    @property
    def loudest(self) -> int:
        """Which channel is the loudest, from 0."""
        return int(self.energy.argmax())

    def _settle(self) -> None:
        _, unrelated, mixed = self._block
        self._total += unrelated
        self._cancelled += unrelated if mixed < _CANCELLED * unrelated else 0.0
        self._block = (0, 0.0, 0.0)


def _alone(channel: int) -> str:
    return f"The channels cancel each other out (opposite phase): channel {channel + 1}, the loudest, was read alone."


@dataclass(frozen=True)
class _Track:
    """What was decoded of one track of a file that has `tracks`: its samples at `RATE`, and what it says it lasts."""

    samples: NDArray[np.float32]
    tracks: int
    is_damaged: bool
    stated_seconds: float
    mix: _Mix

    @property
    def is_silent(self) -> bool:
        return not self.samples.any()


def _decode(file: BinaryIO, max_seconds: float, on_read: OnRead | None) -> Sound:
    """The first track that is not silent; of a file of silence the first."""
    if not file.read(1):
        raise InputError(f"The file is empty, so it holds no sound: {_READABLE}.")
    _check_av()
    header, found, number, notes = stated_length(file), None, 0, list[str]()
    while found is None or (found.is_silent and number + 1 < min(found.tracks, _MOST_TRACKS)):
        number += found is not None
        track = _read_track(file, header, number, max_seconds, on_read)
        if found is None or not track.is_silent:
            found, at = track, number
    if not len(found.samples):
        raise InputError(f"The file holds no sound that can be decoded: {_READABLE}.")
    _check(found.samples, _LOUDEST)
    if found.tracks > 1:
        notes.append(f"The file has {found.tracks} sound tracks: track {at + 1} was read, and no other.")
    if found.mix.cancels:
        notes.append(_alone(found.mix.loudest))
        found = _read_track(file, header, at, max_seconds, on_read, found.mix.loudest)
    return Sound(found.samples, (*notes, *_length_notes(found, header)))


def _read_track(
    file: BinaryIO,
    header: StatedLength,
    number: int,
    max_seconds: float,
    on_read: OnRead | None,
    only: int | None = None,
) -> _Track:
    import av

    options = {"format_whitelist": ",".join(CONTAINERS)}
    if header.is_short:
        options["ignore_length"] = "1"  # of FFmpeg's reader of WAV
    try:
        with _container(file, options) as container:
            if not container.streams.audio:
                raise InputError("The file holds no sound.")
            if (container.duration or 0) / av.time_base <= max_seconds:
                return _gather(container, number, max_seconds, on_read, only)
            _check_length(container, max_seconds)
        with _container(file, options) as container:  # from its beginning: decoding ends at the bound
            return _gather(container, number, max_seconds, on_read, only)
    except (av.error.FFmpegError, UnicodeError) as error:
        raise InputError(f"This is no sound file, or it is damaged or cut off: {_READABLE}.") from error


def _container(file: BinaryIO, options: dict[str, str]) -> Any:
    import av

    file.seek(0)
    return av.open(file, metadata_errors="ignore", container_options=options)


def _check_length(container: Any, max_seconds: float) -> None:
    """Refuse a sound that is too long before it is decoded: not by what it says, but where there is sound that late."""
    import av

    stream = container.streams.audio[0]
    late = (stream.start_time or 0) + int(max_seconds / Fraction(stream.time_base or 1))
    try:
        container.seek(late, stream=stream)
        packets = islice(container.demux(stream), _MOST_PACKETS)
        is_late = any(packet.pts is not None and packet.pts > late for packet in packets)
    except (av.error.FFmpegError, OverflowError, ValueError):
        return
    if is_late:
        raise InputError(_too_long(max_seconds))


def _gather(container: Any, number: int, max_seconds: float, on_read: OnRead | None, only: int | None) -> _Track:
    # Memory that is never written to is never taken, and one long sound does not lie there twice.
    samples, count, problems = np.empty(int(max_seconds * RATE), np.float32), 0, list[Exception]()
    mix = _Mix(RATE, only)
    for channels in _resampled(_frames(container, number, problems), RATE):
        piece = mix.add(channels)
        if count + len(piece) > len(samples):
            raise InputError(_too_long(max_seconds))
        samples[count : count + len(piece)] = piece
        count += len(piece)
        if on_read is not None:
            on_read(count / RATE)
    samples.resize(count, refcheck=False)
    samples.flags.writeable = False
    said = (container.duration or 0) / 1e6  # FFmpeg counts microseconds
    return _Track(samples, len(container.streams.audio), bool(problems), said, mix)


def _length_notes(track: _Track, header: StatedLength) -> Iterator[str]:
    """What of the file could not be read, or is more than it says."""
    seconds = len(track.samples) / RATE
    said = track.stated_seconds if header.read_share is None else seconds / header.read_share
    if header.is_short:
        yield f"The file\u2019s header says that its sound ends earlier: {_duration(seconds)} were found and read."
    elif seconds < 0.98 * said - 0.2:  # codecs fill their last frame, and some durations are estimates
        yield (
            f"The file is damaged or cut off: {_duration(seconds)} of it could be decoded, of the {_duration(said)} "
            "that it says it has."
        )
    elif track.is_damaged or header.is_cut:
        yield f"The file is damaged or cut off: {_duration(seconds)} of it could be decoded."


def _frames(container: Any, number: int, problems: list[Exception]) -> Iterator[Any]:
    """The decoded frames of a track; packets that cannot be decoded are left out, and named in `problems`."""
    import av

    packets = container.demux(container.streams.audio[number])
    while True:
        try:
            packet = next(packets)
            yield from packet.decode()
        except StopIteration:
            return
        except av.error.FFmpegError as error:  # from `next`, the packets have ended with it
            problems.append(error)


def _resampled(frames: Iterable[Any], rate: int) -> Iterator[NDArray[np.float32]]:
    """Frames of any kind as samples `[sample, channel]` at `rate`."""
    _check_av()
    import av

    resampler, shape = None, None
    for frame in chain(frames, [None]):
        now = frame and (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
        if resampler is not None and now != shape:  # a file may change in the middle
            yield from map(_samples, resampler.resample(None))
            resampler = None
        if frame is None:
            return
        # Channels side by side ("flt"): PyAV reads beyond memory where more than eight have planes of their own.
        resampler, shape = resampler or av.AudioResampler(format="flt", rate=rate), now
        frame.pts = None  # gaps in the times would be refused
        yield from map(_samples, resampler.resample(frame))


def _samples(frame: Any) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
    return samples


def _as_frames(mono: NDArray[np.float32], rate: int) -> Iterator[Any]:
    """Samples `[sample]` at `rate` as frames of a second."""
    import av

    for start in range(0, len(mono), rate):
        frame = av.AudioFrame.from_ndarray(mono[None, start : start + rate], format="fltp", layout="mono")
        frame.sample_rate = rate
        yield frame


def _check(samples: NDArray[np.float32], loudest: float) -> None:
    peak = float(np.maximum(samples.max(initial=0.0), -samples.min(initial=0.0)))  # NaN where there is one
    if not np.isfinite(peak):
        raise InputError("The sound holds samples that are no numbers (NaN or infinity), so it is damaged.")
    if peak > loudest:
        raise InputError(f"The samples reach {peak:,.6g}, and full scale is 1: divide them, or give whole numbers.")


def _check_seconds(seconds: float, max_seconds: float) -> None:
    if seconds > max_seconds:
        raise InputError(_too_long(max_seconds))


def _too_long(max_seconds: float) -> str:
    return f"The sound lasts longer than {_duration(max_seconds)}: cut it into parts."


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 3600:g} hours" if seconds >= 7200 else f"{round(seconds / 60, 1):g} minutes"
