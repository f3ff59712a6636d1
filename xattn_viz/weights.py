"""The attention weights of one call, computed beside the fused attention that never shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Seen:
    """What one module did in one call, on the CPU: `weights` `[batch, head, query, key]` after the softmax.

    All is float32; `weights` are float16 where the recording's `half_above` says so.

    `queries` `[batch, head, query, d_k]`, `keys` `[batch, head, key, d_k]`, `bias` (broadcasts to the weights' shape,
    -inf where a key is masked; None where there is nothing to add) and `scale` are there when projections are kept.
    """

    weights: Tensor
    queries: Tensor | None = None
    keys: Tensor | None = None
    bias: Tensor | None = None
    scale: float = 1.0


def see(
    module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, settings: Mapping[str, Any], projections: bool
) -> Seen:
    """What a module does with `query` and `key` `[batch, head, position, d_k]`, besides its fused attention.

    `mask` and `settings` are what transformers hands to an attention implementation.
    """
    q, k = query.detach().float(), key.detach().float()
    if k.shape[1] != q.shape[1]:  # grouped queries: several heads share their keys
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    scaling = settings.get("scaling")
    scale = q.shape[-1] ** -0.5 if scaling is None else float(scaling)
    bias = _bias(module, q, k, mask, settings)
    scores = q @ k.transpose(-2, -1) * scale  # [batch, head, query, key]
    scores = scores if bias is None else scores + bias
    # A row with every key masked is 0/0; fused attention gives zeros there.
    weights = scores.softmax(-1).masked_fill(scores.isneginf().all(-1, keepdim=True), 0)
    if not projections:
        return Seen(weights.cpu())
    return Seen(weights.cpu(), q.cpu(), k.cpu(), None if bias is None else bias.cpu(), scale)


def _bias(module: nn.Module, q: Tensor, k: Tensor, mask: Tensor | None, settings: Mapping[str, Any]) -> Tensor | None:
    """All that is added to the scores, float32: mask, causality and a learnt position bias; None where that is zero."""
    position_bias = settings.get("position_bias")
    bias = None if position_bias is None or not position_bias.any() else position_bias.detach().float()
    is_causal = settings.get("is_causal")
    is_causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if mask is None and is_causal and q.shape[2] > 1:
        mask = torch.ones(1, 1, q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    if mask is None:
        return bias
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, device=q.device).masked_fill(~mask, float("-inf"))
    return mask.float() if bias is None else bias + mask.float()


def compact(weights: Tensor, layers: int, half_above: int | None) -> Tensor:
    """A layer's weights in float16 where all `layers` like it hold more than `half_above` weights.

    float16 is within 1/2048 of each weight: an eighth of a level, where a map is shown in 255 levels of its maximum.
    """
    return weights.half() if half_above is not None and weights.numel() * layers > half_above else weights
