"""Two small encoder-decoders for the toy tasks: one whose attentions are the layer of this package, one without any."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Generator, Tensor, nn

from xattn_viz.attention import masks
from xattn_viz.attention.layer import CrossAttention

#: The order of a decoder layer's attentions: self-attention first, or cross-attention first.
Order = Literal["usual", "swapped"]
# Scores are products of queries and keys: of both halved they are a quarter, and the first maps nearly uniform.
_SMALL = 0.5
_Model = TypeVar("_Model", bound=nn.Module)


class Predicted(NamedTuple):
    """`logits` `[batch, query, symbol]`, and the `weights` `[batch, layer, head, query, key]` of cross-attention."""

    logits: Tensor
    weights: Tensor


class EncoderDecoder(nn.Module):
    """A pre-norm transformer of `layers` layers on each side, whose cross-attention has `heads` heads.

    `order` puts a decoder's cross-attention behind its self-attention, as usual, or before it.
    """

    def __init__(
        self,
        symbols: int,
        *,
        layers: int = 1,
        order: Order = "usual",
        heads: int = 1,
        self_heads: int = 4,
        d_model: int = 32,
    ) -> None:
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(symbols, d_model)
        self.encoder = nn.ModuleList(EncoderLayer(d_model, self_heads) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderLayer(d_model, self_heads, heads, order) for _ in range(layers))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.to_logits = nn.Linear(d_model, symbols)

    def forward(self, source: Tensor, read: Tensor, padding: Tensor) -> Predicted:
        """What follows each symbol of `read` `[batch, query]`, given `source` and its `padding` `[batch, key]`."""
        context = self._embed(source)
        for layer in self.encoder:
            context = layer(context, padding)
        context = self.encoder_norm(context)
        x, weights = self._embed(read), []
        for layer in self.decoder:
            x, crossed = layer(x, context, padding)
            weights.append(crossed)
        return Predicted(self.to_logits(self.decoder_norm(x)), torch.stack(weights, 1))

    def _embed(self, indices: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(indices)
        return embedded + positions(indices.shape[1], self.d_model)


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each added to what comes in."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))
        self.attention = CrossAttention(d_model, heads)
        self.feed_forward = FeedForward(d_model)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        """`x` `[batch, position, d_model]`; nothing is read from positions in `padding`."""
        y = self.norms[0](x)
        x = x + self.attention(y, y, key_padding_mask=padding).output
        added: Tensor = self.feed_forward(self.norms[1](x))
        return x + added


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention and a feed-forward network, each added to what comes in."""

    def __init__(self, d_model: int, self_heads: int, cross_heads: int, order: Order) -> None:
        super().__init__()
        self.order = order
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.self_attention = CrossAttention(d_model, self_heads)
        self.cross_attention = CrossAttention(d_model, cross_heads)
        self.feed_forward = FeedForward(d_model)

    def forward(self, x: Tensor, context: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """`x` `[batch, query, d_model]` after this layer, and the weights of its cross-attention."""
        if self.order == "usual":
            x = self._look_back(x)
        crossed = self.cross_attention(self.norms[1](x), context, key_padding_mask=padding)
        x = x + crossed.output
        if self.order == "swapped":
            x = self._look_back(x)
        return x + self.feed_forward(self.norms[2](x)), crossed.weights

    def _look_back(self, x: Tensor) -> Tensor:
        length, y = x.shape[1], self.norms[0](x)
        own: Tensor = self.self_attention(y, y, mask=masks.causal(length)).output
        return x + own


class FeedForward(nn.Module):
    """The network at every position alone, twice as wide inside."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(d_model, 2 * d_model), nn.Linear(2 * d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """`x` `[..., d_model]` to the same shape."""
        added: Tensor = self.outer(self.inner(x).relu())
        return added


@cache
def positions(length: int, d_model: int) -> Tensor:
    """The sines and cosines of Vaswani et al. 2017 (§3.5), `[position, d_model]`."""
    rates = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10_000.0) / d_model))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


class FixedContext(nn.Module):
    """Two GRUs: one reads the source, its last state is what the other starts from and reads again at every step.

    That is the encoder-decoder of Cho et al. 2014. `width` is that of the state.
    """

    def __init__(self, symbols: int, *, width: int = 40, d_model: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, d_model)
        self.encoder = nn.GRU(d_model, width, batch_first=True)
        self.decoder = nn.GRU(d_model + width, width, batch_first=True)
        self.to_logits = nn.Linear(width, symbols)

    def forward(self, source: Tensor, read: Tensor, padding: Tensor) -> Predicted:
        """What follows each symbol of `read` `[batch, query]`, given `source` `[batch, key]`, its padding included."""
        _, context = self.encoder(self.embedding(source))  # [1, batch, width]
        repeated = context[0][:, None].expand(-1, read.shape[1], -1)
        states, _ = self.decoder(torch.cat([self.embedding(read), repeated], 2), context)
        no_weights = states.new_empty(len(source), 0, 0, read.shape[1], source.shape[1])
        return Predicted(self.to_logits(states), no_weights)


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
