"""Attention that a model of somebody else's returned, against this package's own trace of the same model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import xattn_viz as xv
from tests.models.eager import TOLERANCE
from tests.models.families.seq2seq_folders import write
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry

TEXT = "The ﬁne cat — don't sleep."
LONGER = "The cat sat on the mat, and the dog slept near the old door."
KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small checkpoint by its kind: as transformers loads it with eager attention, its tokenizer, and our adapter."""
    root = tmp_path_factory.mktemp("checkpoints")

    @cache
    def load(kind: str) -> Any:
        folder: Path = write(root / kind, kind)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
        return model, AutoTokenizer.from_pretrained(folder), registry.load(str(folder))

    return load


def generated(model: Any, tokenizer: Any, texts: str | list[str], **settings: Any) -> tuple[Any, Any]:
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    inputs.pop("token_type_ids", None)
    asked = {"output_attentions": True, "return_dict_in_generate": True, **settings}
    with torch.no_grad():
        return model.generate(**inputs, max_new_tokens=12, **asked), inputs.input_ids


def expect_same(trace: Trace, own: Trace, tolerance: float = TOLERANCE) -> None:
    assert [maps.kind for maps in trace.maps] == [maps.kind for maps in own.maps]
    for maps, expected in zip(trace.maps, own.maps, strict=True):
        np.testing.assert_allclose(maps.weights, expected.weights, atol=tolerance, rtol=0)
        assert (maps.queries, maps.keys, maps.read) == (expected.queries, expected.keys, expected.read)
    assert trace.output == own.output


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", ["marian", "bart"])
def test_what_generate_returned_is_the_trace_of_the_same_model(
    peer: Any, kind: str, beams: int, use_cache: bool
) -> None:
    model, tokenizer, adapter = peer(kind)
    out, ids = generated(model, tokenizer, TEXT, num_beams=beams, use_cache=use_cache)
    own = adapter.trace(TEXT, num_beams=beams, kinds=KINDS, max_new_tokens=12)
    trace = xv.from_attention(out, source=TEXT, tokenizer=tokenizer)
    expect_same(trace, own)
    assert trace.input == TEXT
    by_ids = xv.from_attention(out, source=ids, tokenizer=tokenizer)
    assert [maps.weights.tolist() for maps in by_ids.maps] == [maps.weights.tolist() for maps in trace.maps]
    assert by_ids.cross.queries == own.cross.queries


def test_its_parts_say_as_much_as_the_whole(peer: Any) -> None:
    model, tokenizer, _ = peer("marian")
    out, ids = generated(model, tokenizer, TEXT, num_beams=3)
    parts = xv.from_attention(
        out.cross_attentions,
        target=out.sequences[0].tolist(),
        source=tokenizer.convert_ids_to_tokens(ids[0]),
        encoder_attentions=out.encoder_attentions,
        decoder_attentions=out.decoder_attentions,
        beam_indices=out.beam_indices,
        tokenizer=tokenizer,
        model="mine",
    )
    whole = xv.from_attention(out, source=TEXT, tokenizer=tokenizer, model="mine")
    for maps, other in zip(parts.maps, whole.maps, strict=True):
        assert np.array_equal(maps.weights, other.weights)
    assert parts.cross.queries == whole.cross.queries
    assert len(parts.cross.keys) == len(whole.cross.keys)
    assert parts.output == whole.output


@pytest.mark.parametrize("returned", [1, 2])
@pytest.mark.parametrize("beams", [1, 3])
def test_one_of_a_batch_is_as_it_is_alone(peer: Any, beams: int, returned: int) -> None:
    if returned > beams:
        return
    model, tokenizer, _ = peer("marian")
    settings = {"num_beams": beams, "num_return_sequences": returned}
    both, ids = generated(model, tokenizer, [TEXT, LONGER], **settings)
    for number, text in enumerate([TEXT, LONGER]):
        alone, own = generated(model, tokenizer, text, **settings)
        for sequence in range(returned):
            one = xv.from_attention(both, source=ids, tokenizer=tokenizer, index=number * returned + sequence)
            expect_same(one, xv.from_attention(alone, source=own, tokenizer=tokenizer, index=sequence))


