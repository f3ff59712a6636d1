"""Whisper tiny.en as it comes with its package: against CTranslate2's own runtime, on real speech."""

from __future__ import annotations

import copy
import math
import re
import time
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from tests.sounds import encoded, wave_file
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import RATE, Sound, read
from xattn_viz.models import registry
from xattn_viz.models.base import Cancelled
from xattn_viz.models.families.whisper.adapter import WhisperAdapter
from xattn_viz.models.families.whisper.loading import package_folder

ROOT = Path(__file__).parents[3]
CLIPS = sorted([*ROOT.glob("xattn_viz/examples/clips/*.ogg"), *ROOT.glob("tests/clips/*.ogg")])
CLIP = ROOT / "xattn_viz/examples/clips/forward.ogg"
PROMPT = [50257, 50362]  # start of transcript, no timestamps


@pytest.fixture(scope="module")
def adapter() -> WhisperAdapter:
    loaded = registry.load("whisper-tiny-en")
    assert isinstance(loaded, WhisperAdapter)
    return loaded


@pytest.fixture(scope="module")
def runtime() -> Any:
    return ctranslate2.models.Whisper(str(package_folder()), compute_type="float32", intra_threads=1, inter_threads=1)


def features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[Any] = WhisperFeatureExtractor()(samples, sampling_rate=RATE, return_tensors="np")["input_features"]
    return made.astype(np.float32)


def test_there_are_enough_clips_of_enough_speakers() -> None:
    assert len(CLIPS) >= 20
    assert len({path.read_bytes() for path in CLIPS}) == len(CLIPS)
    assert all(path.stat().st_size < 200_000 for path in CLIPS)


@pytest.mark.parametrize("path", CLIPS, ids=[path.stem for path in CLIPS])
def test_the_tokens_are_those_of_the_runtime(path: Path, adapter: WhisperAdapter, runtime: Any) -> None:
    samples = read(path).samples[: 30 * RATE]
    limit = 40  # the loop of one clip would go on to the end of all positions
    trace = adapter.trace(Sound(samples), max_new_tokens=limit)
    audio = ctranslate2.StorageView.from_array(features(samples))
    # The runtime writes half of `max_length`; the other half is for a text before.
    expected = runtime.generate(audio, [PROMPT], beam_size=1, max_length=2 * limit)[0].sequences_ids[0]
    assert [step.id for step in trace.steps if not step.forced and step.id != 50256] == expected
    assert not any("repeats itself" in note for note in trace.remarks)


def test_maps_of_real_speech_equal_eager_attention(adapter: WhisperAdapter) -> None:
    samples = read(ROOT / "xattn_viz/examples/clips/forward.ogg").samples
    trace = adapter.trace(Sound(samples))
    ours = adapter.network.model
    eager: Any = type(ours)._from_config(copy.deepcopy(ours.config), attn_implementation="eager")
    eager.load_state_dict(ours.state_dict())
    with torch.no_grad():
        out = eager.eval()(
            torch.tensor(features(samples)),
            decoder_input_ids=torch.tensor([[50257, *(step.id for step in trace.steps[:-1])]]),
            output_attentions=True,
        )
    for layer, weights in enumerate(out.cross_attentions):
        np.testing.assert_allclose(trace.cross.weights[layer], weights[0].numpy(), atol=1e-5, rtol=0)


def test_the_card_and_the_heads_are_the_checkpoints_own(adapter: WhisperAdapter) -> None:
    # openai/whisper, __init__.py, _ALIGNMENT_HEADS["tiny.en"], unpacked
    assert adapter.alignment_heads == ((1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4))
    said = adapter.trace(Sound(np.zeros(RATE, np.float32)), target="a").alignment_heads
    assert tuple(map(tuple, said)) == adapter.alignment_heads
    assert adapter.card.source_language == "en"
    assert [option.name for option in adapter.card.options] == ["crop", "write_anyway"]


