"""Sound files of every kind: what was encoded comes out at the right time, what is no sound is named."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.sounds import chirp, encoded, wave_file
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import RATE, Sound, flac, frame_times, read, wav

# Container, codec, rate: what people upload and what browsers record.
KINDS = [
    ("wav", "pcm_s16le", 44_100),
    ("wav", "pcm_f32le", 192_000),
    ("wav", "pcm_mulaw", 8_000),
    ("flac", "flac", 48_000),
    ("mp3", "libmp3lame", 44_100),
    ("ogg", "libopus", 48_000),
    ("ogg", "vorbis", 44_100),
    ("ipod", "aac", 44_100),
    ("webm", "libopus", 48_000),
]


def lag(found: NDArray[np.float32], expected: NDArray[np.float32]) -> tuple[int, float]:
    """By how many samples `found` is late, and how well it fits there (1 is perfectly)."""
    n = 1 << int(np.ceil(np.log2(len(found) + len(expected))))
    product = np.fft.irfft(np.fft.rfft(found, n) * np.conj(np.fft.rfft(expected, n)), n)
    at = int(product.argmax())
    return (at if at < n // 2 else at - n), float(product.max() / np.linalg.norm(found) / np.linalg.norm(expected))


@pytest.mark.parametrize(("container", "codec", "rate"), KINDS, ids=[f"{c}-{k}-{r}" for c, k, r in KINDS])
def test_every_kind_comes_out_on_time(container: str, codec: str, rate: int) -> None:
    channels = np.repeat(chirp(rate)[None], 2, axis=0) if codec == "vorbis" else chirp(rate)[None]
    sound = read(encoded(channels, container, codec, rate))
    late, fit = lag(sound.samples, chirp(RATE))
    assert sound.notes == ()
    assert sound.samples.dtype == np.float32
    assert abs(late) <= 32  # 2 ms: a tenth of the finest time step of a model
    assert fit > 0.97  # lossy codecs, and telephone sound ends at 4 kHz
    assert abs(sound.seconds - 2) < 0.06  # codecs fill their last frame
    assert sound.samples[RATE // 2 : -RATE // 2].std() == pytest.approx(0.5**1.5, rel=0.05)


def test_a_path_reads_as_its_bytes(tmp_path: Path) -> None:
    data = encoded(chirp(RATE)[None], "flac", "flac", RATE)
    (tmp_path / "http:x.flac").write_bytes(data)  # a name that FFmpeg would take for an address
    np.testing.assert_array_equal(read(tmp_path / "http:x.flac").samples, read(data).samples)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "missing.wav")


def test_channels_are_averaged_and_a_dead_one_only_makes_it_quieter() -> None:
    mono = chirp(RATE)
    dead = np.stack([mono, np.zeros_like(mono)])
    np.testing.assert_allclose(read(wave_file(dead.T.copy(), channels=2, kind=3)).samples, mono / 2, atol=1e-6)
    np.testing.assert_allclose(read(dead.T, RATE).samples, mono / 2, atol=1e-6)


def test_more_channels_than_any_layout_has() -> None:
    many = np.repeat(chirp(RATE)[:, None], 40, axis=1)
    np.testing.assert_allclose(read(wave_file(many, channels=40, kind=3)).samples, chirp(RATE), atol=1e-6)


def test_arrays_of_any_rate_and_type() -> None:
    np.testing.assert_array_equal(read(chirp(RATE), RATE).samples, chirp(RATE))
    whole = (chirp(RATE) * 32768).astype(np.int16)
    np.testing.assert_allclose(read(whole, RATE).samples, chirp(RATE), atol=1 / 32768)
    for rate in (8_000, 22_050, 44_100, 192_000):
        sound = read(chirp(rate), rate)
        late, fit = lag(sound.samples, chirp(RATE))
        assert abs(late) <= 1
        assert fit > 0.99
        assert abs(len(sound.samples) - 2 * RATE) <= 20


def test_a_file_written_for_a_player_reads_back() -> None:
    np.testing.assert_allclose(read(wav(chirp(RATE))).samples, chirp(RATE), atol=1 / 32767)
    assert np.abs(read(wav(4 * chirp(RATE))).samples).max() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"just some text, named .wav\n" * 50, "no sound file"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "no sound"),
        (wave_file(np.zeros(0, np.int16)), "no sound"),
        (wave_file(np.array([0, np.nan, 0], np.float32), kind=3), "no numbers"),
        (wave_file(np.array([0, 30_000, 0], np.float32), kind=3), "reach 30,000"),
    ],
)
def test_what_is_no_sound_is_named(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(data)


@pytest.mark.parametrize(
    "playlist", ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n", "ffconcat version 1.0\nfile {}\n"]
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, playlist: str) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(chirp(RATE)))
    (tmp_path / "list.wav").write_text(playlist.format(secret))
    for source in (tmp_path / "list.wav", (tmp_path / "list.wav").read_bytes()):
        with pytest.raises(InputError):
            read(source)


def test_a_truncated_mp3_gives_its_beginning() -> None:
    whole = encoded(chirp(44_100)[None], "mp3", "libmp3lame", 44_100)
    sound = read(whole[: len(whole) // 2])
    assert 0.8 < sound.seconds < 1.2
    assert lag(sound.samples, chirp(RATE)[: len(sound.samples)])[1] > 0.95


@pytest.mark.parametrize(("container", "codec", "rate"), KINDS, ids=[f"{c}-{k}-{r}" for c, k, r in KINDS])
def test_damage_gives_sound_or_a_sentence(container: str, codec: str, rate: int) -> None:
    whole = encoded(np.repeat(chirp(rate)[None], 2, axis=0), container, codec, rate)
    generator = np.random.default_rng(5)
    read_some = 0
    for length in np.linspace(0, len(whole) - 1, 12).astype(int):
        noisy = np.frombuffer(whole, np.uint8).copy()
        noisy[generator.integers(0, len(whole), 20)] = generator.integers(0, 256, 20)
        for data in (whole[:length], noisy.tobytes()):
            try:
                sound = read(data)
            except InputError:
                continue
            assert np.isfinite(sound.samples).all()
            read_some += 1
    assert read_some


def test_damage_in_the_middle_is_noted() -> None:
    whole = bytearray(encoded(chirp(48_000, 4)[None], "flac", "flac", 48_000))
    whole[len(whole) // 2 : len(whole) // 2 + 40_000] = bytes(40_000)
    assert any("damaged" in note for note in read(bytes(whole)).notes)


def test_a_long_sound_is_refused_before_it_fills_memory() -> None:
    silence = io.BytesIO()
    with wave.open(silence, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * RATE * 600))
    data = silence.getvalue()
    tracemalloc.start()
    with pytest.raises(InputError, match=r"longer than 60\.0 s"):
        read(data, max_seconds=60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6  # a minute takes 4 MB
    assert read(data).seconds == pytest.approx(600, abs=0.1)


def test_a_reader_hears_how_far_it_is_and_can_give_up() -> None:
    data, seen = wav(chirp(RATE)), list[float]()
    sound = read(data, on_read=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == sound.seconds
    with pytest.raises(KeyError):
        read(data, on_read=dict[float, object]().__getitem__)


def test_reading_a_long_sound_takes_little_more_memory_than_its_samples(tmp_path: Path) -> None:
    seconds = 1800
    data = 2 * RATE * seconds
    with (tmp_path / "long.wav").open("wb") as file:  # its silence takes no room on the disk
        file.write(wave_file(np.zeros(0, np.int16))[:-4] + struct.pack("<I", data))
        file.truncate(44 + data)
    code = (
        "import av, resource, sys\n"
        "from xattn_viz.inputs.audio import read\n"
        "unit = 1 if sys.platform == 'darwin' else 1024\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit\n"
        "before, sound = peak(), read(sys.argv[1])\n"
        "print(sound.seconds, (peak() - before) / sound.samples.nbytes)"
    )
    # Started by a shell: a process inherits the peak of the one that starts it, and that of the tests is high.
    command = ["sh", "-c", '"$0" -c "$1" "$2"; exit $?', sys.executable, code, str(tmp_path / "long.wav")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, share = map(float, done.stdout.split())
    assert found == seconds
    assert 1 <= share < 1.15  # 115 MB of samples, and some for FFmpeg


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros((2, 3, 4), np.float32), RATE, r"\[channel, sample\] or \[sample, channel\]"),
        (np.zeros(9, complex), RATE, "complex128"),
        (np.zeros(9, np.float32), 0, "samples a second"),
        (np.array([np.inf]), RATE, "no numbers"),
        (np.array([0.5, -np.inf, 0.5]), RATE, "no numbers"),
        (np.array([300.0]), RATE, "reach 300"),
    ],
)
def test_arrays_that_do_not_fit_are_named(samples: NDArray[Any], rate: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(samples, rate)


def test_a_sound_is_read_only_and_knows_its_times() -> None:
    sound = Sound(np.zeros(RATE, np.float32))
    assert sound.seconds == 1
    assert not sound.samples.flags.writeable
    assert frame_times(3, 0.02, 30.0) == ((30.0, 30.02), (30.02, 30.04), (30.04, 30.06))


def test_flac_holds_the_samples_of_wav_in_less() -> None:
    samples = np.clip(1.2 * chirp(RATE), -1.1, 1.1)
    packed, plain = flac(samples), wav(samples)
    assert packed[:4] == b"fLaC"
    assert len(packed) < 0.8 * len(plain)
    assert np.array_equal(read(packed).samples, read(plain).samples)
