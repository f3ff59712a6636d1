"""The layers of a Firefox Translations student; each sublayer is followed by a residual sum and a layer norm.

Source: marian-dev (`src/models/transformer.h`, `src/rnn/cells.h`) and, for the recurrent SSRU, Kim et al. 2019 (From
Research to Production and Back, §2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from xattn_viz.attention.layer import CrossAttention

LAYER_NORM_EPS = 1e-6

#: Called with a layer's queries and keys `[batch, head, position, d_k]` and weights `[batch, head, query, key]`.
Captured = Callable[[Tensor, Tensor, Tensor], None]


class EncoderLayer(nn.Module):
    """Self-attention (attention whose queries and keys are one sequence), then feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ffn: int) -> None:
        super().__init__()
        self.attention = CrossAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model, LAYER_NORM_EPS)
        self.ffn = FeedForward(d_model, d_ffn)

    def forward(self, x: Tensor, padding: Tensor | None, ablate: Sequence[int], capture: Captured | None) -> Tensor:
        """`[batch, key, d_model]` -> the same shape."""
        q = self.attention.project_queries(x)
        k, v = self.attention.project_context(x)
        attention = self.attention.attend(q, k, v, key_padding_mask=padding, ablate=ablate)
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
    ) -> tuple[Tensor, Tensor]:
        """`[batch, query, d_model]` and the state `[batch, d_model]` -> the same two shapes.

        `keys_values` are each `[batch, head, key, d_k]`; `padding` `[batch, key]` marks the keys to leave out.
        """
        x, c = self.ssru(x, c)
        q, (k, v) = self.context.project_queries(x), keys_values
        attention = self.context.attend(q, k, v, key_padding_mask=padding, ablate=ablate)
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
