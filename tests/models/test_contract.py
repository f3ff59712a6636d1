"""What every model must do, whichever its family: one test over all of them."""

from __future__ import annotations

import json
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.models.families import captioner_folders, whisper_folders
from tests.models.families.seq2seq_folders import write
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import Sound
from xattn_viz.models import base, registry
from xattn_viz.models.base import Adapter, Cancelled, ModelError
from xattn_viz.models.registry import rerun
from xattn_viz.models.resources import RUNS_AT_ONCE
from xattn_viz.shapes import prompts

CHECKPOINTS = ["marian", "bart", "mbart", "m2m100", "nllb", "pegasus", "t5"]
MODELS = [
    *(f"example of {name}" for name in registry.families()),
    "firefox-en-pt",
    "firefox-pt-en",
    *(f"checkpoint of {kind}" for kind in CHECKPOINTS),
    "speech of multilingual",
    "speech of moonshine",
    "caption-shapes",
    "answer-shapes",
    "hint-concatenated",
    "hint-separate",
    "picture of donut",
    "perceive-shapes",
    "draw-shapes",
]
DRAWING = {"example of diffusion", "draw-shapes"}
ANSWERING = {"example of perceiver", "perceive-shapes"}  # all at once, and not token by token
HEARING = {"example of whisper", "speech of multilingual", "speech of moonshine"}
SEEING = {
    "example of captioner",
    "caption-shapes",
    "answer-shapes",
    "hint-concatenated",
    "hint-separate",
    "picture of donut",
    *ANSWERING,
}
WRITING = [name for name in MODELS if name not in DRAWING | ANSWERING]
TEXTS = [
    "The cat sat on the mat.",
    "Um barco pequeno atravessou o rio.",
    "<script>alert(1)</script> **bold** $x^2$ </s> <unk>",
    "control \x00\x07 and bidi \u202egnidaer\u202c \u200f",
    "😀👩‍🚀 你好 שלום λόγος",
    "▁ ▁▁ under_score",
    "x",
]


class Sensing:
    """A model that reads no such text, asked for texts: `make` gives each what it reads, and a blank one nothing.

    `always` are settings of every trace.
    """

    def __init__(self, adapter: Adapter, make: Callable[[str], Any], **always: Any) -> None:
        self.card, self._adapter, self._make, self._always = adapter.card, adapter, make, always

    def trace(self, text: str, **settings: Any) -> Trace:
        return self._adapter.trace(self._make(text), **self._always, **settings)

    def traces(self, text: str, **settings: Any) -> Iterator[Trace]:
        return self._adapter.traces(self._make(text), **self._always, **settings)


def sound(text: str) -> Sound:
    return Sound(whisper_folders.sound(zlib.crc32(text.encode()), 1.5 if text.strip() else 0))


def picture(text: str) -> NDArray[np.uint8]:
    size = (40, 56) if text.strip() else (0, 0)
    return captioner_folders.picture(zlib.crc32(text.encode()), *size)


def prompt(text: str) -> str:
    return prompts.random_prompt(np.random.default_rng(zlib.crc32(text.encode())))[0] if text.strip() else ""


@cache
def model(name: str) -> Adapter:
    if name == "draw-shapes":  # which knows few words
        return cast(Adapter, Sensing(_model(name), prompt, steps=4))
    if name == "answer-shapes":  # which is asked
        return cast(Adapter, Sensing(_model(name), picture, question="how many shapes?"))
    if name in HEARING | SEEING:
        return cast(Adapter, Sensing(_model(name), sound if name in HEARING else picture))
    return _model(name)


@cache
def _model(name: str) -> Adapter:
    if name.startswith("example of "):
        return registry.families()[name.removeprefix("example of ")].example()
    if name.startswith("checkpoint of "):
        with tempfile.TemporaryDirectory() as folder:
            return registry.load(write(Path(folder), name.removeprefix("checkpoint of "), max_length=12))
    if name.startswith("speech of "):
        with tempfile.TemporaryDirectory() as folder:
            return registry.load(whisper_folders.write(Path(folder), name.removeprefix("speech of ")))
    if name.startswith("picture of "):
        with tempfile.TemporaryDirectory() as folder:
            return registry.load(captioner_folders.write(Path(folder), name.removeprefix("picture of ")))
    return registry.load(name)


@pytest.fixture(params=WRITING)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """A model that writes."""
    return model(request.param)


@pytest.fixture(params=MODELS)
def any_adapter(request: pytest.FixtureRequest) -> Adapter:
    return model(request.param)


