"""A Firefox Translations student: a transformer encoder and a recurrent decoder with cross-attention.

Source: marian-dev (`src/models/transformer.h`, `src/rnn/cells.h`) and, for the recurrent SSRU, Kim et al. 2019 (From
Research to Production and Back, §2.2). Each sublayer is followed by a residual sum and a layer norm. Nothing here keeps
the state of a run: it is passed in and returned, so that threads can share one network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn

from xattn_viz.attention.interventions import Rows
from xattn_viz.attention.layer import Change, CrossAttention
from xattn_viz.core.maps import MapKind

LAYER_NORM_EPS = 1e-6
#: For each layer, the heads that are switched off.
Ablated = Mapping[int, Sequence[int]]
NONE_OFF: Ablated = MappingProxyType({})
#: Called with the layer, its queries and keys `[batch, head, position, d_k]` and weights `[batch, head, query, key]`.
Capture = Callable[[int, Tensor, Tensor, Tensor], None]
#: The same of one layer.
Captured = Callable[[Tensor, Tensor, Tensor], None]


@dataclass(frozen=True)
class Dimensions:
    """The sizes of a network, as its configuration gives them."""

    source_vocabulary: int
    target_vocabulary: int
    d_model: int
    n_heads: int
    d_encoder_ffn: int
    d_decoder_ffn: int
    encoder_layers: int
    decoder_layers: int


@dataclass(frozen=True)
class Memory:
    """An encoded batch: each decoder layer's keys and values `[batch, head, key, d_k]`, and padding `[batch, key]`."""

    keys_values: tuple[tuple[Tensor, Tensor], ...]
    padding: Tensor | None


