"""What an output owes to its source, against brute force, definitions by hand and what gradients have to sum up to."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

import xattn_viz as xv
from tests.models.families.test_seq2seq_architectures import adapter
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.models.base import Cancelled
from xattn_viz.models.engine import attribution
from xattn_viz.models.engine.attribution import Inspection

EXACT = 1e-5  # nats: two ways of computing in float32
TEXT = "The cat sat on."
SMALL = ("marian", "t5", "bert2bert", "roberta2gpt2", "m2m_100")


@cache
def opened(name: str) -> tuple[Any, Trace, Inspection]:
    """A model, a trace of it and its inspection: Firefox's own, whisper on a second of sound, or a small random one."""
    if name == "whisper":
        model: Any = xv.load("whisper-tiny-en")
        trace = model.trace(clips.sound("forward"))
    else:
        model = xv.load("firefox-en-pt") if name == "firefox" else adapter(name)
        trace = model.trace("The cat sat on the mat." if name == "firefox" else TEXT)
    return model, trace, model.inspect(trace)


def forced(model: Any, text: str, trace: Trace) -> np.ndarray[Any, Any]:
    """The log-probabilities of a trace's output over another source, by an ordinary trace with a target."""
    target = model.trace(text, prefix=[step.id for step in trace.steps])
    return np.array([step.log_prob for step in target.steps])


@pytest.mark.parametrize("name", ["firefox", *SMALL])
def test_occlusion_is_a_run_without_the_word(name: str) -> None:
    model, trace, inspection = opened(name)
    words = xv.attribute(model, trace, "occlusion").groups
    found = inspection.without([[], *words])
    assert found[0] == pytest.approx(inspection.log_probs(), abs=EXACT)
    ids = inspection.run.source.read["input_ids"][0]
    for group, log_probs in zip(((), *words), found, strict=True):
        kept = ids[[i for i in range(len(ids)) if i not in group]][None]
        assert log_probs == pytest.approx(by_itself(model, kept, inspection), abs=1e-4)  # of logits of ten or so


def by_itself(model: Any, source: torch.Tensor, inspection: Inspection) -> np.ndarray[Any, Any]:
    """The same of one source alone, by the model's own forward pass: no padding, no batch."""
    network, ids = model.network.model, inspection.ids
    read = torch.tensor([[inspection.run.frame.start, *ids[:-1]]])
    with torch.inference_mode():
        if hasattr(network, "memory"):
            hidden, _ = network.decode(read, network.memory(network.encode(source)))
            logits = network.output(hidden)[0]
        else:
            logits = network(input_ids=source, decoder_input_ids=read).logits[0]
    return np.asarray(logits.float().log_softmax(-1)[torch.arange(len(ids)), torch.tensor(ids)].double())


def test_a_text_without_a_word_is_that_text() -> None:
    # Where words are removed as words, the ids that are left are those of the shorter text.
    model, trace, inspection = opened("firefox")
    groups = xv.attribute(model, trace, "occlusion").groups
    (cat,) = (group for group in groups if trace.cross.keys.labels and trace.cross.keys.labels[group[0]] == "cat")
    assert inspection.without([cat])[0] == pytest.approx(forced(model, "The sat on the mat.", trace), abs=1e-4)


def test_occluded_sound_is_silent_there() -> None:
    model, trace, inspection = opened("whisper")
    shown = np.array(trace.input)
    stretch = range(25, 50)  # positions of 0.02 s, two frames of the log-mel each
    shown[:, 50:100] = shown.min()
    again = model.trace(shown, prefix=[step.id for step in trace.steps])
    wanted = [step.log_prob for step in again.steps]
    # A step keeps no log-probability above 0, and float32 logits of 30 are within 1e-4.
    assert inspection.without([list(stretch)])[0] == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize("name", ["firefox", "marian", "t5", "whisper"])
def test_integrated_gradients_are_complete(name: str) -> None:
    _, trace, inspection = opened(name)
    rows = range(1, 4)
    pairs = {row: (trace.steps[row].id, None) for row in rows}
    found, full, empty = inspection.gradients(pairs, integrated=True)
    assert full == pytest.approx(inspection.log_probs()[1:4], abs=2e-4)
    if name == "whisper":
        everything = [*range(len(trace.cross.keys))]
        assert empty == pytest.approx(inspection.without([everything])[0, 1:4], abs=2e-4)
    assert found.sum(-1) == pytest.approx(full - empty, rel=attribution.COMPLETE, abs=attribution.COMPLETE_NATS)


