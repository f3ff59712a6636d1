"""Outputs read again in many runs at once, against one run after the other and against weights changed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests import checkpoints
from xattn_viz.core.interventions import Intervention
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import Cancelled, ModelError
from xattn_viz.models.engine import forcing
from xattn_viz.models.engine.adapter import EncoderDecoderAdapter
from xattn_viz.models.families.seq2seq.adapter import assemble, tiny

SENTENCE = "The cat sat on the mat."
NAMES = ("firefox-en-pt", "whisper-tiny-en", "caption-shapes", "hint-separate", "marian", "t5", "bart")
# Log-probabilities of float32 sums in another order. Whisper adds up 1,500 frames: measured 3e-5; the others 3e-6.
TOLERANCE = 1e-4


@cache
def loaded(name: str) -> tuple[EncoderDecoderAdapter, Trace]:
    if name in checkpoints.CONFIGURATIONS:
        made = checkpoints.model(name, "sdpa_recording", 320)
        made.generation_config.max_length = 12
        return (adapter := assemble(name, made, tiny()._tokenizer, "random")), adapter.trace(SENTENCE)
    found = registry.load(name)
    assert isinstance(found, EncoderDecoderAdapter)
    source: Any = {"audio": clips.sound("forward"), "image": np.full((96, 96, 3), 200, np.uint8)}.get(
        found.card.input_kind, SENTENCE
    )
    return found, found.trace(source)


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> tuple[EncoderDecoderAdapter, Trace]:
    return loaded(request.param)


def heads(adapter: EncoderDecoderAdapter, kind: MapKind = "cross") -> list[tuple[int, int]]:
    return [(layer, head) for layer, count in enumerate(adapter.size.heads[kind]) for head in range(count)]


def log_probs(trace: Trace) -> NDArray[np.float64]:
    return np.array([step.log_prob for step in trace.steps])


def ids(trace: Trace) -> list[int]:
    return [step.id for step in trace.steps]


def test_the_output_as_it_is_has_the_probabilities_of_its_trace(case: tuple[EncoderDecoderAdapter, Trace]) -> None:
    adapter, trace = case
    forced = adapter.force(trace, [[]], alternatives=3)
    assert np.allclose(forced.log_probs[0], log_probs(trace), atol=TOLERANCE)
    for step, best in zip(trace.steps, forced.ids[0], strict=True):
        if not step.forced:
            assert [other.id for other in step.alternatives[:3]] == best.tolist()


def test_all_heads_at_once_are_each_alone(case: tuple[EncoderDecoderAdapter, Trace]) -> None:
    adapter, trace = case
    runs = [[], *([Intervention("cross", *head)] for head in heads(adapter))]
    runs.append([Intervention("cross", *head, "uniform") for head in heads(adapter)])
    together = adapter.force(trace, runs).log_probs
    for number in {0, 1, len(runs) // 2, len(runs) - 2, len(runs) - 1}:
        assert np.allclose(adapter.force(trace, [runs[number]]).log_probs[0], together[number], atol=TOLERANCE)
    assert len({row.tobytes() for row in together}) == len(runs)  # every head does something


def test_a_base_is_in_every_run(case: tuple[EncoderDecoderAdapter, Trace]) -> None:
    adapter, trace = case
    force = adapter.forcing(trace)
    base, runs = [Intervention("cross", 1, 0)], [[Intervention("cross", 0, 1)], [], [Intervention("cross", 1, 1)]]
    below = [Intervention("encoder", 0, 0)] if "encoder" in adapter.card.kinds else []
    for own in ([], base, [*base, *below]):
        alone = adapter.force(trace, [[*own, *run] for run in runs]).log_probs
        assert np.allclose(force(runs, own).log_probs, alone, atol=TOLERANCE)


def test_the_source_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, trace = loaded("firefox-en-pt")
    times, encode = list[object](), adapter._encode_again

    def encode_again(*given: Any) -> Any:
        times.append(given)
        return encode(*given)

    monkeypatch.setattr(adapter, "_encode_again", encode_again)
    force = adapter.forcing(trace)
    for head in range(3):
        force([[Intervention("cross", 0, head)]])
    assert len(times) == 1


@pytest.mark.parametrize("name", ["firefox-en-pt", "whisper-tiny-en", "t5"])
@pytest.mark.parametrize("kind", ["cross", "decoder", "encoder"])
def test_a_head_at_zero_is_an_ablated_one(name: str, kind: MapKind) -> None:
    adapter, trace = loaded(name)
    if kind not in adapter.size.heads:
        kind = "encoder"
    runs = [[Intervention(kind, 1, 1)], [Intervention(kind, 1, 1), Intervention("cross", 0, 2)], []]
    found = adapter.force(trace, runs, source=trace).log_probs  # over the whole vocabulary, as what is given
    for run, own in zip(runs, found, strict=True):
        ablate = [(one.kind, one.layer, one.head) for one in run]
        again = adapter.trace(trace, prefix=ids(trace), ablate=ablate)  # goes on where the output did not end
        assert np.allclose(own, log_probs(again)[: len(own)], atol=TOLERANCE)


@contextmanager
def without_columns(adapter: EncoderDecoderAdapter, layer: int, own: Sequence[int]) -> Iterator[None]:
    """A block in which columns of a cross-attention's W_O, those of these heads, are zero in the model itself."""
    network: Any = adapter.network
    sites = {site: module for module, site in getattr(network, "sites", {}).items()}
    module = sites["cross", layer] if sites else network.model.decoder[layer].context
    projection = module.o if hasattr(module, "o") else module.out_proj
    width = projection.weight.shape[1] // adapter.size.heads["cross"][layer]
    before = projection.weight.clone()
    with torch.no_grad():
        for head in own:
            projection.weight[:, head * width : (head + 1) * width] = 0
    try:
        yield
    finally:
        with torch.no_grad():
            projection.weight.copy_(before)


