"""Architectures with small random weights against transformers' own eager attention, each time in a fresh model."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING as KNOWN

from tests import checkpoints
from tests.models.eager import TOLERANCE, expect_equal
from xattn_viz.core.interventions import Intervention
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.models.base import ModelError
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter, assemble, attention, tiny

SIZE = 320  # of the vocabulary
WORDS = "The cat sat on the mat and looked at the rain. It slept until the sun came up, and then for another day."


@cache
def tokenizer() -> Any:
    return tiny()._tokenizer


def model(architecture: str, *, eager: bool = False) -> Any:
    config = checkpoints.configuration(architecture, SIZE)
    ours = attention(architecture, KNOWN[type(config)], config)
    made = checkpoints.model(architecture, "eager" if eager else ours, SIZE)
    own, text = made.generation_config, made.config.get_text_config(decoder=True)
    for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id"):
        said = getattr(made.config, name, None)
        setattr(own, name, getattr(text, name, None) if said is None else said)
    own.decoder_start_token_id = text.bos_token_id if own.decoder_start_token_id is None else own.decoder_start_token_id
    own.max_length, own.max_new_tokens = 12, None
    return made


@cache
def adapter(architecture: str) -> Seq2SeqAdapter:
    return assemble(architecture, model(architecture), tokenizer(), "random")


def source_ids(architecture: str, text: str) -> torch.Tensor:
    return torch.tensor([adapter(architecture).text.source(text).ids])


def of_length(architecture: str, count: int) -> str:
    """A text of so many tokens."""
    return next(WORDS[:end] for end in range(len(WORDS)) if source_ids(architecture, WORDS[:end]).shape[1] == count)


def check_against_the_library(architecture: str, trace: Trace) -> None:
    """Hold a trace against an eager pass of a fresh model over its source and its output."""
    peer, ids = model(architecture, eager=True), source_ids(architecture, str(trace.input))
    start = peer.generation_config.decoder_start_token_id
    with torch.no_grad():
        out = peer(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            decoder_input_ids=torch.tensor([[start, *(step.id for step in trace.steps[:-1])]]),
            use_cache=False,
            output_attentions=True,
        )
    expect_equal(trace, out)


def check_output(architecture: str, trace: Trace, beams: int) -> None:
    """Hold an output against what a fresh model's own search writes."""
    ids = source_ids(architecture, str(trace.input))
    with torch.no_grad():
        found = model(architecture, eager=True).generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), num_beams=beams, do_sample=False
        )
    written = [step.id for step in trace.steps]
    assert found[0].tolist()[1 : len(written) + 1] == written