class Student(nn.Module):
    """Encoder, decoder and embeddings. `embed_source` and `embed_target` may be one matrix, as may `output`."""

    def __init__(self, size: Dimensions) -> None:
        super().__init__()
        self.size = size
        self.embed_source = nn.Parameter(torch.empty(size.source_vocabulary, size.d_model))
        self.embed_target = nn.Parameter(torch.empty(size.target_vocabulary, size.d_model))
        self.output = nn.Linear(size.d_model, size.target_vocabulary)
        self.encoder = nn.ModuleList(
            EncoderLayer(size.d_model, size.n_heads, size.d_encoder_ffn) for _ in range(size.encoder_layers)
        )
        self.decoder = nn.ModuleList(
            DecoderLayer(size.d_model, size.n_heads, size.d_decoder_ffn) for _ in range(size.decoder_layers)
        )

    def encode(
        self,
        source: Tensor,
        padding: Tensor | None = None,
        ablated: Ablated = NONE_OFF,
        capture: Capture | None = None,
        rows: Rows | None = None,
    ) -> Tensor:
        """Source ids `[batch, key]` -> encoder output `[batch, key, d_model]`; `padding` `[batch, key]` marks it.

        `rows` changes heads; the runs that it adds to the batch join the decoder, not here.
        """
        return self.encode_embedded(self.embed_source[source], padding, ablated, capture, rows)

    def embedded_source(self, embedded: Tensor) -> Tensor:
        """What the encoder's first layer reads of embeddings `[batch, key, d_model]`: scaled, with positions."""
        return _scaled(embedded) + positions(0, embedded.shape[1], self.size.d_model)

    def encode_embedded(
        self,
        embedded: Tensor,
        padding: Tensor | None = None,
        ablated: Ablated = NONE_OFF,
        capture: Capture | None = None,
        rows: Rows | None = None,
    ) -> Tensor:
        """As `encode`, of embeddings `[batch, key, d_model]` of the source in place of its ids."""
        x = self.embedded_source(embedded)
        for number, layer in enumerate(self.encoder):
            recorder, change = capture and _numbered(capture, number), rows and _change(rows, "encoder", number)
            x = layer(x, padding, ablated.get(number, ()), recorder, change)
        return x

    def memory(self, encoded: Tensor, padding: Tensor | None = None) -> Memory:
        """The keys and values of every decoder layer, which do not change while decoding."""
        layers = (cast(DecoderLayer, layer) for layer in self.decoder)
        return Memory(tuple(layer.context.project_context(encoded) for layer in layers), padding)

    def start(self, batch: int = 1) -> list[Tensor]:
        """The decoder's state before the first step: for each layer zeros `[batch, d_model]`."""
        return [self.embed_target.new_zeros(batch, self.size.d_model) for _ in self.decoder]

    def decode(
        self,
        read: Tensor,
        memory: Memory,
        ablated: Ablated = NONE_OFF,
        capture: Capture | None = None,
        state: list[Tensor] | None = None,
        position: int = 0,
        rows: Rows | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Run the decoder over tokens that are known; return what it makes of each and the state after the last.

        `read` `[batch, query]` are the ids read at each step; -1 is the start, whose embedding is the zero vector.
        `position` is that of the first one, `state` the decoder's before it. The first result is
        `[batch, query, d_model]`; `self.output` turns it into logits. `rows` adds runs to a batch of one and changes
        their heads.
        """
        x = self.embedded_target(read, position)
        state = self.start(read.shape[0]) if state is None else state
        after = []
        for number, layer in enumerate(self.decoder):
            off = ablated.get(number, ())
            recorder = capture and _numbered(capture, number)
            change = None
            if rows is not None:
                x, change = rows.join(number, x), _change(rows, "cross", number)
            x, c = layer(x, state[number], memory.keys_values[number], memory.padding, off, recorder, change)
            after.append(c)
        return x, after

    def embedded_target(self, read: Tensor, position: int = 0) -> Tensor:
        """What the decoder's first layer reads of ids `[batch, query]`, the first of them at `position`."""
        known = (read >= 0).unsqueeze(-1)
        x = _scaled(self.embed_target[read.clamp(min=0)]) * known
        return x + positions(position, read.shape[1], self.size.d_model)


def positions(first: int, count: int, d_model: int) -> Tensor:
    """Sinusoidal position embeddings `[count, d_model]`, from position `first`: all sines, then all cosines.

    Marian's divisor is d_model/2 - 1, where most others take d_model/2.
    """
    length = max(512, 1 << (first + count - 1).bit_length())  # few lengths, so that the table is seldom made anew
    return _position_table(length, d_model)[first : first + count]


@lru_cache(maxsize=8)
def _position_table(length: int, d_model: int) -> Tensor:
    half = d_model // 2
    rates = torch.exp(torch.arange(half) * -(math.log(10_000) / (half - 1)))
    angles = torch.arange(length).unsqueeze(-1) * rates  # [length, 1] * [half] -> [length, half]
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _numbered(capture: Capture, layer: int) -> Captured:
    return lambda q, k, weights: capture(layer, q, k, weights)


def _change(rows: Rows, kind: MapKind, layer: int) -> Change:
    return lambda outputs, values, mask: rows.change(kind, layer, outputs, values, lambda: mask)


def _scaled(embedding: Tensor) -> Tensor:
    return embedding * math.sqrt(embedding.shape[-1])


class EncoderLayer(nn.Module):
    """Self-attention (attention whose queries and keys are one sequence), then feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ffn: int) -> None:
        super().__init__()
        self.attention = CrossAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model, LAYER_NORM_EPS)
        self.ffn = FeedForward(d_model, d_ffn)

    def forward(
        self,
        x: Tensor,
        padding: Tensor | None,
        ablate: Sequence[int],
        capture: Captured | None,
        change: Change | None = None,
    ) -> Tensor:
        """`[batch, key, d_model]` -> the same shape."""
        q = self.attention.project_queries(x)
        k, v = self.attention.project_context(x)
        attention = self.attention.attend(q, k, v, key_padding_mask=padding, ablate=ablate, change=change)
        if capture is not None:
            capture(q, k, attention.weights)
        out: Tensor = self.ffn(self.attention_norm(attention.output + x))
        return out


class DecoderLayer(nn.Module):
    """SSRU, then cross-attention to the encoder's output, then feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ffn: int) -> None:
        super().__init__()
        self.ssru = SSRU(d_model)
        self.context = CrossAttention(d_model, n_heads)
        self.context_norm = nn.LayerNorm(d_model, LAYER_NORM_EPS)
        self.ffn = FeedForward(d_model, d_ffn)

    def forward(
        self,
        x: Tensor,
        c: Tensor,
        keys_values: tuple[Tensor, Tensor],
        padding: Tensor | None,
        ablate: Sequence[int],
        capture: Captured | None,
        change: Change | None = None,
    ) -> tuple[Tensor, Tensor]:
        """`[batch, query, d_model]` and the state `[batch, d_model]` -> the same two shapes.

        `keys_values` are each `[batch, head, key, d_k]`; `padding` `[batch, key]` marks the keys to leave out.
        """
        x, c = self.ssru(x, c)
        q, (k, v) = self.context.project_queries(x), keys_values
        attention = self.context.attend(q, k, v, key_padding_mask=padding, ablate=ablate, change=change)
        if capture is not None:
            capture(q, k, attention.weights)
        return self.ffn(self.context_norm(attention.output + x)), c


class SSRU(nn.Module):
    """Simpler simple recurrent unit, in the place of the decoder's self-attention.

    f_t = sigmoid(W_f x_t + b_f); c_t = f_t · c_(t-1) + (1 - f_t) · W x_t; the output is norm(relu(c_t) + x_t).
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.candidate = nn.Linear(d_model, d_model, bias=False)
        self.forget = nn.Linear(d_model, d_model)
        self.norm = nn.LayerNorm(d_model, LAYER_NORM_EPS)

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """`[batch, query, d_model]` and the state `[batch, d_model]` -> the same two shapes."""
        forget = self.forget(x).sigmoid()
        new = (1 - forget) * self.candidate(x)
        states = []
        for t in range(x.shape[1]):
            c = forget[:, t] * c + new[:, t]
            states.append(c)
        # query times [batch, d_model] -> [batch, query, d_model]
        return self.norm(torch.stack(states, dim=1).relu() + x), c


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between them, the residual sum and the norm."""

    def __init__(self, d_model: int, d_ffn: int) -> None:
        super().__init__()
        self.inner = nn.Linear(d_model, d_ffn)
        self.outer = nn.Linear(d_ffn, d_model)
        self.norm = nn.LayerNorm(d_model, LAYER_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` -> the same shape."""
        out: Tensor = self.norm(self.outer(self.inner(x).relu()) + x)
        return out