@pytest.mark.parametrize(
    ("name", "text"),  # a sound and a picture are made of no more than a number of a text
    [(name, text) for name in WRITING for text in (TEXTS[:3] if name in HEARING | SEEING else TEXTS)],
)
def test_a_trace_fits_itself(name: str, text: str) -> None:
    adapter = model(name)
    trace = adapter.trace(text, kinds=adapter.card.kinds, keep_projections=True)
    assert [maps.kind for maps in trace.maps] == list(adapter.card.kinds)
    cross = trace.cross
    assert len(trace.steps) == len(cross.queries) == len(cross.read or ())
    texts = [(cross.queries, trace.output)]
    if adapter.card.input_kind == "text":
        assert trace.input == text
        texts.append((cross.keys, text))
    else:
        assert (cross.keys.grid if adapter.card.input_kind == "image" else cross.keys.times) is not None
    for axis, of in texts:
        assert axis.spans is not None
        assert axis.labels is not None
        starts = [start for start, _ in axis.spans]
        assert starts == sorted(starts)
        assert all(0 <= start <= end <= len(of) for start, end in axis.spans)
        assert all(axis.labels)
    np.testing.assert_allclose(cross.weights.sum(-1), 1, atol=1e-4)
    assert all(step.log_prob <= 1e-6 for step in trace.steps)
    json.dumps(dict(trace.provenance), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "text"), [*(("example of diffusion", text) for text in TEXTS), ("draw-shapes", "a RED ring above a star")]
)
def test_a_drawing_fits_its_trace(name: str, text: str) -> None:
    adapter = _model(name)
    assert adapter.card.output_kind == "image"
    trace = adapter.trace(text, steps=4)
    assert (trace.input, trace.output, trace.steps) == (text, "", ())
    assert trace.cross.step is None
    assert [maps.step for maps in trace.maps] == [None, 0, 1, 2, 3]
    assert len(trace.pictures) == 4
    assert list(adapter.traces(text, steps=4)) == [trace]
    for maps in trace.maps:
        assert maps.queries.grid is not None
        assert len(maps.layers) == len(trace.layers)
        assert maps.keys.spans is not None
        assert maps.keys.labels is not None
        assert all(0 <= start <= end <= len(text) for start, end in maps.keys.spans)
        assert all(maps.keys.labels)
        np.testing.assert_allclose(maps.weights.sum(-1, dtype=np.float32), 1, atol=2e-3)  # float16
    json.dumps(dict(trace.provenance), allow_nan=False)


@pytest.mark.parametrize("name", sorted(ANSWERING))
def test_an_answer_fits_its_trace(name: str) -> None:
    adapter = model(name)
    trace = adapter.trace(TEXTS[0], kinds=adapter.card.kinds)
    assert [maps.kind for maps in trace.maps] == list(adapter.card.kinds) == ["cross", "encoder", "decoder"]
    assert trace.steps == ()
    assert trace.output
    latents, places = trace.encoder.queries, trace.decoder.queries
    assert latents == trace.encoder.keys == trace.decoder.keys == trace.cross.queries
    assert latents.kind == "latent"
    assert None not in (places.grid, trace.cross.keys.grid)
    assert len(trace.answers) == len(places)
    assert list(adapter.traces(TEXTS[0], kinds=adapter.card.kinds)) == [trace]
    plain = adapter.trace(TEXTS[0])
    ablated = adapter.trace(TEXTS[0], ablate=[("cross", 0, 0)])
    assert (ablated.cross.head(0, 0) == 0).all()
    assert ablated.answers != plain.answers == trace.answers
    json.dumps(dict(trace.provenance), allow_nan=False)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in DRAWING])
def test_every_kept_projection_gives_its_weights_back(name: str) -> None:
    adapter = model(name)
    trace = adapter.trace(TEXTS[0], kinds=adapter.card.kinds, keep_projections=True)
    for maps in trace.maps:
        kept = maps.projections
        if "aggregated" in maps.altered:  # pooled maps have no queries and keys of their own
            assert kept is None
            continue
        assert kept is not None
        scores = kept.queries @ kept.keys.swapaxes(-1, -2) * kept.scale
        scores = scores if kept.bias is None else scores + kept.bias
        again = np.exp(scores - scores.max(-1, keepdims=True))
        # float32 on both sides, in another order of sums.
        np.testing.assert_allclose(again / again.sum(-1, keepdims=True), maps.weights, atol=1e-5)


def test_the_same_input_gives_the_same_trace(any_adapter: Adapter) -> None:
    assert any_adapter.trace(TEXTS[0]) == any_adapter.trace(TEXTS[0])


def test_a_trace_is_read_only_and_holds_nothing_of_the_next(any_adapter: Adapter) -> None:
    first = any_adapter.trace(TEXTS[0])
    before = first.cross.weights.copy()
    any_adapter.trace(TEXTS[1])
    np.testing.assert_array_equal(first.cross.weights, before)
    assert not first.cross.weights.flags.writeable


