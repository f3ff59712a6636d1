"""The first weights of a model, all drawn from a generator of one's own."""

from __future__ import annotations

from typing import TypeVar

from torch import Generator, nn

from xattn_viz.attention.layer import CrossAttention
from xattn_viz.lessons.learning.model import DecoderLayer, EncoderLayer, FeedForward

# Scores are products of queries and keys: of both halved they are a quarter, and the first maps nearly uniform.
_SMALL = 0.5
_Model = TypeVar("_Model", bound=nn.Module)


def initialised(model: _Model, generator: Generator) -> _Model:
    """Give a model that was built on the device `meta` its first weights, drawn from `generator`.

    PyTorch's own initialisation draws from a generator that all threads of a process share. Self-attention and the
    feed-forward networks begin by adding nothing (as in Zhang et al. 2019, Fixup): else an encoder of two layers may
    carry every symbol to every position, and cross-attention then solves the task from anywhere.
    """
    model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5, generator=generator)
        elif isinstance(module, nn.Linear | nn.GRU):
            _projection(module, generator)
    for module in model.modules():
        if isinstance(module, CrossAttention):
            module.q_proj.weight.data *= _SMALL
            module.k_proj.weight.data *= _SMALL
        if isinstance(module, EncoderLayer):
            nn.init.zeros_(module.attention.out_proj.weight)
        elif isinstance(module, DecoderLayer):
            nn.init.zeros_(module.self_attention.out_proj.weight)
        elif isinstance(module, FeedForward):
            nn.init.zeros_(module.outer.weight)
    return model


def _projection(module: nn.Module, generator: Generator) -> None:
    for parameter in module.parameters(recurse=False):
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)