# Beside those that test_seq2seq.py loads from folders, with a tokenizer each. Where the encoder attends
# locally or in blocks, the library reports no map of it.
ALL: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
ARCHITECTURES: dict[str, tuple[MapKind, ...]] = {
    **dict.fromkeys(("blenderbot", "blenderbot-small", "mt5", "umt5", "nllb_moe", "mvp", "seamless_m4t_v2"), ALL),
    **dict.fromkeys(("t5gemma", "t5gemma2", "roberta2gpt2"), ALL),
    **dict.fromkeys(("longt5", "longt5-global", "pegasus_x", "bigbird2bert"), ("cross", "decoder")),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_architecture_attends_as_in_the_library(architecture: str) -> None:
    adapted = adapter(architecture)
    assert adapted.card.kinds == ARCHITECTURES[architecture]
    for count, beams in ((9, 1), (50, 2), (12, 1)):
        trace = adapted.trace(of_length(architecture, count), kinds=adapted.card.kinds, num_beams=beams)
        check_against_the_library(architecture, trace)
        check_output(architecture, trace, beams)
    prefix = [17, 30, 5, 44, 9]
    for prefixed in (adapted.trace(WORDS[:40], prefix=prefix, num_beams=beams) for beams in (1, 2)):
        assert [step.id for step in prefixed.steps[:5]] == prefix
        check_against_the_library(architecture, prefixed)


#: Those whose heads can be changed; the others run with the library's own attention, and say so.
CHANGEABLE = [*checkpoints.CONFIGURATIONS]


@pytest.mark.parametrize("architecture", CHANGEABLE)
def test_heads_changed_at_once_are_those_ablated_one_by_one(architecture: str) -> None:
    adapted = adapter(architecture)
    trace = adapted.trace(WORDS[:40], target="cat")
    kinds: tuple[MapKind, ...] = ("cross", "decoder")
    heads = [(kind, layer, 1) for kind in kinds for layer in range(len(adapted.size.heads[kind]))]
    runs = [[], *([Intervention(*head)] for head in heads), [Intervention(*head) for head in heads]]
    found = adapted.force(trace, runs).log_probs
    for run, own in zip(runs, found, strict=True):
        ablate = [(one.kind, one.layer, one.head) for one in run]
        again = adapted.trace(WORDS[:40], target="cat", ablate=ablate)
        # Logits of float32 sums in another order, of random weights that are larger than those of real models.
        np.testing.assert_allclose(own, [step.log_prob for step in again.steps], atol=1e-4)


def test_a_model_whose_heads_cannot_be_changed_says_so() -> None:
    adapted = adapter("mvp")
    trace = adapted.trace(WORDS[:40], target="cat")
    for refused in (lambda: adapted.force(trace, [[]]), lambda: adapted.head_outputs(trace)):
        with pytest.raises(ModelError, match=r"shows its maps only: its heads cannot be changed\.$"):
            refused()


def test_what_goes_to_the_source_is_said_of_one_softmax_for_both() -> None:
    for trace in (adapter("t5gemma2").trace(WORDS[:40], target="cat", kinds=ALL), half("t5gemma2")):
        sums = trace.cross.weights.sum(-1) + trace.decoder.weights.sum(-1)
        np.testing.assert_allclose(sums, 1, atol=1e-4)  # of a row in float32
        assert (trace.cross.weights.sum(-1) < 0.99).any()
        assert (trace.cross.altered, trace.decoder.altered, trace.encoder.altered) == (("cropped",), ("cropped",), ())
        assert "one softmax" in trace.remarks[0]


def half(architecture: str) -> Trace:
    """A trace of a model in half precision, whose own rows do not quite sum to 1."""
    made = assemble(architecture, model(architecture).to(torch.bfloat16), tokenizer(), "random")
    return made.trace(WORDS[:40], target="cat", kinds=ALL)


def test_every_architecture_of_the_library_is_tried_or_refused() -> None:
    """A new one in the library's list fails here until somebody has looked at it."""
    of_folders = ("bart", "fsmt", "led", "m2m_100", "marian", "mbart", "pegasus", "plbart", "seamless_m4t")
    tried = {*ARCHITECTURES, *of_folders, "t5", "switch_transformers", "bigbird_pegasus", "prophetnet", "bert2bert"}
    kinds = {checkpoints.configuration(name, SIZE).model_type for name in tried}
    one_stack = {made.model_type for made in KNOWN if not getattr(made(), "is_encoder_decoder", False)}
    assert {made.model_type for made in KNOWN} - one_stack == kinds
    with pytest.raises(ModelError, match=r"^prophetnet cannot be shown: its decoder runs several streams at once.*\.$"):
        adapter("prophetnet")


def test_a_short_text_leaves_block_sparse_attention_as_it_was() -> None:
    # Up to 28 tokens are read with full attention: 7 blocks of 4.
    for count in (8, 60, 28, 29, 7, 57, 29):
        for beams in (1, 2):
            trace = adapter("bigbird_pegasus").trace(
                of_length("bigbird_pegasus", count), kinds=("cross", "decoder"), num_beams=beams
            )
            check_against_the_library("bigbird_pegasus", trace)
            check_output("bigbird_pegasus", trace, beams)
    # What the library reports of it counts a block that is attended to in two ways once: its rows do not sum to 1.
    assert adapter("bigbird_pegasus").card.kinds == ("cross", "decoder")


def test_fsmt_reads_what_is_given_as_step_by_step() -> None:
    adapted, text = adapter("fsmt"), WORDS[:40]
    ids, prefix = source_ids("fsmt", text), [17, 30, 5, 44, 9]
    for trace in (
        adapted.trace(text, prefix=prefix, kinds=adapted.card.kinds),
        adapted.trace(text, prefix=prefix, kinds=adapted.card.kinds, num_beams=3),
        adapted.trace(text, target="cat sat", kinds=adapted.card.kinds),
    ):
        check_against_the_library("fsmt", trace)
        peer, cached = model("fsmt", eager=True), dict[str, Any]()
        read = [peer.generation_config.decoder_start_token_id, *(step.id for step in trace.steps[:-1])]
        for row, (token, step) in enumerate(zip(read, trace.steps, strict=True)):
            with torch.no_grad():
                out = peer(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    decoder_input_ids=torch.tensor([[token]]),
                    **cached,
                    use_cache=True,
                    output_attentions=True,
                )
            name = "cache" if "cache" in out else "past_key_values"  # as before transformers 5.24
            cached = {name: out[name]}
            assert step.log_prob == pytest.approx(float(out.logits[0, -1].log_softmax(-1)[step.id]), abs=1e-4)
            for layer, weights in enumerate(out.cross_attentions):
                np.testing.assert_allclose(
                    trace.cross.weights[layer, :, row], weights[0, :, 0].numpy(), atol=TOLERANCE, rtol=0
                )
