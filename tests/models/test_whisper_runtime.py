"""Whisper tiny.en as it comes with its package: against CTranslate2's own runtime, on real speech."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from xattn_viz.audio import RATE, read
from xattn_viz.models import registry
from xattn_viz.models.whisper.adapter import WhisperAdapter
from xattn_viz.models.whisper.loading import package_folder

ROOT = Path(__file__).parents[2]
CLIPS = sorted([*ROOT.glob("xattn_viz/examples/clips/*.ogg"), *ROOT.glob("tests/clips/*.ogg")])
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
    trace = adapter.trace(samples, max_new_tokens=limit)
    audio = ctranslate2.StorageView.from_array(features(samples))
    # The runtime writes half of `max_length`; the other half is for a text before.
    expected = runtime.generate(audio, [PROMPT], beam_size=1, max_length=2 * limit)[0].sequences_ids[0]
    assert [step.id for step in trace.steps if not step.forced and step.id != 50256] == expected


def test_maps_of_real_speech_equal_eager_attention(adapter: WhisperAdapter) -> None:
    samples = read(ROOT / "xattn_viz/examples/clips/forward.ogg").samples
    trace = adapter.trace(samples)
    ours = adapter.model.runner.model
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
    said = adapter.trace(np.zeros(RATE, np.float32), target="a").provenance["alignment_heads"]
    assert tuple(map(tuple, said)) == adapter.alignment_heads
    assert adapter.card.source_language == "en"
    assert [option.name for option in adapter.card.options] == ["crop"]


def test_silence_and_loops_are_said(adapter: WhisperAdapter) -> None:
    silence = adapter.trace(np.zeros(2 * RATE, np.float32))
    assert any("that nobody speaks here" in note for note in silence.provenance["notes"])
    loop = adapter.trace(ROOT / "xattn_viz/examples/clips/monkeys.ogg")
    assert any("repeats itself" in note for note in loop.provenance["notes"])
    speech = adapter.trace(ROOT / "xattn_viz/examples/clips/forward.ogg")
    assert speech.output == "Go forward 10 meters."
    assert speech.provenance["notes"] == []
