"""Cross-attention from scratch: the maths of the maps, to be read from top to bottom.

The equations are those of Vaswani et al. 2017 (Attention Is All You Need, §3.2). The translation model of this package
runs on this code, and the tests hold it against PyTorch's own, gradients included.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Attention(NamedTuple):
    """What attention gives back; `...` stands for the leading axes, `[batch, head]` in `CrossAttention`.

    `output` `[..., query, d_v]` (`[batch, query, d_model]` from the module), `weights` `[..., query, key]` after the
    softmax, `fully_masked` `[..., query]` (`[batch, query]` from the module): True where a query had no key to attend
    to, so that its weights and output are zeros. `scores` `[..., query, key]` before the softmax, when asked for.
    """

    output: Tensor
    weights: Tensor
    fully_masked: Tensor
    scores: Tensor | None = None


#: Takes the outputs of the heads `[batch, head, query, d_v]`, before W_O, their values `[batch, head, key, d_v]` and
#: the mask; returns the outputs to go on with.
Change = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    scale: float | None = None,
    return_scores: bool = False,
) -> Attention:
    """softmax(q kᵀ · scale) v, with `scale` 1/√d_k unless given.

    `q` is `[..., query, d_k]`, `k` `[..., key, d_k]`, `v` `[..., key, d_v]`. `mask` is boolean and broadcasts to
    `[..., query, key]`; True means that the query may attend to the key.

    Raises ValueError, with the shapes, when the widths or lengths do not fit.
    """
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        shapes = f"q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}"
        raise ValueError(f"q and k must share d_k, k and v must share their length: got {shapes}.")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = q @ k.transpose(-2, -1) * scale  # [..., query, d_k] @ [..., d_k, key] -> [..., query, key]
    return attend_by_scores(scores, v, mask, return_scores)


def attend_by_scores(scores: Tensor, v: Tensor, mask: Tensor | None = None, return_scores: bool = False) -> Attention:
    """softmax(scores) v, however the `scores` `[..., query, key]` came about; `v` is `[..., key, d_v]`.

    `mask` is boolean and broadcasts to the scores; True means that the query may attend to the key.
    """
    if mask is None:
        fully_masked = torch.full(scores.shape[:-1], scores.shape[-1] == 0, device=scores.device)
        weights = scores.softmax(-1)
    else:
        if mask.dtype != torch.bool:
            raise ValueError(f"The mask must be boolean, True where a query may attend: got {mask.dtype}.")
        scores = scores.masked_fill(~mask, float("-inf"))  # exp(-inf) = 0: no weight goes there
        # A row of nothing but -inf has no softmax (0/0). Zeros stand in for its scores and then for its weights, which
        # also keeps NaN out of the gradients.
        fully_masked = ~mask.any(-1).expand(scores.shape[:-1])
        nothing = fully_masked.unsqueeze(-1)
        weights = scores.masked_fill(nothing, 0.0).softmax(-1).masked_fill(nothing, 0.0)
    output = weights @ v  # [..., query, key] @ [..., key, d_v] -> [..., query, d_v]
    return Attention(output, weights, fully_masked, scores if return_scores else None)


class CrossAttention(nn.Module):
    """Multi-head attention from one sequence (queries) to another (keys and values).

    `d_model` is the width of the queries and of the output, `d_context` that of the other sequence (`d_model` unless
    given). Each of the `n_heads` heads works with d_k = d_model / n_heads. When `context` is the queries' own sequence
    this is self-attention.

    Raises ValueError when `n_heads` does not divide `d_model`.
    """

    def __init__(self, d_model: int, n_heads: int, *, d_context: int | None = None, bias: bool = True) -> None:
        super().__init__()
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"d_model {d_model} cannot be split into {n_heads} heads of equal width.")
        d_context = d_model if d_context is None else d_context
        self.n_heads, self.d_k = n_heads, d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias)
        self.k_proj = nn.Linear(d_context, d_model, bias)
        self.v_proj = nn.Linear(d_context, d_model, bias)
        self.out_proj = nn.Linear(d_model, d_model, bias)

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        mask: Tensor | None = None,
        scale: float | None = None,
        ablate: Collection[int] = (),
        return_scores: bool = False,
    ) -> Attention:
        """Let `x` `[batch, query, d_model]` attend to `context` `[batch, key, d_context]`.

        `key_padding_mask` `[batch, key]` is True at padding, which gets no weight. `mask` is boolean, True where a
        query may attend to a key, and broadcasts to `[batch, head, query, key]`; `scale` is 1/√d_k unless given.
        `ablate` names heads (from 0) that are switched off. Raises ValueError on a head that does not exist.
        """
        q = self.project_queries(x)
        k, v = self.project_context(context)
        return self.attend(
            q,
            k,
            v,
            key_padding_mask=key_padding_mask,
            mask=mask,
            scale=scale,
            ablate=ablate,
            return_scores=return_scores,
        )

    def project_queries(self, x: Tensor) -> Tensor:
        """The queries of every head: `[batch, query, d_model]` -> `[batch, head, query, d_k]`."""
        return self._split_heads(self.q_proj(x))

    def project_context(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of every head: `[batch, key, d_context]` -> twice `[batch, head, key, d_k]`.

        They do not depend on the queries, so a decoder computes them once and attends to them at each step.
        """
        return self._split_heads(self.k_proj(context)), self._split_heads(self.v_proj(context))

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        *,
        key_padding_mask: Tensor | None = None,
        mask: Tensor | None = None,
        scale: float | None = None,
        ablate: Collection[int] = (),
        return_scores: bool = False,
        change: Change | None = None,
    ) -> Attention:
        """Attend with queries, keys and values that are already split into heads, each `[batch, head, …, d_k]`.

        Keys and values of one item serve every item of a batch. `change` changes what the heads say, and leaves the
        weights that are given back as they were.
        """
        if key_padding_mask is not None:
            # [batch, key] -> [batch, 1, 1, key]: the same for every head and every query
            own = ~key_padding_mask[:, None, None, :]
            mask = own if mask is None else mask & own
        heads, weights, fully_masked, scores = scaled_dot_product_attention(q, k, v, mask, scale, return_scores)
        if ablate:
            on = self._heads_on(ablate, heads)
            heads, weights = heads * on, weights * on
        if change is not None:
            heads = change(heads, v, mask)
        joined = heads.transpose(1, 2).flatten(2)  # [batch, head, query, d_k] -> [batch, query, head * d_k = d_model]
        output = self.out_proj(joined)
        fully_masked = fully_masked.all(1)  # [batch, head, query] -> [batch, query]: nothing to read in any head
        if mask is not None:
            output = output.masked_fill(fully_masked.unsqueeze(-1), 0.0)  # else the bias of out_proj would remain
        return Attention(output, weights, fully_masked, scores)

    def _split_heads(self, x: Tensor) -> Tensor:
        # [batch, position, d_model] -> [batch, position, head, d_k] -> [batch, head, position, d_k]
        return x.view(*x.shape[:2], self.n_heads, self.d_k).transpose(1, 2)

    def _heads_on(self, ablate: Collection[int], like: Tensor) -> Tensor:
        unknown = [head for head in ablate if not 0 <= head < self.n_heads]
        if unknown:
            raise ValueError(f"There is no head {unknown[0]} to ablate: this layer has heads 0 to {self.n_heads - 1}.")
        on = like.new_ones(self.n_heads, 1, 1)  # broadcasts over [batch, head, query, …]
        on[sorted(ablate)] = 0
        return on
