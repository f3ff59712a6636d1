"""The self-check: healthy models pass it, and each kind of fault in a model is noticed and said."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from scripts.self_check import written
from xattn_viz import examples
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import Sound
from xattn_viz.models import base, registry, self_check
from xattn_viz.models.base import Adapter, ModelWarning
from xattn_viz.models.families.captioner import JOINS
from xattn_viz.models.families.captioner.hinted import TwoCrossAttentions
from xattn_viz.models.self_check import FILE, difference, find_fault, fingerprint, probes
from xattn_viz.shapes.asked import named
from xattn_viz.shapes.judge import count_right, drawing_verdict
from xattn_viz.shapes.prompts import hinted_caption, parse_hint
from xattn_viz.shapes.scene import from_link
from xattn_viz.shapes.sentence import caption

OURS = [card.name for card in registry.cards() if card.download_mb is None]
#: What people would write.
TRUE = {
    "firefox-en-pt": "O pequeno barco vermelho pertence ao meu avô.",
    "firefox-pt-en": "My brother bought a red car.",
    "whisper-tiny-en": "Go forward 10 meters.",
}


@pytest.fixture
def unloaded() -> Iterator[None]:
    """No model is loaded, and none that the test loads stays."""
    kept = dict(registry._loaded)
    registry._loaded.clear()
    yield
    registry._loaded.clear()
    registry._loaded.update(kept)


def alone(name: str) -> Any:
    """A model that nobody shares."""
    family = next(card.family for card in registry.cards() if card.name == name)
    return registry.families()[family].load(name)


def network(adapter: Any) -> torch.nn.Module:
    if hasattr(adapter, "network"):
        found: torch.nn.Module = adapter.network.model
        return found
    model = adapter.model
    return torch.nn.ModuleList([model.unet, model.reader]) if hasattr(model, "unet") else model.network


def test_each_model_that_comes_with_the_package_has_a_probe() -> None:
    assert sorted(probes()) == sorted(OURS)
    assert FILE.read_text(encoding="utf-8") == written(json.loads(FILE.read_bytes()))


@pytest.mark.parametrize("name", OURS)
def test_a_healthy_model_passes_whatever_the_threads(name: str) -> None:
    adapter = registry.load(name)
    assert adapter.fault is None
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            assert find_fault(adapter) is None
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", [name for name in OURS if not name.startswith("firefox")])
def test_half_precision_is_no_fault(name: str, dtype: torch.dtype) -> None:
    adapter = alone(name)
    network(adapter).to(dtype)
    assert find_fault(adapter) is None


@pytest.mark.parametrize("name", OURS)
def test_what_is_expected_is_right(name: str) -> None:
    probe, expected = probes()[name]["probe"], probes()[name]["expected"]
    kind, value = next(iter(probe["input"].items()))
    trace = registry.load(name).trace(self_check._input(probe), **probe["options"])
    assert expected["weights_sha256"] == trace.provenance["weights_sha256"]
    if kind == "scene":
        scene, told = from_link(value), probe["options"].get("hint")
        if trace.steps:
            assert expected["output"] == (
                hinted_caption(scene, parse_hint(told), grey=True) if told else caption(scene)
            )
        else:
            found = count_right([answer.text for answer in trace.answers], scene)
            assert expected["output"] == "a red circle at the top and a blue star at the bottom"
            assert found.places >= 0.95 * found.of_places
    elif kind == "asked":
        question = next(one for one in named(value).questions.values() if one.kind == "highest")
        assert expected["output"] == f"{question.text} {question.answer}".replace(" ?", "?")
    elif trace.pictures:
        assert drawing_verdict(value, trace.pictures[-1]) == "Drawn as asked."
    else:
        assert expected["output"] == TRUE[name]


def test_what_is_expected_of_maps_is_what_an_earlier_release_made() -> None:
    shipped = examples.load("boat")
    assert shipped is not None
    assert shipped.input == probes()["firefox-en-pt"]["probe"]["input"]["text"]
    expected = probes()["firefox-en-pt"]["expected"]["maps"]["cross"]
    np.testing.assert_allclose(fingerprint(shipped.cross.weights), expected, atol=1e-3)


def test_a_fingerprint_is_how_spread_weights_are_and_where() -> None:
    weights = np.zeros((1, 3, 2, 4), np.float32)
    weights[0, 0] = 0.25  # even
    weights[0, 1, :, 3] = 1  # all on the last key
    weights[0, 2] = np.array([[1, 0, 0, 0], [0, 0, 0.5, 0.5]])
    spread, where = fingerprint(weights)[0].T
    np.testing.assert_allclose(spread, [1, 0, 0.25])
    factors = [np.cos(n * n * (1 + 5**0.5) / 2) for n in range(8)]  # row 0, then row 1
    wanted = [sum(factors) / 8, (factors[3] + factors[7]) / 2, (factors[0] + (factors[6] + factors[7]) / 2) / 2]
    np.testing.assert_allclose(where, wanted)


Weights = NDArray[Any]


def _swapped_heads(weights: Weights) -> Weights:
    order = [1, 0, *range(2, weights.shape[1])]
    return weights[:, order]


#: Wrong maps beside a right text.
WRONG: dict[str, Callable[[Weights], Weights]] = {
    "two heads swapped": _swapped_heads,
    "layers reversed": lambda w: w[::-1] if len(w) > 1 else w[:, ::-1],
    "keys mirrored": lambda w: w[..., ::-1],
    "keys one late": lambda w: np.roll(w, 1, -1),
    "rows one late": lambda w: np.roll(w, 1, -2),
    "rows reversed": lambda w: w[..., ::-1, :],
    "the mean of the heads in each": lambda w: np.broadcast_to(w.mean(1, keepdims=True), w.shape),
    "another temperature": lambda w: w**1.2 / (w**1.2).sum(-1, keepdims=True),
    "even": lambda w: np.full_like(w, 1 / w.shape[-1]),
    "one head even": lambda w: np.concatenate([np.full_like(w[:, :1], 1 / w.shape[-1]), w[:, 1:]], 1),
    "one layer before softmax": lambda w: np.concatenate([np.log(w[:1] + 1e-6) / 10 + 1, w[1:]]),
}


@pytest.mark.parametrize("name", OURS)
def test_wrong_maps_beside_a_right_text_are_noticed(name: str) -> None:
    entry = probes()[name]
    probe, expected = entry["probe"], entry["expected"]
    adapter = registry.load(name)
    trace = adapter.trace(self_check._input(probe), kinds=tuple(probe["kinds"][0]), **probe["options"])
    weights = trace.cross.weights.astype(np.float64)
    unnoticed = []
    for what, wrong in WRONG.items():
        maps = fingerprint(np.asarray(wrong(weights))).tolist()
        found = {**expected, "maps": {**expected["maps"], "cross": maps}}
        if difference(found, expected) != "for a probe its cross attention is another":
            unnoticed.append(what)
    assert not unnoticed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"output": "um gato"},
            "to a probe it answers “um gato” and not “O pequeno barco vermelho pertence ao meu avô.”",
        ),
        ({"log_probability": -0.3}, "to a probe it answers with log-probability -0.30 and not -0.08"),
        ({"log_probability": float("nan")}, "log-probability nan"),
        ({"maps": {"cross": [[[0.5, 0.5]]], "encoder": [[[0.5, 0.5]]]}}, "its cross and encoder attention is another"),
        ({"output": "um gato", "weights_sha256": "0"}, "weights are not those that it was tested with"),
    ],
)
def test_each_difference_is_said(changes: dict[str, Any], words: str) -> None:
    expected = probes()["firefox-en-pt"]["expected"]
    assert words in str(difference({**expected, **changes}, expected))


def test_another_picture_is_said() -> None:
    expected = probes()["draw-shapes"]["expected"]
    picture = np.array(expected["picture"])
    assert difference({**expected, "picture": picture + 2}, expected) is None
    assert difference({**expected, "picture": picture[::-1]}, expected) == "for a probe it draws another picture"


def test_other_weights_that_do_the_same_are_no_fault() -> None:
    expected = probes()["firefox-en-pt"]["expected"]
    assert difference({**expected, "weights_sha256": "0"}, expected) is None


def shares_the_cache(
    self: TwoCrossAttentions,
    hidden_states: Tensor,
    *,
    encoder_hidden_states: Tensor,
    encoder_attention_mask: Tensor | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """What a release of transformers once did to them: the second attention got the cache of the first."""
    first, second = self._masks(encoder_hidden_states, encoder_attention_mask)
    rest["encoder_hidden_states"] = encoder_hidden_states
    one, _ = self.first(hidden_states, encoder_attention_mask=first, **rest)
    two, _ = self.second(self.norm(hidden_states + one), encoder_attention_mask=second, **rest)
    return one + two, None


@pytest.mark.parametrize("name", JOINS)
def test_a_hinted_model_whose_attentions_share_a_cache_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch, unloaded: None
) -> None:
    monkeypatch.setattr(TwoCrossAttentions, "forward", shares_the_cache)
    with pytest.warns(ModelWarning, match=f"{name} does not compute here what it did when it was tested: to a probe"):
        adapter = registry.load(name)
    assert adapter.fault is not None
    assert "xattn-viz doctor" in adapter.fault
    probe = probes()[name]["probe"]
    trace = adapter.trace(self_check._input(probe), **probe["options"])
    assert trace.fault == adapter.fault
    assert adapter.fault in trace.remarks
    assert registry.load(name) is adapter  # it is said once


def test_a_model_that_cannot_run_any_more_has_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: Any, **__: Any) -> Trace:
        raise AttributeError("'Cache' object has no attribute 'get_seq_length'")

    adapter = alone("caption-shapes")
    monkeypatch.setattr(adapter, "trace", gone)
    assert "it fails with AttributeError" in str(find_fault(adapter))
    assert "get_seq_length" in caplog.text


@pytest.mark.parametrize("family", registry.families())
def test_every_trace_of_a_model_with_a_fault_says_so(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = registry.families()[family].example()
    given: Any = {
        "audio": Sound(np.sin(np.arange(16_000, dtype=np.float32))),
        "image": np.full((32, 32, 3), 240, np.uint8),
        "text": "a small sentence",
    }[adapter.card.input_kind]
    assert find_fault(adapter) is None  # nothing is expected of it
    assert adapter.trace(given).fault is None
    adapter.fault = "It is broken."
    partials: list[Trace] = []
    monkeypatch.setattr(base, "PARTIAL_SECONDS", 0.0)
    traces = [adapter.trace(given, on_partial=partials.append), *adapter.traces(given), *partials]
    if "write" in adapter.card.can:
        traces.append(adapter.trace(given, target="a"))
    for trace in traces:
        assert trace.fault == "It is broken."
        assert trace.remarks.count("It is broken.") == 1


def test_a_model_is_checked_once_however_many_threads_load_it(monkeypatch: pytest.MonkeyPatch, unloaded: None) -> None:
    asked = []

    def counted(adapter: Adapter) -> str | None:
        asked.append(adapter.card.name)
        return find_fault(adapter)

    monkeypatch.setattr(registry, "find_fault", counted)
    threads = [threading.Thread(target=registry.load, args=("firefox-en-pt",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["firefox-en-pt"]
