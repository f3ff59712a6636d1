"""What the families' tiny models with random weights are made of: a few sentences, a tokenizer of them, the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn
from transformers import PreTrainedTokenizerFast

SENTENCES = (
    "The cat sat on the mat and looked at the rain.",
    "A small boat crossed the river before sunset.",
    "She counts the steps: one, two, three, four.",
    "O gato dormiu no tapete e depois bebeu leite.",
    "Um barco pequeno atravessou o rio ao fim da tarde.",
)
#: The sizes of an encoder-decoder of transformers with 2 + 2 layers of 4 heads.
SMALL = {
    "d_model": 32,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 4 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 48 for side in ("encoder", "decoder")},
}


def byte_level(sentences: Sequence[str], special: Sequence[str], size: int) -> Tokenizer:
    """A byte-level BPE tokenizer of `size` pieces, trained on a few sentences; the `special` ones come first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(sentences, trainer)
    return tokenizer


def marked_tokenizer(size: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of `size` pieces for transformers, which puts `<s>` before a text and `</s>` behind it."""
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = byte_level(SENTENCES, list(special.values()), size)
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def randomise(model: nn.Module, *, vectors: bool = False) -> None:
    """Give a model random weights, always the same; `vectors`: its biases and norms too. Nothing is trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if vectors or parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5)
    model.eval().requires_grad_(False)