@pytest.mark.parametrize("name", ["firefox-en-pt", "whisper-tiny-en", "marian", "t5", "bart"])
def test_zero_is_columns_of_w_o_at_zero(name: str) -> None:
    adapter, trace = loaded(name)
    every = tuple(range(adapter.size.heads["cross"][1]))
    cases = [(0, (1,)), (1, (0,)), (1, every)]  # the last is the layer's cross-attention removed, but for W_O's bias
    found = adapter.force(trace, [[Intervention("cross", layer, head) for head in own] for layer, own in cases])
    for (layer, own), row in zip(cases, found.log_probs, strict=True):
        with without_columns(adapter, layer, own):
            by_hand = adapter.force(trace, [[]]).log_probs[0]
        assert np.allclose(row, by_hand, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["firefox-en-pt", "t5"])
def test_of_all_heads_at_zero_nothing_of_the_source_is_left(name: str) -> None:
    adapter, trace = loaded(name)
    other = adapter.trace("Nobody knew why the door was open.")
    every = [Intervention("cross", *head) for head in heads(adapter)]
    one, two = (adapter.force(trace, [every], source=source).log_probs[0] for source in (trace, other))
    assert np.allclose(one, two, atol=TOLERANCE)


def test_what_heads_said_themselves_changes_nothing(case: tuple[EncoderDecoderAdapter, Trace]) -> None:
    adapter, trace = case
    own = adapter.head_outputs(trace)
    assert own.shape[:3] == trace.cross.weights.shape[:3]
    said = [Intervention("cross", *head, "output", own[head]) for head in heads(adapter)]
    looked = [Intervention("cross", *head, "weights", trace.cross.weights[head]) for head in heads(adapter)]
    found = adapter.force(trace, [[], said, looked]).log_probs
    assert np.allclose(found[1], found[0], atol=TOLERANCE)
    assert np.allclose(found[2], found[0], atol=TOLERANCE)


