"""What is sent of a sound: its maps without padding, its spectrogram, its words, and the file itself, all small."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import xattn_viz as xv
from tests.web.explorer.packed import ROUNDING, planted, unpacked, weights_of
from xattn_viz.analysis import timing
from xattn_viz.analysis.timing import loud_frames
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.inputs import audio
from xattn_viz.web.explorer import pack
from xattn_viz.web.explorer.sound import Playback

CLIP = "muted"  # 11.1 seconds
SMALL = 500_000


@cache
def spoken() -> tuple[Trace, Playback]:
    """A real trace of a clip, and the clip with its words in time."""
    sound = clips.sound(CLIP)
    trace = xv.load("whisper-tiny-en").trace(sound)
    playback = Playback(audio.flac(sound.samples), timing.timed_words(trace), timing.warping_path(trace.cross))
    return trace, playback


def own(trace: Trace) -> int:
    return int((~trace.cross.keys.is_special).sum())


def test_everything_but_the_sound_is_small() -> None:
    trace, playback = spoken()
    assert clips.sound(CLIP).seconds > 11
    whole, without = pack(trace, playback=playback), pack(trace)
    sound = len(playback.sound)
    assert len(whole) - sound < SMALL
    assert len(without) < len(whole) - sound
    assert sound < 0.75 * len(audio.wav(clips.sound(CLIP).samples))


def test_maps_are_sent_without_padding_and_say_what_rests_on_it() -> None:
    trace, _ = spoken()
    weights, count = trace.cross.weights, own(trace)
    shape = (weights.shape[2], count)
    assert count < weights.shape[3]
    header, data = unpacked(pack(trace, full_limit=None))
    times = trace.cross.keys.times or ()
    assert header["keys"]["edges"] == pytest.approx([0.0, *(end for _, end in times[:count])], abs=1e-4)
    assert header["exact"] is None
    assert header["tiles"] is None
    for view in header["views"]:
        if view["head"] is None:
            continue
        exact = weights[view["layer"], view["head"]]
        assert np.abs(weights_of(view, data, shape) - exact[:, :count]).max() <= ROUNDING * view["scale"] + 1e-7
        padding = np.frombuffer(data, np.uint8, shape[0], view["padding"]) / 255
        assert np.abs(padding - exact[:, count:].sum(1)).max() <= ROUNDING + 1e-6
    mean = next(view for view in header["views"] if view["reduce"] == "mean" and view["layer"] is None)
    padding = np.frombuffer(data, np.uint8, shape[0], mean["padding"]) / 255
    assert np.abs(padding - weights[..., count:].sum(-1).mean((0, 1))).max() <= ROUNDING + 1e-6


def test_one_layer_is_sent_and_the_others_are_pooled_in_time() -> None:
    trace, _ = spoken()
    header, data = unpacked(pack(trace, layer=1))
    assert {view["layer"] for view in header["views"] if "at" in view} == {1, None}
    count, rows = own(trace), len(trace.cross.queries)
    tile_rows, columns = header["tiles"]
    assert (tile_rows, columns) == (rows, 64)
    view = header["views"][3]
    tile = np.frombuffer(data, np.uint8, tile_rows * columns, view["tile"]).reshape(tile_rows, columns)
    starts = np.arange(columns) * count // columns
    pooled = np.maximum.reduceat(trace.cross.weights[0, 3, :, :count], starts, axis=1)
    assert np.abs(tile * (view["scale"] / 255) - pooled).max() <= ROUNDING


def test_weight_on_padding_that_was_left_out_before_is_known() -> None:
    trace, _ = spoken()
    cropped = trace.cross.without_special()
    header, data = unpacked(pack(replace(trace, maps=(cropped,), steps=())))
    view = next(view for view in header["views"] if "padding" in view)
    padding = np.frombuffer(data, np.uint8, len(cropped.queries), view["padding"]) / 255
    wanted = 1 - cropped.weights[view["layer"], view["head"]].sum(1)
    assert np.abs(padding - wanted).max() <= ROUNDING + 1e-6
    assert header["sound"]["padding"] == 0


def test_the_spectrogram_the_words_and_the_file_come_back() -> None:
    trace, playback = spoken()
    header, data = unpacked(pack(trace, playback=playback))
    sound, count = header["sound"], own(trace)
    assert (sound["start"], sound["end"], sound["offset"]) == (0, pytest.approx(count * 0.02), 0)
    assert sound["padding"] == pytest.approx(30 - count * 0.02)
    mel = sound["mel"]
    exact = np.asarray(trace.input)[:, : 2 * count]
    assert exact.shape == (mel["bands"], mel["frames"])
    sent = np.frombuffer(data, np.uint8, exact.size, mel["at"]).reshape(exact.shape) / 255
    assert np.abs(sent * np.ptp(exact) + exact.min() - exact).max() <= ROUNDING * np.ptp(exact) + 1e-5
    loud = np.flatnonzero(loud_frames(trace))
    assert sound["speech"] == pytest.approx([loud[0] * 0.02, (loud[-1] + 1) * 0.02], abs=1e-4)
    assert [word[0] for word in sound["words"]] == [word.text for word in playback.words]
    for packed, word in zip(sound["words"], playback.words, strict=True):
        told = [word.start, word.end, *word.rows, word.confidence, False, word.start_margin, word.end_margin]
        assert packed[1:] == pytest.approx(told, abs=1e-4)
    path = playback.path
    assert path is not None
    for row, start, end in sound["path"]:
        frames = path.frames[path.rows == row]
        assert (start, end) == (pytest.approx(frames.min() * 0.02), pytest.approx((frames.max() + 1) * 0.02))
    file = sound["audio"]
    assert data[file["at"] : file["at"] + file["bytes"]] == playback.sound
    assert file["type"] == "audio/flac"


def test_a_long_spectrogram_is_averaged_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, _ = spoken()
    monkeypatch.setattr("xattn_viz.web.explorer.sound.SPECTROGRAM_CELLS", 80 * own(trace))
    header, data = unpacked(pack(trace))
    mel, exact = header["sound"]["mel"], np.asarray(trace.input)[:, : 2 * own(trace)]
    mean = exact.reshape(80, -1, 2).mean(2)
    assert (mel["frames"], mel["seconds"]) == (mean.shape[1], pytest.approx(0.02))
    sent = np.frombuffer(data, np.uint8, mean.size, mel["at"]).reshape(mean.shape) / 255
    assert np.abs(sent * np.ptp(mean) + mean.min() - mean).max() <= ROUNDING * np.ptp(mean) + 1e-5


def test_of_samples_the_loudness_is_shown_and_no_spectrogram() -> None:
    trace, _ = spoken()
    samples = clips.sound(CLIP).samples
    header, data = unpacked(pack(replace(trace, input=samples)))
    samples = samples[: own(trace) * 320]
    sound = header["sound"]
    assert "mel" not in sound
    envelope = sound["envelope"]
    peaks = np.array([np.abs(samples[i : i + 160]).max() for i in range(0, len(samples), 160)])
    sent = np.frombuffer(data, np.uint8, envelope["frames"], envelope["at"])
    assert np.abs(sent / 255 * peaks.max() - peaks).max() <= ROUNDING * peaks.max() + 1e-6


def test_what_is_no_sound_of_this_trace_is_refused() -> None:
    trace, playback = spoken()
    with pytest.raises(ValueError, match="WAV or FLAC"):
        Playback(clips.data(CLIP))
    short = replace(playback, words=(replace(playback.words[0], rows=(500, 500)),))
    with pytest.raises(ValueError, match=f"'{playback.words[0].text}' is of another trace"):
        pack(trace, playback=short)


def test_text_carries_nothing_of_sound() -> None:
    header, _ = unpacked(pack(planted()))
    assert "sound" not in header
    assert not any("padding" in view for view in header["views"])
