"""What the trainings of the image models have in common."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor
from transformers import GPT2Config, PreTrainedTokenizerFast, VisionEncoderDecoderConfig, ViTConfig

#: Names of the tokens that are no words, in the order of their ids.
SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def asked_for(about: str | None, folder: Path, steps: int) -> argparse.Namespace:
    """What the command line says: the folder `out` to write, and how many `steps`."""
    asked = argparse.ArgumentParser(description=about)
    asked.add_argument("--out", type=Path, default=folder)
    asked.add_argument("--steps", type=int, default=steps)
    return asked.parse_args()


def write_down(folder: Path, said: Mapping[str, Any]) -> None:
    """Store an evaluation beside the weights, and print it."""
    text = json.dumps(said, indent=2)
    (folder / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def word_tokenizer(words: Sequence[str], **settings: int) -> PreTrainedTokenizerFast:
    """One token a word or sign, between a start and an end."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL.values(), *words])}
    whole = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(SPECIAL[name], vocabulary[SPECIAL[name]]) for name in ("bos_token", "eos_token")]
    whole.decoder = decoders.WordPiece(cleanup=True)  # joins by spaces, none before a comma
    whole.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(tokenizer_object=whole, **SPECIAL, **settings)


def vit_gpt2(
    words: PreTrainedTokenizerFast,
    *,
    pixels: int,
    patch: int,
    width: int,
    heads: int,
    layers: tuple[int, int],
    longest: int,
    **both: float,
) -> VisionEncoderDecoderConfig:
    """The configuration of a ViT and a GPT-2 of the same width, without dropout.

    `pixels` and `patch` are sides of squares, `layers` those of the ViT and of the GPT-2, `longest` tokens an output
    has, and `both` are further settings of either.
    """
    encoder = ViTConfig(
        image_size=pixels,
        patch_size=patch,
        hidden_size=width,
        num_hidden_layers=layers[0],
        num_attention_heads=heads,
        intermediate_size=2 * width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **both,
    )
    decoder = GPT2Config(
        vocab_size=len(words),
        n_positions=longest + 2,
        n_embd=width,
        n_layer=layers[1],
        n_head=heads,
        n_inner=2 * width,
        add_cross_attention=True,
        is_decoder=True,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        **both,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id = words.bos_token_id
    config.pad_token_id = words.pad_token_id
    config.eos_token_id = words.eos_token_id
    return config


def rate(step: int, steps: int, warm_up: int) -> float:
    """The share of the learning rate at a step: up in a line, down along a cosine."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def waves(side: int, width: int) -> Tensor:
    """Where embeddings of the places of a grid may begin, `[place, width]`: sines and cosines of row and column.

    Places that lie beside each other begin alike.
    """
    lengths = torch.pi * 2 ** -torch.linspace(0, 4, width // 4)  # from 2 to 32 places long
    angles = torch.arange(side)[:, None] * lengths
    along = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = along[:, None].expand(side, side, -1), along[None].expand(side, side, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)