def test_integrated_gradients_of_sound_are_those_at_what_the_encoder_hands_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By hand, with four steps: gradients at the encoder's outputs between those of silence and those of the sound.
    model, trace, inspection = opened("whisper")
    monkeypatch.setattr(attribution, "FIRST_STEPS", 4)
    monkeypatch.setattr(attribution, "MOST_STEPS", 4)
    row = len(trace.steps) - 3
    found, *_ = inspection.gradients({row: (trace.steps[row].id, None)}, integrated=True)
    network, values = model.network.model, inspection.run.source.read["input_features"].clone()
    read = torch.tensor([[inspection.run.frame.start, *inspection.ids[:-1]]])
    with torch.no_grad():
        source, nothing = (
            network.get_encoder()(sound).last_hidden_state
            for sound in (values, torch.full_like(values, float(values.min())))
        )
    wanted = torch.zeros_like(source)
    for share in (0.125, 0.375, 0.625, 0.875):
        point = (nothing + share * (source - nothing)).requires_grad_()
        logits = network(encoder_outputs=(point,), decoder_input_ids=read, use_cache=False).logits[0, row]
        (slope,) = torch.autograd.grad(logits.log_softmax(-1)[trace.steps[row].id], point)
        wanted += slope / 4 * (source - nothing)
    assert found[0] == pytest.approx(wanted[0].sum(-1).numpy(), abs=1e-4)


def test_gradients_are_slopes() -> None:
    # Of log-probability along the embeddings, against finite differences; the network is piecewise smooth.
    _, trace, inspection = opened("marian")
    found, *_ = inspection.gradients({1: (trace.steps[1].id, None)})
    leaf, rows = inspection._leaf(), torch.tensor([1])
    for key in range(3):
        ends = []
        for share in (1 - 1e-2, 1 + 1e-2):
            scaled = leaf.clone()
            scaled[0, key] *= share
            with torch.no_grad():
                logits = inspection._logits(inspection._repeated(1), scaled, rows)[0, 0]
            ends.append(float(logits.log_softmax(-1)[trace.steps[1].id]))
        assert found[0, key] == pytest.approx((ends[1] - ends[0]) / 2e-2, rel=0.02, abs=2e-3)


def test_gradient_times_input_is_that_of_captum() -> None:
    from captum.attr import InputXGradient  # type: ignore[import-untyped]

    _, trace, inspection = opened("marian")
    row, token = 1, trace.steps[1].id

    def score(leaf: torch.Tensor) -> torch.Tensor:
        logits = inspection._logits(inspection._repeated(len(leaf)), leaf, torch.full((len(leaf),), row))[:, 0]
        return logits.log_softmax(-1)[:, token]

    wanted = InputXGradient(score).attribute(inspection._leaf().clone().requires_grad_())
    found, *_ = inspection.gradients({row: (token, None)})
    assert found[0] == pytest.approx(wanted[0].sum(-1).detach().numpy(), abs=1e-5)


def test_gradients_of_sound_leave_padding_alone() -> None:
    _, trace, inspection = opened("whisper")
    row = len(trace.steps) - 2
    found, full, empty = inspection.gradients({row: (trace.steps[row].id, None)})
    assert found.shape == (1, len(trace.cross.keys))
    assert full > empty
    assert not found[0, trace.cross.keys.is_special].any()
    assert np.abs(found).sum() > 0.1


@pytest.mark.parametrize("name", ["firefox", *SMALL, "whisper"])
def test_layers_are_put_together_again(name: str) -> None:
    # What heads bring from all keys, plus the bias of the projection, is what the sublayer gave; weights are the map's.
    _, trace, inspection = opened(name)
    with torch.inference_mode():
        layers = list(inspection._sublayers("cross"))
    for number, layer in enumerate(layers):
        assert layer.weights.numpy() == pytest.approx(trace.cross.weights[number], abs=1e-4)
        brought = torch.einsum("hqk,hkd->qd", layer.weights, layer.transformed)
        bias = layer.attended - brought
        assert torch.allclose(bias, bias[:1].expand_as(bias), atol=1e-3)
        with torch.inference_mode():
            again = layer.finish(torch.zeros_like(layer.attended)[None])
        assert torch.allclose(again[0], layer.output, atol=1e-3)


