"""Small speech recognisers from folders, against transformers itself: generate, eager attention, step by step."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSpeechSeq2Seq, GenerationMixin, WhisperFeatureExtractor

from tests.models.families.whisper_folders import KINDS, SPECIAL, sound, write
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import RATE, Sound, wav
from xattn_viz.models import registry
from xattn_viz.models.base import Cancelled, ModelError
from xattn_viz.models.families.whisper.adapter import WhisperAdapter
from xattn_viz.models.families.whisper.network import POOLED_FRAMES
from xattn_viz.models.registry import rerun, with_projections

TOLERANCE = 1e-5  # float32, the same softmax summed in another order
SOUND = sound(1)
HEARD = Sound(SOUND)
ALL = pytest.mark.parametrize("kind", KINDS)
BEAMS = pytest.mark.parametrize("beams", [1, 3])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("checkpoints")
    return cache(lambda kind: write(root / kind, kind))


@pytest.fixture
def adapter(folders: Any, kind: str) -> WhisperAdapter:
    return load(folders(kind))


def load(folder: Path) -> WhisperAdapter:
    loaded = registry.load(folder)
    assert isinstance(loaded, WhisperAdapter)
    return loaded


class Peer:
    """The same checkpoint as transformers loads it, with its eager attention."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.model: Any = AutoModelForSpeechSeq2Seq.from_pretrained(folder, attn_implementation="eager").eval()
        self.kind = kind

    def values(self, samples: NDArray[np.float32]) -> torch.Tensor:
        if self.kind == "moonshine":
            return torch.tensor(samples)[None]
        made: torch.Tensor = WhisperFeatureExtractor()(samples, sampling_rate=RATE, return_tensors="pt").input_features
        return made

    @torch.no_grad()
    def generate(self, samples: NDArray[np.float32], begin: list[int], **settings: Any) -> Any:
        begin_ids = torch.tensor([[1, *begin]])
        return GenerationMixin.generate(
            self.model,
            self.values(samples),
            decoder_input_ids=begin_ids,
            do_sample=False,
            max_length=40,
            return_dict_in_generate=True,
            **settings,
        )

    @torch.no_grad()
    def run(self, samples: NDArray[np.float32], read: list[int]) -> Any:
        return self.model(self.values(samples), decoder_input_ids=torch.tensor([read]), output_attentions=True)


@pytest.fixture
def peer(folders: Any, kind: str) -> Peer:
    return Peer(folders(kind), kind)


def prompt(trace: Any) -> list[int]:
    return [step.id for step in trace.steps if step.forced]


@ALL
@BEAMS
def test_it_writes_what_the_library_writes(kind: str, beams: int, adapter: WhisperAdapter, peer: Peer) -> None:
    trace = adapter.trace(HEARD, num_beams=beams)
    found = peer.generate(SOUND, prompt(trace), num_beams=beams, num_return_sequences=beams, output_scores=beams > 1)
    written = [step.id for step in trace.steps]
    assert written == found.sequences[0, 1:].tolist()[: len(written)]
    assert adapter.plain(HEARD, num_beams=beams) == trace.output
    if beams > 1:
        assert len(trace.hypotheses) == beams - 1
        second = adapter.trace(HEARD, num_beams=beams, hypothesis=1)
        assert [step.id for step in second.steps] == found.sequences[1, 1:].tolist()[: len(second.steps)]
        assert trace.hypotheses[0].text == second.output


