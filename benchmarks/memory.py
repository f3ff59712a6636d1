"""The memory that one large trace takes at its peak: cross-attention of 16 layers × 16 heads × 512 × 512.

The model is a T5 of 16 + 16 layers with random weights that reads and writes bytes; it reads 512 tokens, and a target
of 512 is given. Ours is `trace`, up to the maps; the peer is what people usually do: one pass of the same checkpoint
under eager attention with `output_attentions=True`, and its cross-attention stacked into an array. Each runs in a
process of its own, and what counts is how far it raises that process's peak. Reported beside the bytes of the maps in
float32.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5Config, T5ForConditionalGeneration

from benchmarks._measure import figure
from benchmarks._memory import peak_megabytes
from xattn_viz.models import registry
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter

LAYERS, HEADS, TOKENS = 16, 16, 512
TEXT = ("The quick brown fox jumps over the lazy dog. " * 12)[: TOKENS - 1]  # the end is a token too


def write(folder: Path) -> None:
    """The checkpoint, as `save_pretrained` writes it."""
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "ByT5Tokenizer"}), encoding="utf-8")
    config = T5Config(
        vocab_size=384,
        d_model=256,
        d_kv=16,
        d_ff=512,
        num_layers=LAYERS,
        num_heads=HEADS,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        adapter = registry.load(name)
        peer = AutoModelForSeq2SeqLM.from_pretrained(name, attn_implementation="eager").eval()
        tokenizer = AutoTokenizer.from_pretrained(name)
    assert isinstance(adapter, Seq2SeqAdapter)

    def trace() -> None:
        maps = adapter.trace(TEXT, target=TEXT, task_prefix="").cross
        assert maps.weights.shape == (LAYERS, HEADS, TOKENS, TOKENS)

    @torch.inference_mode()
    def eager() -> None:
        inputs = tokenizer(TEXT, return_tensors="pt")
        out = peer(**inputs, labels=inputs["input_ids"], output_attentions=True)
        weights = np.stack([layer[0].numpy() for layer in out.cross_attentions])
        assert weights.shape == (LAYERS, HEADS, TOKENS, TOKENS)

    maps = 4 * LAYERS * HEADS * TOKENS * TOKENS / 1e6
    models = (adapter.network.model, peer)
    ours, theirs = peak_megabytes(trace, models), peak_megabytes(eager, models)
    said = f"{ours:.0f} MB at its peak, {theirs:.0f} MB; the maps in float32: {maps:.0f} MB"
    figure("memory of a large trace / an eager pass", ours / theirs, details=said)
    figure("memory of a large trace / its maps", ours / maps, details=said)


if __name__ == "__main__":
    main()