def test_a_forward_pass_names_its_rows_by_the_labels(peer: Any) -> None:
    model, tokenizer, adapter = peer("marian")
    target = "O gato dormiu."
    inputs, labels = tokenizer(TEXT, return_tensors="pt"), tokenizer(text_target=target, return_tensors="pt").input_ids
    out = model(**inputs, labels=labels, output_attentions=True)  # with gradients
    assert out.cross_attentions[0].requires_grad
    trace = xv.from_attention(out, target=target, source=TEXT, tokenizer=tokenizer)
    own = adapter.trace(TEXT, target=target, kinds=KINDS)
    for maps, expected in zip(trace.maps, own.maps, strict=True):
        np.testing.assert_allclose(maps.weights, expected.weights, atol=TOLERANCE, rtol=0)
        assert maps.queries == expected.queries
    assert trace.decoder.keys.labels is not None
    assert trace.decoder.keys.labels[:2] == ("(start)", trace.decoder.queries.name(0))
    assert trace.output == target == xv.from_attention(out, target=labels[0], tokenizer=tokenizer).output


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_plain_attention_of_pytorch_of_any_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(16, 4, batch_first=True, dtype=dtype)
    _, weights = layer(
        torch.randn(1, 3, 16, dtype=dtype), *[torch.randn(1, 5, 16, dtype=dtype)] * 2, average_attn_weights=False
    )
    assert weights.requires_grad
    target, source = ["O", "gato", "preto"], ["The", "black", "cat", ".", "</s>"]
    expected = weights[0].detach().double().numpy()
    for nested in (weights, [weights], weights[None], np.array([weights.detach().float().numpy()])):
        trace = xv.from_attention(nested, target=target, source=source)
        assert trace.cross.weights.shape == (1, 4, 3, 5)
        np.testing.assert_allclose(trace.cross.weights[0], expected, atol=5e-4 if dtype.itemsize == 2 else 1e-7)
    assert (trace.output, trace.input) == ("O gato preto", "The black cat .")
    assert trace.cross.keys.special == (False, False, False, False, True)
    two = xv.from_attention((weights, weights), target=target, source=source)
    assert two.cross.layers == (0, 1)


def test_pieces_are_joined_to_words_as_they_are_marked() -> None:
    for pieces in (["▁The", "▁ki", "t", "</s>"], ["The", "Ġki", "t", "</s>"], ["The", "ki", "##t", "[SEP]"]):
        trace = xv.from_attention(weights(2, 4), target=["a", "b"], source=pieces)
        assert trace.input == "The kit"
        assert trace.cross.to_words().keys.labels == ("The", "kit", pieces[-1])
    assert xv.from_attention(weights(2, 3), target=["a", "b"], source=["The", "ki@@", "t"]).input == "The kit"


def test_without_names_positions_are_numbered() -> None:
    trace = xv.from_attention(weights(2, 3))
    assert trace.cross.queries.labels == ("1", "2")
    assert trace.cross.keys.labels == ("1", "2", "3")


def test_patches_and_frames_are_named_by_an_axis() -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    seen = xv.from_attention(weights(2, 6), target=["a", "cat"], source=Axis.picture(2, 3), input=pixels)
    assert seen.cross.keys.grid == (2, 3)
    assert seen.picture is not None
    assert "<svg" in xv.export.svg(seen)
    assert xv.export.html(seen).startswith("<!doctype html>")


def test_the_trace_is_shown_aligned_saved_and_exported(tmp_path: Path) -> None:
    planted = np.zeros((1, 2, 3, 4))
    planted[:, :, [0, 1, 2], [0, 2, 1]] = 1.0
    trace = xv.from_attention(
        list(planted[:, None]), target=["<s>", "O", "gato", "preto"], source=["The", "black", "cat", "."], model="mine"
    )
    assert [(link.source, link.target) for link in xv.most_attended(trace.cross)] == [
        ("The", "O"),
        ("black", "preto"),
        ("cat", "gato"),
    ]
    assert trace.cross.by_input_token().queries.labels == ("<s>", "O", "gato")
    xv.save(trace, tmp_path / "t.npz")
    assert xv.load_trace(tmp_path / "t.npz") == trace
    for ending in (".html", ".json", ".csv", ".svg"):
        xv.export.write(trace, tmp_path / f"t{ending}")
    assert "mine" in (tmp_path / "t.html").read_text(encoding="utf-8")
    assert repr(trace).startswith("Trace of 'mine'")
    with pytest.raises(xv.ModelError, match="cannot be run again"):
        xv.rerun(trace)