def test_silence_and_loops_are_said(adapter: WhisperAdapter) -> None:
    silence = adapter.trace(Sound(np.zeros(2 * RATE, np.float32)))
    assert any("that nobody speaks here" in note for note in silence.remarks)
    speech = adapter.trace(CLIP)
    assert speech.output == "Go forward 10 meters."
    assert speech.remarks == ()
    eight_times = np.tile(read(ROOT / "tests/clips/clubs.ogg").samples, 8)
    assert adapter.trace(Sound(eight_times)).remarks == ()
    loop = adapter.trace(Sound(eight_times), kinds=("decoder",))  # without its map nobody knows what was heard
    (note,) = loop.remarks
    match = re.fullmatch(r"The model repeats itself: “10 of close,” (\d+) times in a row\. Unless it is said .*", note)
    assert match
    assert int(match[1]) == loop.output.count("10 of close")


def wav_file(samples: NDArray[np.floating], rate: int = RATE) -> bytes:
    samples = samples.astype(np.float32)
    return wave_file(samples, rate, 1 if samples.ndim == 1 else samples.shape[1], kind=3)


@pytest.mark.parametrize(
    "form", ["8 kHz", "192 kHz", "left channel dead", "right channel dead", "one of six channels", "quiet", "loud"]
)
def test_the_words_stay_however_the_sound_comes(form: str, adapter: WhisperAdapter) -> None:
    samples, silence = read(CLIP).samples, np.zeros_like(read(CLIP).samples)
    at = {"8 kHz": 8_000, "192 kHz": 192_000}.get(form, RATE)
    instants = np.arange(0, len(samples) - 1, RATE / at)
    data = {
        "left channel dead": lambda: wav_file(np.stack([silence, samples], axis=1)),
        "right channel dead": lambda: wav_file(np.stack([samples, silence], axis=1)),
        "one of six channels": lambda: wav_file(np.stack([*[silence] * 2, samples, *[silence] * 3], axis=1)),
        "quiet": lambda: wav_file(samples / 100),
        "loud": lambda: wav_file(samples * 8),
    }.get(form, lambda: wav_file(np.interp(instants, np.arange(len(samples)), samples), at))()
    trace = adapter.trace(data)
    assert trace.output.lower() == "go forward 10 meters."
    assert trace.remarks == ()


def test_a_truncated_mp3_is_heard_as_far_as_it_goes(adapter: WhisperAdapter) -> None:
    whole = encoded(read(CLIP).samples[None], "mp3", "libmp3lame", RATE)
    trace = adapter.trace(whole[: len(whole) // 2])
    assert trace.output.startswith("Go forward")
    assert any("damaged or cut off" in note for note in trace.remarks)


@pytest.mark.parametrize("kind", ["noise", "chords", "clicks", "one tone"])
def test_what_is_no_speech_still_gives_maps(kind: str, adapter: WhisperAdapter) -> None:
    t = np.arange(6 * RATE) / RATE
    generator = np.random.default_rng(3)
    sounds = {
        "noise": 0.3 * generator.normal(size=t.size),
        "chords": sum(0.1 * np.sin(2 * np.pi * f * 2 ** (np.floor(2 * t) % 5 / 12) * t) for f in (220, 277, 330)),
        "clicks": 0.9 * (np.arange(t.size) % (RATE // 4) == 0),
        "one tone": np.sin(2 * np.pi * 1000 * t),
    }
    trace = adapter.trace(Sound(np.asarray(sounds[kind], np.float32)), max_new_tokens=60)
    np.testing.assert_allclose(trace.cross.weights.sum(-1), 1, atol=1e-4)  # float32, sums over 1500 frames
    assert trace.speech is not None
    assert 0 <= (trace.speech.no_speech_probability or 0) <= 1
    assert len(trace.steps) <= 62


def test_a_long_recording_is_stopped_within_a_second(adapter: WhisperAdapter) -> None:
    samples = np.tile(read(ROOT / "xattn_viz/examples/clips/dashwood.ogg").samples, 12)
    finished: list[Trace] = []
    stop, computed = math.inf, 0.0

    def goes_on(done: int, total: int) -> bool:
        return time.monotonic() < stop

    def listen() -> None:
        nonlocal stop, computed
        for trace in adapter.traces(Sound(samples), on_step=goes_on, max_new_tokens=30):
            finished.append(trace)
            if len(finished) == 2:
                # In the middle of the third window.
                stop, computed = time.monotonic() + 0.2, time.process_time()

    with pytest.raises(Cancelled):
        listen()
    assert (time.process_time() - computed) < 1  # of computing: others may share the machine
    assert time.monotonic() - stop < 5
    assert len(finished) == 2
    assert 0 == finished[0].offset < finished[1].offset < 30