@ALL
@BEAMS
def test_maps_equal_eager_attention(kind: str, beams: int, adapter: WhisperAdapter, peer: Peer) -> None:
    kinds: tuple[MapKind, ...] = ("cross", "decoder") if beams > 1 else ("cross", "encoder", "decoder")
    trace = adapter.trace(HEARD, num_beams=beams, kinds=kinds)
    out = peer.run(SOUND, [1, *(step.id for step in trace.steps[:-1])])
    for maps, expected in ((trace.cross, out.cross_attentions), (trace.decoder, out.decoder_attentions)):
        assert len(maps.layers) == len(expected)
        for layer, weights in enumerate(expected):
            np.testing.assert_allclose(maps.weights[layer], weights[0].numpy(), atol=TOLERANCE, rtol=0)
    if beams == 1:
        _check_encoder(trace.encoder, out.encoder_attentions)
    log_probs = out.logits[0].log_softmax(-1)
    for row, step in enumerate(trace.steps):
        assert step.log_prob == pytest.approx(float(log_probs[row, step.id]), abs=1e-3)
        assert [other.id for other in step.alternatives] == log_probs[row].topk(5).indices.tolist()


def _check_encoder(maps: AttentionMaps, expected: Any) -> None:
    assert maps.altered == ("aggregated",)
    for layer, weights in enumerate(expected):
        n = weights.shape[-1]
        bins = np.arange(n) // POOLED_FRAMES
        share = (bins[:, None] == np.arange(bins[-1] + 1)).astype(np.float32)  # [frame, pool]
        pooled = (share / share.sum(0)).T @ weights[0].numpy() @ share
        np.testing.assert_allclose(maps.weights[layer], pooled, atol=TOLERANCE, rtol=0)


@ALL
def test_projections_give_the_weights(kind: str, adapter: WhisperAdapter) -> None:
    trace = adapter.trace(HEARD, kinds=("cross", "decoder"), keep_projections=True)
    for maps in trace.maps:
        assert maps.projections is not None
        for layer in maps.layers:
            scores = maps.projections.scores(layer, 1)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            np.testing.assert_allclose(weights / weights.sum(-1, keepdims=True), maps.head(layer, 1), atol=TOLERANCE)


@ALL
def test_forced_is_step_by_step(kind: str, adapter: WhisperAdapter, peer: Peer) -> None:
    trace = adapter.trace(HEARD, target="The cat sat.")
    ids = [step.id for step in trace.steps]
    assert all(step.forced for step in trace.steps)
    assert trace.output == "The cat sat."
    assert ids[-1] == adapter.network.model.generation_config.eos_token_id
    values, cache_, total = peer.values(SOUND), None, 0.0
    # What a model's own cache is called: 5.24 renamed it here, and warns of the name before.
    cache_name = "cache" if "cache" in inspect.signature(peer.model.forward).parameters else "past_key_values"
    with torch.no_grad():
        encoded = peer.model.get_encoder()(values)
        for row, read in enumerate([1, *ids[:-1]]):  # one token at a time, with the library's own cache
            out = peer.model(
                encoder_outputs=encoded,
                decoder_input_ids=torch.tensor([[read]]),
                use_cache=True,
                output_attentions=True,
                **{cache_name: cache_},
            )
            cache_ = out[cache_name]
            total += float(out.logits[0, 0].log_softmax(-1)[ids[row]])
            for layer, weights in enumerate(out.cross_attentions):
                np.testing.assert_allclose(trace.cross.weights[layer, :, row], weights[0, :, 0], atol=TOLERANCE, rtol=0)
    assert sum(step.log_prob for step in trace.steps) == pytest.approx(total, abs=1e-3)


@ALL
def test_frames_have_times_and_padding_is_special(kind: str, adapter: WhisperAdapter) -> None:
    trace = adapter.trace(HEARD, offset=10.0)
    keys = trace.cross.keys
    assert keys.kind == "audio"
    assert keys.times is not None
    step = 384 / RATE if kind == "moonshine" else 0.02
    np.testing.assert_allclose(keys.times, [[10 + i * step, 10 + (i + 1) * step] for i in range(len(keys))], atol=1e-9)
    assert trace.offset == 10
    if kind == "moonshine":
        assert keys.special is None
        np.testing.assert_array_equal(trace.input, SOUND)
        assert len(keys) == pytest.approx(2.5 / step, abs=3)
    else:
        assert len(keys) == 1500
        assert isinstance(trace.input, np.ndarray)
        assert trace.input.shape == (80, 3000)
        own = int((~keys.is_special).sum())
        assert not keys.is_special[:own].any()
        assert own == pytest.approx(2.5 / 0.02, abs=2)  # the frame around the end reaches a little beyond it


