"""What the families' tiny models with random weights are made of: a few sentences, a tokenizer of them, the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn

SENTENCES = (
    "The cat sat on the mat and looked at the rain.",
    "A small boat crossed the river before sunset.",
    "She counts the steps: one, two, three, four.",
    "O gato dormiu no tapete e depois bebeu leite.",
    "Um barco pequeno atravessou o rio ao fim da tarde.",
)


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


def randomise(model: nn.Module, *, vectors: bool = False) -> None:
    """Give a model random weights, always the same; `vectors`: its biases and norms too. Nothing is trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if vectors or parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5)
    model.eval().requires_grad_(False)