@pytest.mark.parametrize("name", MODELS)
def test_all_that_people_give_goes_through_the_one_trace(name: str) -> None:
    assert type(_model(name)).trace is Adapter.trace
    assert type(_model(name)).traces is Adapter.traces
    assert type(_model(name)).read_input is Adapter.read_input


def test_blank_input_is_refused(any_adapter: Adapter) -> None:
    for text in ("", "  \n"):
        with pytest.raises(InputError):
            any_adapter.trace(text)
        with pytest.raises(InputError):
            list(any_adapter.traces(text))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_does_what_its_card_says_that_it_can_and_refuses_the_rest(name: str) -> None:
    adapter, can = model(name), model(name).card.can
    refused: dict[str, dict[str, Any]] = {
        "write": {"target": "a"},
        "ablate": {"ablate": [("cross", 0, 0)]},
        "project": {"keep_projections": True},
    }
    for capability, settings in refused.items():
        if capability not in can:
            with pytest.raises((ModelError, InputError)):
                adapter.trace(TEXTS[0], **settings)
    trace = adapter.trace(TEXTS[0], keep_projections="project" in can)
    assert ("write" in can) == bool(trace.steps)
    assert ("draw" in can) == bool(trace.pictures)
    assert ("time" in can) == (trace.cross.keys.kind == "audio")
    assert ("align" in can) == bool(trace.steps and trace.cross.keys.kind == "text")
    assert ("project" in can) == (trace.cross.projections is not None)
    if "compare" in can:
        assert {part for part, _, _ in trace.cross.keys.parts or ()} == {*_model(name).drops(trace)}
    else:
        with pytest.raises(ModelError, match="has one source"):
            _model(name).drops(trace)


def test_unknown_options_are_refused(any_adapter: Adapter) -> None:
    with pytest.raises(ModelError):
        any_adapter.trace(TEXTS[0], no_such_option=1)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in HEARING | SEEING | DRAWING])
def test_traces_cover_the_text_in_order(name: str) -> None:
    text = "The cat sat. It looked at the rain. Then it slept."
    traces = list(model(name).traces(text))
    assert "".join(str(trace.input) for trace in traces) == text.replace(". ", ".")
    assert [text[int(t.offset) :].startswith(str(t.input)) for t in traces] == [True] * 3


def test_ablation_changes_what_comes_out(adapter: Adapter) -> None:
    plain = adapter.trace(TEXTS[0])
    ablated = adapter.trace(TEXTS[0], target=plain.output.strip() or "a", ablate=[("cross", 0, 0)])
    given = adapter.trace(TEXTS[0], target=plain.output.strip() or "a")
    assert (ablated.cross.head(0, 0) == 0).all()
    assert ablated.steps != given.steps


def test_a_cancelled_run_lets_the_next_in(any_adapter: Adapter) -> None:
    for _ in range(RUNS_AT_ONCE + 1):  # were a place lost each time, the last would wait for ever
        with pytest.raises(Cancelled):
            any_adapter.trace(TEXTS[0], on_step=lambda done, total: done < 1)
    seen: list[tuple[int, int]] = []
    any_adapter.trace(TEXTS[0], on_step=lambda done, total: seen.append((done, total)))
    seen = [step for step in seen if step != (0, 0)]  # those came before the first
    assert seen
    assert [done for done, _ in seen] == list(range(len(seen)))
    assert all(done < total for done, total in seen)