@pytest.mark.parametrize("name", ["firefox-en-pt", "marian", "t5"])
def test_heads_patched_from_another_run_give_that_run(name: str) -> None:
    adapter, trace = loaded(name)
    other = adapter.trace("The dog sat on the mat, and nobody knew why.")  # as long as it likes: queries are the output
    first = adapter.head_outputs(trace)
    everything = [Intervention("cross", *head, "output", first[head]) for head in heads(adapter)]
    found = adapter.force(trace, [[], everything], source=other).log_probs
    clean = adapter.force(trace, [[]], source=trace).log_probs[0]
    assert np.abs(found[0] - clean).max() > 0.1
    assert np.allclose(found[1], clean, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_other_kinds_of_heads_have_outputs_too(kind: MapKind) -> None:
    adapter, trace = loaded("t5")
    traced = adapter.trace(trace, kinds=("cross", kind))
    own = adapter.head_outputs(trace, kind)
    assert own.shape[:3] == traced.of_kind(kind).weights.shape[:3]
    said = [Intervention(kind, *head, "output", own[head]) for head in heads(adapter, kind)]
    looked = [Intervention(kind, *head, "weights", traced.of_kind(kind).weights[head]) for head in heads(adapter, kind)]
    even = [Intervention(kind, *head, "uniform") for head in heads(adapter, kind)]
    rows, keys = traced.of_kind(kind).weights.shape[2:]
    seen = np.tril(np.ones((rows, keys))) if kind == "decoder" else np.ones((rows, keys))
    by_hand = [Intervention(kind, *head, "weights", seen / seen.sum(1, keepdims=True)) for head in heads(adapter, kind)]
    found = adapter.force(trace, [[], said, looked, even, by_hand]).log_probs
    assert np.allclose(found[1:3], found[0], atol=TOLERANCE)
    assert np.allclose(found[3], found[4], atol=TOLERANCE)
    assert not np.allclose(found[3], found[0], atol=0.01)


def test_runs_in_many_batches_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, trace = loaded("firefox-en-pt")
    runs = [[Intervention("cross", *head)] for head in reversed(heads(adapter))] + [[]]
    whole, told = adapter.force(trace, runs).log_probs, list[tuple[int, int]]()
    monkeypatch.setattr(forcing, "MAX_ROWS", 5)
    again = adapter.force(trace, runs, on_step=lambda done, total: told.append((done, total)))
    assert np.allclose(again.log_probs, whole, atol=TOLERANCE)
    assert told == [(0, 17), (6, 17), (11, 17), (16, 17)]


def test_threads_that_share_a_model_see_only_their_own_runs() -> None:
    adapter, trace = loaded("t5")
    runs = [[Intervention("cross", *head)] for head in heads(adapter)]
    alone = [adapter.force(trace, [run]).log_probs for run in runs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda run: adapter.force(trace, [run]).log_probs, runs * 3))
    for number, one in enumerate(found):
        assert np.allclose(one, alone[number % len(runs)], atol=TOLERANCE)
    assert np.allclose(adapter.force(trace, [[]]).log_probs[0], log_probs(trace), atol=TOLERANCE)


def test_a_run_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, trace = loaded("firefox-en-pt")
    monkeypatch.setattr(forcing, "MAX_ROWS", 5)
    with pytest.raises(Cancelled):
        adapter.force(
            trace, [[Intervention("cross", *head)] for head in heads(adapter)], on_step=lambda done, _: done < 5
        )


def test_heads_that_were_off_stay_off_and_a_beginning_is_scored_as_it_was() -> None:
    adapter, _ = loaded("firefox-en-pt")
    trace = adapter.trace(SENTENCE, ablate=[("cross", 0, 5), ("encoder", 0, 0)], prefix="O cachorro")
    assert any(step.forced for step in trace.steps)
    assert np.allclose(adapter.force(trace, [[]]).log_probs[0], log_probs(trace), atol=TOLERANCE)


def test_what_cannot_be_read_again_is_refused() -> None:
    adapter, trace = loaded("firefox-en-pt")
    with pytest.raises(InputError, match="This trace is of 'marian'"):
        adapter.force(loaded("marian")[1], [[]])
    with pytest.raises(ModelError, match=r"no cross head \(0, 8\)"):
        adapter.force(trace, [[Intervention("cross", 0, 8)]])
    with pytest.raises(ModelError, match="no decoder self-attention"):
        adapter.head_outputs(trace, "decoder")
    with pytest.raises(InputError, match=r"row 40: this output has rows 0 to 9"):
        adapter.force(trace, [[Intervention("cross", 0, 0, rows=(40,))]])
    with pytest.raises(InputError, match=r"Weights must be \[query 10, key 8\]: got \(10, 3\)"):
        adapter.force(trace, [[Intervention("cross", 0, 0, "weights", np.ones((10, 3), np.float32))]])
    drawing = registry.load("perceive-shapes")
    with pytest.raises(ModelError, match="writes no text"):
        drawing.force(trace, [[]])