@pytest.mark.parametrize("kind", ["english", "multilingual"])
def test_cropping_leaves_the_padding_out(kind: str, adapter: WhisperAdapter) -> None:
    whole = adapter.trace(HEARD, kinds=("cross", "encoder"))
    trace = adapter.trace(HEARD, kinds=("cross", "encoder"), crop=True)
    own = int((~whole.cross.keys.is_special).sum())
    np.testing.assert_array_equal(trace.cross.weights, whole.cross.weights[..., :own])
    assert trace.cross.altered == ("cropped",)
    assert trace.cross.keys == whole.cross.keys.take(range(own))
    pools = -(-own // POOLED_FRAMES)
    np.testing.assert_array_equal(trace.encoder.weights, whole.encoder.weights[:, :, :pools, :pools])
    assert isinstance(trace.input, np.ndarray)
    assert trace.input.shape[1] < 300
    with pytest.raises(ModelError, match="leave crop off"):
        adapter.trace(HEARD, crop=True, keep_projections=True)


def test_large_encoders_take_turns(folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = load(folders("english"))
    together = adapter.trace(HEARD, kinds=("encoder",))
    monkeypatch.setattr("xattn_viz.models.families.whisper.network._ENCODER_BYTES", 1)
    one_by_one = adapter.trace(HEARD, kinds=("encoder",))
    np.testing.assert_array_equal(one_by_one.encoder.weights, together.encoder.weights)
    off = adapter.trace(HEARD, kinds=("encoder",), ablate=[("encoder", 0, 1)])
    assert (off.encoder.head(0, 1) == 0).all()
    assert not np.array_equal(off.encoder.head(1, 0), together.encoder.head(1, 0))


@ALL
@pytest.mark.parametrize("settings", [{}, {"crop": True}, {"offset": 30.0, "num_beams": 3, "hypothesis": 1}], ids=str)
def test_a_trace_runs_again(kind: str, adapter: WhisperAdapter, settings: dict[str, Any]) -> None:
    if kind == "moonshine" and "crop" in settings:
        with pytest.raises(ModelError, match="no option 'crop'"):
            adapter.trace(HEARD, **settings)
        return
    trace = adapter.trace(HEARD, kinds=("cross", "encoder"), ablate=[("cross", 1, 0)], **settings)
    assert rerun(trace) == trace
    known = with_projections(trace).cross
    assert known.projections is not None
    scores = known.projections.scores(0, 0)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    own = trace.cross.head(0, 0)
    # The same queries and keys in another order of sums, and stored in the same 32 bits.
    computed = (weights / weights.sum(-1, keepdims=True))[:, : own.shape[1]]
    np.testing.assert_allclose(computed, own, atol=1e-5, rtol=0)


def test_a_language_is_detected_or_chosen(folders: Any) -> None:
    adapter = load(folders("multilingual"))
    peer, ids = Peer(folders("multilingual"), "multilingual"), {n: i for i, n in enumerate(SPECIAL["multilingual"])}
    codes = ("en", "pt", "zh", "ja")
    logits = peer.run(SOUND, [1]).logits[0, 0, [ids[f"<|{code}|>"] for code in codes]]
    trace = adapter.trace(HEARD, max_new_tokens=3)
    assert trace.speech is not None
    assert trace.speech.language == codes[int(logits.argmax())]
    assert trace.speech.language_probability == pytest.approx(float(logits.softmax(-1).max()), abs=1e-4)
    chosen = adapter.trace(HEARD, language="zh", task="translate", max_new_tokens=3)
    assert [step.id for step in chosen.steps[:3]] == [ids["<|zh|>"], ids["<|translate|>"], ids["<|notimestamps|>"]]
    assert [step.forced for step in chosen.steps] == [True, True, True, False, False, False]
    # Chinese is written without spaces: a text does not begin with one.
    spaced, plain = (adapter.trace(HEARD, target="The", language=code).steps[3].id for code in ("en", "zh"))
    assert spaced != plain
    with pytest.raises(ModelError, match="no language spoken 'xx'"):
        adapter.trace(HEARD, language="xx")
    with pytest.raises(ModelError, match="no option 'language'"):
        load(folders("english")).trace(HEARD, language="en")


@ALL
def test_a_prefix_is_continued(kind: str, adapter: WhisperAdapter) -> None:
    trace = adapter.trace(HEARD, prefix="The cat")
    given = adapter.trace(HEARD, target="The cat")
    count = [step.forced for step in trace.steps].index(False)
    assert [step.id for step in trace.steps[:count]] == [step.id for step in given.steps[:-1]]
    ids = [step.id for step in trace.steps[:count]]
    assert adapter.trace(HEARD, prefix=ids).steps == trace.steps
    assert adapter.trace(HEARD, prefix=[step.id for step in given.steps]).steps == given.steps
    for wrong in ([-1], [10**6], ["a"], 3):
        with pytest.raises(InputError, match="prefix"):
            adapter.trace(HEARD, prefix=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tokens; at most"):
        adapter.trace(HEARD, target="cat " * 500)


@ALL
def test_a_prefix_leaves_a_token_to_write(kind: str, adapter: WhisperAdapter) -> None:
    most = adapter.size.output - 2  # the start, and one token to write
    word = adapter.trace(HEARD, target="cat").steps[-2].id
    assert [step.forced for step in adapter.trace(HEARD, prefix=[word] * most).steps] == [True] * most + [False]
    with pytest.raises(InputError, match=f"The prefix has {most + 1} tokens; at most {most} have a place"):
        adapter.trace(HEARD, prefix=[word] * (most + 1))


def test_special_tokens_that_someone_types_are_text(folders: Any) -> None:
    trace = load(folders("english")).trace(HEARD, target="a <|endoftext|> b")
    assert trace.output == "a <|endoftext|> b"
    assert [step.id for step in trace.steps].count(0) == 1  # its own end


def test_partial_traces_show_the_first_rows(folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xattn_viz.models.base.PARTIAL_SECONDS", 0)
    adapter, seen = load(folders("english")), list[Any]()
    whole = adapter.trace(HEARD, on_partial=seen.append)
    assert seen
    for part in seen:
        count = len(part.steps)
        assert [step.id for step in part.steps] == [step.id for step in whole.steps[:count]]
        np.testing.assert_allclose(part.cross.weights, whole.cross.weights[:, :, :count], atol=TOLERANCE, rtol=0)
        assert "not finished" in part.remarks[-1]


def test_minutes_are_cut_at_quiet_moments(folders: Any) -> None:
    adapter = load(folders("english"))
    samples = sound(5, 70)
    for quiet in (25.0, 47.0):
        samples[int(quiet * RATE) : int((quiet + 0.4) * RATE)] = 0
    traces = list(adapter.traces(Sound(samples, ("a note",)), max_new_tokens=4))
    starts = [trace.offset for trace in traces]
    assert starts[0] == 0
    assert starts[1] == pytest.approx(25.2, abs=0.11)  # within the quiet 0.4 s
    assert starts[2] == pytest.approx(47.2, abs=0.11)
    assert len(traces) == 3
    assert [trace.cross.keys.times[0][0] for trace in traces if trace.cross.keys.times] == starts
    assert ["a note" in trace.remarks for trace in traces] == [True, False, False]
    alone = adapter.trace(Sound(samples[round(starts[1] * RATE) : round(starts[2] * RATE)]), max_new_tokens=4)
    np.testing.assert_array_equal(traces[1].cross.weights, alone.cross.weights)
    assert rerun(traces[1]) == traces[1]


def test_of_a_long_sound_the_beginning_is_heard(folders: Any) -> None:
    adapter, long = load(folders("english")), sound(5, 40)
    trace = adapter.trace(Sound(long), max_new_tokens=3)
    beginning = adapter.trace(long[: 30 * RATE], sampling_rate=RATE, max_new_tokens=3)
    np.testing.assert_array_equal(trace.cross.weights, beginning.cross.weights)
    assert "Only the first 30 of 40.0 seconds were heard." in trace.remarks


@ALL
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"", "empty"),
        (b"text, named .wav", "no sound file"),
        (np.zeros(0, np.float32), "There are no samples"),
        ((RATE, np.zeros(9, np.float32)), "lasts 0.00 s"),
        ((RATE, np.full(RATE, np.nan, np.float32)), "no numbers"),
        (np.zeros(RATE, np.float32), r"sampling_rate=16000"),
        (np.zeros((2, 3, 4), np.float32), r"a shape of \(2, 3, 4\)"),
        (np.zeros((81, 100), np.float32), "log-mel|could be"),
        (3, "got int"),
        ("/nowhere/at/all.wav", "cannot be read: No such file"),
    ],
    ids=range(10),
)
def test_bad_input_is_named(kind: str, adapter: WhisperAdapter, wrong: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        adapter.trace(wrong)
    with pytest.raises(InputError):
        list(adapter.traces(wrong))


@ALL
def test_odd_sounds_give_maps(kind: str, adapter: WhisperAdapter) -> None:
    silence, noise = np.zeros(RATE, np.float32), np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    for samples in (silence, 0.1 * noise, sound(3, 0.1)):
        trace = adapter.trace(Sound(samples), max_new_tokens=4)
        np.testing.assert_allclose(trace.cross.weights.sum(-1), 1, atol=1e-4)
        assert not trace.cross.keys.is_special.all()


def test_reading_a_long_file_can_be_cancelled(folders: Any) -> None:
    adapter, data, calls = load(folders("english")), wav(np.zeros(600 * RATE, np.float32)), list[int]()

    def stop(done: int, total: int) -> bool:
        calls.append(total)
        return False

    for run in (adapter.trace, lambda *args, **settings: list(adapter.traces(*args, **settings))):
        calls.clear()
        with pytest.raises(Cancelled):
            run(data, on_step=stop)
        assert calls == [0]


@ALL
def test_a_run_is_cancelled_between_two_layers_of_the_encoder(kind: str, adapter: WhisperAdapter) -> None:
    calls = list[int]()

    def stop(done: int, total: int) -> bool:
        calls.append(total)
        return len(calls) < 2

    with pytest.raises(Cancelled):
        adapter.trace(HEARD, on_step=stop)
    assert calls == [0, 0]  # before the first layer and the second, of three


def test_wrong_settings_are_named(folders: Any) -> None:
    adapter = load(folders("english"))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"num_beams": 0}, "num_beams"),
        ({"hypothesis": 1}, "hypothesis"),
        ({"ablate": [("cross", 2, 0)]}, "layers are 0 to 1 and heads 0 to 3"),
        ({"target": "a", "prefix": "b"}, "not both"),
        ({"kinds": "cross"}, "each once"),
        ({"crop": "yes"}, "True or False"),
        ({"offset": -1}, "from 0"),
        ({"colour": "red"}, "no option 'colour'"),
    ]
    for settings, words in wrong:
        with pytest.raises(ModelError, match=words):
            adapter.trace(HEARD, **settings)


def test_maps_beyond_memory_are_refused(folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xattn_viz.models.engine.adapter.MAX_MAP_BYTES", 1000)
    with pytest.raises(InputError, match="would take"):
        load(folders("english")).trace(HEARD)