def test_an_alternative_is_chosen_by_its_id(adapter: Adapter) -> None:
    free = adapter.trace(TEXTS[0])
    ids = [step.id for step in free.steps]
    end = adapter.trace(TEXTS[0], target="a").steps[-1].id
    for place in (0, len(ids) // 2):
        other = next(a.id for a in free.steps[place].alternatives if a.id not in (ids[place], end))
        trace = adapter.trace(TEXTS[0], prefix=[*ids[:place], other])
        assert [step.id for step in trace.steps[: place + 1]] == [*ids[:place], other]
        assert [step.forced for step in trace.steps] == [True] * (place + 1) + [False] * (len(trace.steps) - place - 1)
        assert len(trace.steps) > place + 1
        np.testing.assert_allclose(
            trace.cross.weights[:, :, : place + 1], free.cross.weights[:, :, : place + 1], atol=1e-5, rtol=0
        )
        assert json.loads(json.dumps(trace.provenance["settings"]))["prefix"] == [*ids[:place], other]


def test_the_same_ids_are_continued_in_the_same_way(adapter: Adapter) -> None:
    free = adapter.trace(TEXTS[0])
    ids = [step.id for step in free.steps]
    for count in (1, len(ids) // 2):  # the limit counts from behind what is given, so the output can get longer
        again = adapter.trace(TEXTS[0], prefix=ids[:count])
        assert [step.id for step in again.steps][: len(ids) - 1] == ids[:-1]
        given = max(count, sum(step.forced for step in free.steps))  # what every output begins with comes along
        assert [step.forced for step in again.steps[: given + 1]] == [True] * given + [False]


def test_ids_that_end_are_a_whole_output(adapter: Adapter) -> None:
    knows_few = adapter.card.name == "answer-shapes"
    given = adapter.trace(TEXTS[0], target="red ring" if knows_few else "O gato.")
    trace = adapter.trace(TEXTS[0], prefix=[step.id for step in given.steps])
    assert trace.steps == given.steps
    np.testing.assert_array_equal(trace.cross.weights, given.cross.weights)
    assert trace.remarks == given.remarks  # none that it was stopped


@pytest.mark.parametrize(
    "prefix", [[-1], [10**6], [True], [1.0], ["a"], b"ab", 3, [5] * 100_000], ids="{!r:.12}".format
)
def test_ids_that_are_none_are_refused(adapter: Adapter, prefix: object) -> None:
    with pytest.raises(InputError, match="prefix"):
        adapter.trace(TEXTS[0], prefix=prefix)  # type: ignore[arg-type]


def test_partial_traces_show_the_first_rows(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Trace] = []
    adapter.trace(TEXTS[0], on_partial=seen.append)
    assert len(seen) < 10  # not at each step
    seen.clear()
    monkeypatch.setattr(base, "PARTIAL_SECONDS", 0)
    whole = adapter.trace(TEXTS[0], kinds=adapter.card.kinds, keep_projections=True, on_partial=seen.append)
    assert whole == adapter.trace(TEXTS[0], kinds=adapter.card.kinds, keep_projections=True)
    assert seen
    for part in seen:
        count = len(part.steps)
        assert 0 < count < len(whole.steps)
        for step, expected in zip(part.steps, whole.steps[:count], strict=True):
            assert (step.id, step.forced) == (expected.id, expected.forced)
            assert step.log_prob == pytest.approx(expected.log_prob, abs=1e-4)
        assert [maps.kind for maps in part.maps] == list(adapter.card.kinds)
        for maps, expected_maps in zip(part.maps, whole.maps, strict=True):
            expected_weights = expected_maps.weights
            if maps.kind != "encoder":
                expected_weights = expected_weights[:, :, :count]
            if maps.kind == "decoder":
                np.testing.assert_allclose(expected_weights[..., count:], 0, atol=1e-6)
                expected_weights = expected_weights[..., :count]
            np.testing.assert_allclose(maps.weights, expected_weights, atol=1e-5, rtol=0)
        assert "not finished" in part.remarks[-1]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ANSWERING])
def test_a_partial_trace_can_end_the_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PARTIAL_SECONDS", 0)

    def give_up(trace: Trace) -> None:
        raise KeyError("enough")

    for _ in range(RUNS_AT_ONCE + 1):
        with pytest.raises(KeyError, match="enough"):
            model(name).trace(TEXTS[0], on_partial=give_up)


def test_eight_threads_give_what_one_gives(any_adapter: Adapter) -> None:
    texts = [f"{text} {i}" for i, text in enumerate([TEXTS[0], TEXTS[1]] * 2)] * 2
    alone = [any_adapter.trace(text) for text in texts[:4]] * 2
    together: dict[int, Trace] = {}
    start = threading.Barrier(8)

    def run(i: int) -> None:
        start.wait()
        together[i] = any_adapter.trace(texts[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, trace in enumerate(alone):
        assert together[i].output == trace.output
        np.testing.assert_allclose(together[i].cross.weights, trace.cross.weights, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["firefox-en-pt", "firefox-pt-en"])
@pytest.mark.parametrize("prefix", ["O", [40, 50]], ids=["text", "ids"])
def test_a_trace_runs_again_from_its_provenance(name: str, prefix: str | list[int]) -> None:
    *_, trace = model(name).traces("One. Two men came.", prefix=prefix, ablate=[("cross", 0, 2)], keep_projections=True)
    assert trace.offset > 0
    assert rerun(trace) == trace
    through_json = json.loads(json.dumps(dict(trace.provenance)))
    assert rerun(Trace(trace.maps, trace.input, trace.output, trace.steps, (), trace.offset, through_json)) == trace


def test_a_trace_of_other_weights_is_not_run_again() -> None:
    trace = model("firefox-en-pt").trace(TEXTS[0])
    other = {**trace.provenance, "weights_sha256": "0" * 64}
    with pytest.raises(ModelError, match="other weights"):
        rerun(Trace(trace.maps, trace.input, trace.output, provenance=other))
    with pytest.raises(ModelError, match="provenance lacks 'model'"):
        rerun(Trace(trace.maps, trace.input, trace.output))