def weights(rows: int, columns: int, batch: int = 1) -> NDArray[np.float64]:
    drawn = np.random.default_rng(3).random((batch, 2, rows, columns))
    made: NDArray[np.float64] = drawn / drawn.sum(-1, keepdims=True)
    return made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cross_attentions": None}, "cross_attentions hold no weights: load the model with attn_implementation"),
        ({"cross_attentions": ()}, "cross_attentions hold no weights"),
        ({"cross_attentions": (None, None)}, "do not hold the weights of every layer"),
        ({"cross_attentions": ["a", "b"]}, r"A layer of cross_attentions is \[batch, head, query, key\]: got \(\)"),
        (
            {"cross_attentions": [weights(2, 3, 4)[:, 0]]},
            r"got \(4, 2, 3\); of these three, the first may be the batch",
        ),
        ({"cross_attentions": [np.zeros((1,) * 6)]}, r"got \(1, 1, 1, 1, 1, 1\)"),
        ({"cross_attentions": weights(2, 3, 4)}, "There are 4 sequences here, and one makes a trace"),
        ({"cross_attentions": weights(2, 3, 4), "index": 4}, "There is no sequence 4: there are 4, counted from 0"),
        ({"target": ["a"]}, r"of \(1, 2, 2, 3\) needs 2 target tokens, or 3 with the start .*: got 1 and 3"),
        ({"target": list("abcd")}, "got 4 and 3"),
        ({"source": ["a"]}, "needs .* 3 source tokens: got 2 and 1"),
        ({"source": "a b c"}, "The source 'a b c' needs the tokenizer too, or its tokens in a list"),
        ({"target": [1, 2]}, r"The target \[1, 2\] needs the tokenizer too"),
        ({"target": [0.5, 1.5]}, "The target is a list of tokens, or of ids with a tokenizer"),
        ({"target": object()}, "The tokens are no array of numbers"),
        ({"cross_attentions": weights(2, 3) * 0.5}, r"cross: Rows of weights must sum to 1.*model\.eval\(\)"),
        ({"cross_attentions": weights(2, 3) * np.nan}, r"NaN.*model\.eval\(\)"),
        ({"cross_attentions": [weights(2, 3), weights(2, 4)]}, r"of several shapes: \[\(2, 2, 3\), \(2, 2, 4\)\]"),
        (
            {"cross_attentions": [[weights(2, 3)], [weights(2, 4)]]},
            "The steps of cross_attentions are of several shapes",
        ),
        ({"encoder_attentions": weights(4, 4)}, r"encoder_attentions .* have shape \(1, 2, 4, 4\): .* has 3 such"),
        ({"decoder_attentions": weights(3, 3)}, r"decoder_attentions .* have shape \(1, 2, 3, 3\): .* has 2 such"),
        (
            {"cross_attentions": weights(2, 3, 4), "target": np.zeros((2, 2), int), "index": 0},
            "a batch of 4, the target of 2 .*beam",
        ),
        ({"beam_indices": [[0, 0, 0]]}, r"beam_indices of \(1, 3\) do not fit 1 steps of a batch of 1"),
        ({"beam_indices": [[-1]]}, "do not fit 1 steps of a batch of 1"),
        ({"beam_indices": [[7]]}, "do not fit 1 steps of a batch of 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_the_shapes(given: dict[str, Any], said: str) -> None:
    with pytest.raises(xv.InputError, match=said) as caught:
        xv.from_attention(**{"cross_attentions": [weights(2, 3)], "target": ["a", "b"], "source": list("xyz"), **given})
    assert "\n" not in str(caught.value)


def test_it_needs_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy as np, xattn_viz as xv; xv.from_attention(np.full((1, 2, 2, 2), 0.5), target=['a', 'b'], "
        "source=['c', 'd']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
