"""What every model must do, whichever its family: one test over all of them."""

from __future__ import annotations

import json
import tempfile
import threading
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.models import whisper_folders
from tests.models.seq2seq_folders import write
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled, InputError, ModelError
from xattn_viz.models.gate import RUNS_AT_ONCE
from xattn_viz.models.rerun import rerun
from xattn_viz.trace import Trace

CHECKPOINTS = ["marian", "bart", "mbart", "m2m100", "nllb", "pegasus", "t5"]
MODELS = [
    *(f"example of {name}" for name in registry.families()),
    "firefox-en-pt",
    "firefox-pt-en",
    *(f"checkpoint of {kind}" for kind in CHECKPOINTS),
    "speech of multilingual",
    "speech of moonshine",
]
HEARING = {"example of whisper", "speech of multilingual", "speech of moonshine"}
TEXTS = [
    "The cat sat on the mat.",
    "Um barco pequeno atravessou o rio.",
    "<script>alert(1)</script> **bold** $x^2$ </s> <unk>",
    "control \x00\x07 and bidi \u202egnidaer\u202c \u200f",
    "😀👩‍🚀 你好 שלום λόγος",
    "▁ ▁▁ under_score",
    "x",
]


class Spoken:
    """A model that hears, asked for texts: each is a sound of its own, and a blank one is none."""

    def __init__(self, adapter: Adapter) -> None:
        self.card, self._adapter = adapter.card, adapter

    def trace(self, text: str, **settings: Any) -> Trace:
        return self._adapter.trace(self._sound(text), **settings)

    def traces(self, text: str, **settings: Any) -> Iterator[Trace]:
        return self._adapter.traces(self._sound(text), **settings)

    @staticmethod
    def _sound(text: str) -> NDArray[np.float32]:
        return whisper_folders.sound(zlib.crc32(text.encode()), 1.5 if text.strip() else 0)


@cache
def model(name: str) -> Adapter:
    if name in HEARING:
        return cast(Adapter, Spoken(_model(name)))
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
    return registry.load(name)


@pytest.fixture(params=MODELS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return model(request.param)


@pytest.mark.parametrize("text", TEXTS)
def test_a_trace_fits_itself(adapter: Adapter, text: str) -> None:
    trace = adapter.trace(text, kinds=adapter.card.kinds, keep_projections=True)
    assert [maps.kind for maps in trace.maps] == list(adapter.card.kinds)
    cross = trace.cross
    assert len(trace.steps) == len(cross.queries) == len(cross.read or ())
    texts = [(cross.queries, trace.output)]
    if adapter.card.input_kind == "text":
        assert trace.input == text
        texts.append((cross.keys, text))
    else:
        assert cross.keys.times is not None
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


def test_the_same_input_gives_the_same_trace(adapter: Adapter) -> None:
    assert adapter.trace(TEXTS[0]) == adapter.trace(TEXTS[0])


def test_a_trace_is_read_only_and_holds_nothing_of_the_next(adapter: Adapter) -> None:
    first = adapter.trace(TEXTS[0])
    before = first.cross.weights.copy()
    adapter.trace(TEXTS[1])
    np.testing.assert_array_equal(first.cross.weights, before)
    assert not first.cross.weights.flags.writeable


def test_blank_input_is_refused(adapter: Adapter) -> None:
    for text in ("", "  \n"):
        with pytest.raises(InputError):
            adapter.trace(text)
        with pytest.raises(InputError):
            list(adapter.traces(text))


def test_unknown_options_are_refused(adapter: Adapter) -> None:
    with pytest.raises(ModelError):
        adapter.trace(TEXTS[0], no_such_option=1)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in HEARING])
def test_traces_cover_the_text_in_order(name: str) -> None:
    text = "The cat sat. It looked at the rain. Then it slept."
    traces = list(model(name).traces(text))
    assert "".join(str(trace.input) for trace in traces) == text.replace(". ", ".")
    assert [text[int(t.offset) :].startswith(str(t.input)) for t in traces] == [True] * 3


def test_ablation_changes_what_comes_out(adapter: Adapter) -> None:
    plain = adapter.trace(TEXTS[0])
    ablated = adapter.trace(TEXTS[0], target=plain.output or "a", ablate=[("cross", 0, 0)])
    given = adapter.trace(TEXTS[0], target=plain.output or "a")
    assert (ablated.cross.head(0, 0) == 0).all()
    assert ablated.steps != given.steps


def test_a_cancelled_run_lets_the_next_in(adapter: Adapter) -> None:
    for _ in range(RUNS_AT_ONCE + 1):  # were a place lost each time, the last would wait for ever
        with pytest.raises(Cancelled):
            adapter.trace(TEXTS[0], on_step=lambda done, total: done < 1)
    seen: list[tuple[int, int]] = []
    adapter.trace(TEXTS[0], on_step=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(len(seen)))
    assert all(done < total for done, total in seen)


def test_eight_threads_give_what_one_gives(adapter: Adapter) -> None:
    texts = [f"{text} {i}" for i, text in enumerate([TEXTS[0], TEXTS[1]] * 4)]
    alone = [adapter.trace(text) for text in texts]
    together: dict[int, Trace] = {}
    start = threading.Barrier(8)

    def run(i: int) -> None:
        start.wait()
        together[i] = adapter.trace(texts[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, trace in enumerate(alone):
        assert together[i].output == trace.output
        np.testing.assert_allclose(together[i].cross.weights, trace.cross.weights, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["firefox-en-pt", "firefox-pt-en"])
def test_a_trace_runs_again_from_its_provenance(name: str) -> None:
    *_, trace = model(name).traces("One. Two men came.", prefix="O", ablate=[("cross", 0, 2)], keep_projections=True)
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
