"""Sounds in which nobody speaks: no words are invented, times stay inside, and speech is never taken for silence."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import xattn_viz as xv
from tests.models.families.whisper_folders import sound, write
from xattn_viz.examples import clips
from xattn_viz.inputs.audio import RATE, Sound, read
from xattn_viz.models.base import Adapter, ModelError
from xattn_viz.models.families.whisper.sound import FeatureExtractor, Window, may_be_silent

CLIPS = sorted(Path(__file__).parents[2].glob("clips/*.ogg"))
SILENCE = np.zeros(5 * RATE, np.float32)


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    return xv.load("whisper-tiny-en")


@pytest.fixture(scope="module")
def moonshine(tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    return xv.load(write(tmp_path_factory.mktemp("moonshine"), "moonshine"))


def noise(seconds: float, decibels: float, seed: int = 0) -> NDArray[np.float32]:
    made = np.random.default_rng(seed).normal(size=round(seconds * RATE)) * 10 ** (decibels / 20)
    return made.astype(np.float32)


def clicks(seconds: float) -> NDArray[np.float32]:
    return np.where(np.arange(round(seconds * RATE)) % 4000 == 0, 0.9, 0).astype(np.float32)


def tone(seconds: float) -> NDArray[np.float32]:
    return (0.3 * np.sin(np.arange(round(seconds * RATE)) / 5)).astype(np.float32)


ODD = {
    "zeros": SILENCE,
    "a tenth of a second of zeros": SILENCE[:1600],
    "a tenth and a bit": SILENCE[:1777],
    "noise": noise(1.003, -20),
    "a tenth of noise": noise(0.1, -20),
    "a tone": tone(1.5),
    "clicks": clicks(1.01),
    "one click": clicks(0.11),
    "a click and silence": np.concatenate([clicks(0.1), SILENCE[:RATE]]),
    "a tenth of speech": clips.sound("forward").samples[8000:9600],
    "a third of speech": clips.sound("forward").samples[8000:13333],
}


@pytest.mark.parametrize("name", ODD)
def test_times_lie_inside_whatever_the_sound_holds(name: str, adapter: Adapter) -> None:
    samples = ODD[name]
    trace = adapter.trace(Sound(samples), write_anyway=True, max_new_tokens=8, crop=True)
    words, seconds = xv.timed_words(trace), len(samples) / RATE
    assert all(0 <= word.start < word.end <= seconds for word in words)
    assert all(before.end <= word.start for before, word in pairwise(words))
    times = trace.cross.keys.times
    assert times is not None
    assert times[-1][0] <= seconds + 0.0125  # the last frame that hears any of it, which reaches beyond
    assert not trace.cross.keys.is_special.any()


def test_words_end_before_the_sound_does(adapter: Adapter) -> None:
    for slug in ("forward", "spades"):
        whole = clips.sound(slug)
        loud = np.flatnonzero(np.abs(whole.samples) > 0.05)
        for cut in (loud[-1], loud[-1] - 1111):  # in the middle of the last word
            words = xv.timed_words(adapter.trace(Sound(whole.samples[:cut]), target="One two three.", crop=True))
            assert words[-1].end <= cut / RATE


@pytest.mark.parametrize(
    "samples", [SILENCE, SILENCE[:1600], noise(3, -60), noise(3, -30), noise(1, -10)], ids=range(5)
)
def test_where_nobody_speaks_nothing_is_written(samples: NDArray[np.float32], adapter: Adapter) -> None:
    trace = adapter.trace(Sound(samples), kinds=("cross", "decoder"))
    assert trace.output == ""
    assert [step.token for step in trace.steps] == ["<|nocaptions|>", "<|endoftext|>"]
    assert xv.timed_words(trace) == ()
    (note,) = trace.remarks
    assert "no words were written" in note
    assert "write_anyway" in note
    assert trace.provenance["decoding"]["method"] == "none: nobody speaks"
    assert trace.speech is not None
    assert np.exp(trace.steps[0].log_prob) == pytest.approx(trace.speech.no_speech_probability)
    np.testing.assert_allclose(trace.cross.weights.sum(-1), 1, atol=1e-4)
    assert adapter.plain(Sound(samples)) == ""  # type: ignore[attr-defined]
    assert xv.rerun(trace) == trace
    for text in (xv.export.html(trace), xv.export.json(trace), xv.export.csv(trace), xv.export.svg(trace)):
        assert text
    for made in xv.subtitles.FORMATS.values():
        made((), len(samples) / RATE)


def test_what_the_model_would_write_can_be_seen(adapter: Adapter) -> None:
    trace = adapter.trace(Sound(SILENCE), write_anyway=True, crop=True)
    assert trace.output == "you"
    assert trace.provenance["settings"]["write_anyway"] is True
    assert any("nobody speaks here" in note for note in trace.remarks)
    assert xv.rerun(trace) == trace
    assert trace.cross.keys.times is not None
    assert trace.cross.keys.times[-1][1] == pytest.approx(5)
    # What somebody gives is written, too, and a setting that is not asked for is not among the settings.
    everything: list[dict[str, Any]] = [{"target": "One."}, {"prefix": "One"}]
    for given in everything:
        spoken = adapter.trace(Sound(SILENCE), max_new_tokens=2, **given)
        assert spoken.output.startswith("One")
        assert "write_anyway" not in spoken.provenance["settings"]
    with pytest.raises(ModelError, match="write_anyway is True or False"):
        adapter.trace(Sound(SILENCE), write_anyway="yes")
    with pytest.raises(ModelError, match="seconds that a log-mel lasts"):
        adapter.trace(Sound(SILENCE), seconds=float("nan"))


def test_a_long_recording_goes_on_behind_a_silent_window(adapter: Adapter) -> None:
    spoken = clips.sound("forward").samples
    samples = np.concatenate([np.zeros(31 * RATE, np.float32), spoken])
    first, second = adapter.traces(Sound(samples), crop=True)
    assert first.output == ""
    assert second.output == "Go forward 10 meters."
    words = xv.timed_words(second)
    assert words[0].start >= 31
    assert words[-1].end <= len(samples) / RATE


@pytest.mark.parametrize("level", [1.0, 0.01, 0.001])
def test_speech_is_not_steady_however_quiet(level: float) -> None:
    whisper, moonshine = FeatureExtractor(80), FeatureExtractor(None)
    for path in CLIPS:
        heard = Window(read(path).samples[: 30 * RATE] * np.float32(level))
        assert not may_be_silent(whisper.extract(heard), has_word=True), path.stem
        assert not may_be_silent(moonshine.extract(heard), has_word=False), path.stem


def test_a_model_without_a_word_for_it_takes_only_silence_for_silence(moonshine: Adapter) -> None:
    for samples in (SILENCE[:RATE], noise(1, -80)):
        trace = moonshine.trace(Sound(samples))
        assert trace.output == ""
        assert [step.token for step in trace.steps] == ["</s>"]
        assert "The sound is silent" in trace.remarks[0]
        assert xv.rerun(trace) == trace
        assert moonshine.trace(Sound(samples), write_anyway=True, max_new_tokens=3).output
    for samples in (noise(1, -30), tone(1), sound(1)):
        assert moonshine.trace(Sound(samples), max_new_tokens=3).output


def test_every_model_that_hears_has_the_option(moonshine: Adapter, adapter: Adapter) -> None:
    options: list[Any] = [
        {option.name: option.default for option in model.card.options} for model in (moonshine, adapter)
    ]
    assert options == [{"write_anyway": False}, {"crop": False, "write_anyway": False}]