def test_norms_are_those_of_values_through_the_projection() -> None:
    # By the definition, from the weights: f(x) = (x W_V + b_V) W_O of the head's rows.
    model, trace, inspection = opened("firefox")
    network = model.network.model
    found = inspection.value_norms()
    with torch.inference_mode():
        x = network.encode(inspection.run.source.read["input_ids"])[0]
        for layer, each in enumerate(network.decoder):
            attention, d = each.context, each.context.d_k
            for head in range(attention.n_heads):
                own = slice(head * d, (head + 1) * d)
                v = x @ attention.v_proj.weight[own].T + attention.v_proj.bias[own]
                f = v @ attention.out_proj.weight[:, own].T
                assert found[layer, head] == pytest.approx(f.norm(dim=-1).numpy(), rel=1e-4)
    assert xv.attribute(model, trace, "value-norms").values == pytest.approx(
        trace.cross.weights * found[:, :, None], rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize("per_head", [True, False])
def test_value_zeroing_by_hand(*, per_head: bool) -> None:
    # The decoder's layer on its own, the value of one key set to zero in one head or in all.
    model, _, inspection = opened("firefox")
    network, key, head = model.network.model, 1, 3
    found = inspection.value_zeroing([[key]], per_head=per_head)
    with torch.inference_mode():
        read = torch.tensor([[inspection.run.frame.start, *inspection.ids[:-1]]])
        memory = network.memory(network.encode(inspection.run.source.read["input_ids"]))
        x = network.embedded_target(read)
        for number, layer in enumerate(network.decoder):
            keys, values = memory.keys_values[number]
            without = values.clone()
            without[:, head if per_head else slice(None), key] = 0
            start = network.start()[number]
            whole, _ = layer(x, start, (keys, values), None, (), None)
            other, _ = layer(x, start, (keys, without), None, (), None)
            wanted = 1 - torch.nn.functional.cosine_similarity(whole[0], other[0], dim=-1)
            assert found[number, head if per_head else 0, :, 0] == pytest.approx(wanted.numpy(), abs=1e-5)
            x = whole


def test_contributions_share_out_each_row() -> None:
    for name in ("firefox", "t5"):
        *_, inspection = opened(name)
        for kind in ("cross", "encoder"):
            shares = inspection.contributions(kind)
            assert shares.min() >= 0
            assert shares.sum(-1) == pytest.approx(1, abs=1e-5)
    assert not inspection.contributions("encoder")[..., -1].any()


def test_contributions_by_definition() -> None:
    # Ferrando et al., one row and key of the first cross layer, with the norm written out.
    model, _, inspection = opened("firefox")
    with torch.inference_mode():
        layer = next(iter(inspection._sublayers("cross")))
        row = 2
        whole = (layer.read + layer.attended)[row]
        norm = model.network.model.decoder[0].context_norm
        deviation = (whole.var(unbiased=False) + norm.eps).sqrt()
        brought = layer.weights[:, row, :, None] * layer.transformed  # [head, key, d_model]
        vectors = list(brought.sum(0))
        parts = [(v - v.mean()) / deviation * norm.weight for v in [*vectors, layer.read[row]]]
        after = norm(whole)
        counts = torch.stack([(after.abs().sum() - (after - part).abs().sum()).clamp(min=0) for part in parts])
    assert inspection.contributions("cross")[0, row] == pytest.approx((counts / counts.sum()).numpy(), abs=1e-5)


def test_a_model_stays_as_it_was() -> None:
    model, trace, inspection = opened("marian")
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.network.model.modules()]
    inspection.value_zeroing([[0]])
    inspection.gradients({0: (trace.steps[0].id, None)})
    assert hooks == [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.network.model.modules()]
    assert all(parameter.grad is None for parameter in model.network.model.parameters())
    assert model.trace(TEXT) == trace


def test_progress_is_told_and_a_run_can_be_stopped() -> None:
    model, trace, _ = opened("firefox")
    seen: list[tuple[int, int]] = []
    inspection = model.inspect(trace, lambda done, total: seen.append((done, total)))
    inspection.without([[i] for i in range(7)])
    assert seen[-1] == (7, 7)
    assert all(a[0] <= b[0] for a, b in pairwise(seen))
    with pytest.raises(Cancelled):
        model.inspect(trace, lambda done, total: total == 0).gradients({0: (trace.steps[0].id, None)})


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model, trace, inspection = opened("firefox")
    with pytest.raises(xv.InputError, match="holds no tokens"):
        model.inspect(Trace(trace.maps, trace.input, trace.output))
    other = {**trace.provenance, "weights_sha256": "0" * 64}
    with pytest.raises(xv.ModelError, match="other weights"):
        model.inspect(Trace(trace.maps, trace.input, trace.output, trace.steps, provenance=other))
    with pytest.raises(xv.ModelError, match="Nothing would be left"):
        inspection.without([list(range(len(trace.cross.keys)))])
    eager = adapter("longt5")
    with pytest.raises(xv.ModelError, match="cannot follow"):
        eager.inspect(eager.trace(TEXT)).value_norms()
    monkeypatch.setitem(__import__("sys").modules, "captum.attr", None)
    with pytest.raises(xv.ModelError, match="pip install"):
        inspection.gradients({0: (trace.steps[0].id, None)}, integrated=True)
