"""Tracing a captioner against its plain greedy `generate()`, and with four beams: a picture in, 30 tokens out.

The model is a ViT-GPT2 in small: a ViT of 6 layers (384 wide, 6 heads, 224 × 224 pixels, patches of 16), a GPT-2 of 6
layers (384 wide, 6 heads, 50,257 tokens), with random weights. Ours is `trace` on pixels in memory: resizing, encoder,
generation, maps, probabilities and alternatives. The peer is the same weights in transformers with fused attention: its
image processor, `generate()`, decode, with nothing captured. To reach: at most 1.15.

`caption-shapes` itself is reported beside it: of a few milliseconds, what Python does around the model is a part. So is
`plain`, the same in our own code with nothing captured. All take turns in one process on one thread; the ratio is the
median over the rounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    GPT2Config,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessorPil,
)

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.models import registry
from xattn_viz.models.families import captioner
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter
from xattn_viz.models.tiny import SENTENCES, byte_level
from xattn_viz.shapes import Scene, Thing, draw

VOCABULARY, TOKENS, ROUNDS = 50_257, 30, 15
OURS = Path(captioner.__file__).with_name(captioner.PACKAGED)
SCENE = Scene((Thing("red", "circle", 0.3, 0.3, 0.17), Thing("blue", "star", 0.7, 0.7, 0.17)))


def write(folder: Path) -> None:
    """The checkpoint, as `save_pretrained` writes it."""
    end = "<|endoftext|>"
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    tokenizer = byte_level(SENTENCES, [end], 320)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict.fromkeys(names, end)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(folder)
    encoder = ViTConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=6, intermediate_size=1536)
    decoder = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=384,
        n_layer=6,
        n_head=6,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = config.eos_token_id = config.pad_token_id = 0
    torch.manual_seed(0)
    model = VisionEncoderDecoderModel(config)
    # All outputs are equally long: the end cannot come before the limit.
    model.generation_config.update(max_length=TOKENS + 1, min_length=TOKENS + 1)
    model.save_pretrained(folder)


class Peer:
    """The checkpoint in transformers, with nothing captured."""

    def __init__(self, folder: Path) -> None:
        self.model = VisionEncoderDecoderModel.from_pretrained(
            folder, attn_implementation="sdpa", dtype=torch.float32
        ).eval()
        self.words, self.look = (
            AutoTokenizer.from_pretrained(folder),
            AutoImageProcessor.from_pretrained(folder, backend="pil"),
        )

    @torch.inference_mode()
    def generate(self, pixels: NDArray[np.uint8], beams: int) -> str:
        """The caption."""
        values = self.look(Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
        ids: Any = self.model.generate(values, num_beams=beams)
        return str(self.words.decode(ids[0], skip_special_tokens=True))


def measure(name: str, adapter: CaptionerAdapter, peer: Peer, pixels: NDArray[np.uint8], reach: float | None) -> None:
    """Print the ratios of one model."""
    for beams in (1, 4):
        assert adapter.trace(pixels, num_beams=beams).output == peer.generate(pixels, beams)
        ways: dict[str, Callable[[], object]] = {
            "trace": partial(adapter.trace, pixels, num_beams=beams),
            "generate": partial(peer.generate, pixels, beams),
            "plain": partial(adapter.plain, pixels, num_beams=beams),
        }
        measures = {way: partial(seconds, run) for way, run in ways.items()}
        interleaved(measures, 1)  # warm
        times = interleaved(measures, ROUNDS)
        for way, at_most in (("generate", reach), ("plain", 1.15)):
            figure(
                f"{name}, {'greedy' if beams == 1 else f'{beams} beams'}: trace / {way}",
                paired_ratio(times["trace"], times[way]),
                at_most=at_most,
                details=f"medians {milliseconds(times['trace'])} and {milliseconds(times[way])}",
            )


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    pixels = draw(SCENE, 480)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        adapter, peer = registry.load(name), Peer(Path(name))
    assert isinstance(adapter, CaptionerAdapter)
    measure("ViT-GPT2 in small", adapter, peer, pixels, 1.15)
    ours = registry.load(captioner.PACKAGED)
    assert isinstance(ours, CaptionerAdapter)
    measure(captioner.PACKAGED, ours, Peer(OURS), pixels, None)


if __name__ == "__main__":
    main()
