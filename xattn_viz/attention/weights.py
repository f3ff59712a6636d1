"""The attention weights of one call, computed beside the fused attention that never shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, eq=False)
class Call:
    """What transformers hands to an attention module: `query` and `key` `[batch, head, position, d_k]` and the rest."""

    module: nn.Module
    query: Tensor
    key: Tensor
    mask: Tensor | None
    settings: Mapping[str, Any]


def see(calls: Sequence[Call], projections: bool) -> Seen:
    """What a module did besides its fused attention, in one call or in several that read the same keys.

    Such are the steps of a generation, whose queries come one by one: they make one map, row by row.
    """
    last = calls[-1]
    q, k = torch.cat([call.query for call in calls], 2).detach().float(), last.key.detach().float()
    if k.shape[1] != q.shape[1]:  # grouped queries: several heads share their keys
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    scaling = last.settings.get("scaling")
    scale = q.shape[-1] ** -0.5 if scaling is None else float(scaling)
    biases = [_bias(call) for call in calls]
    bias = biases[0]
    if len(calls) > 1 and any(some is not None for some in biases):
        bias = torch.cat([_rows(call, some) for call, some in zip(calls, biases, strict=True)], 2)
    scores = q @ k.transpose(-2, -1) * scale  # [batch, head, query, key]
    scores = scores if bias is None else scores + bias
    # A row with every key masked is 0/0; fused attention gives zeros there.
    weights = scores.softmax(-1).masked_fill(scores.isneginf().all(-1, keepdim=True), 0)
    if not projections:
        return Seen(weights.cpu())
    return Seen(weights.cpu(), q.cpu(), k.cpu(), None if bias is None else bias.cpu(), scale)


def _bias(call: Call) -> Tensor | None:
    """All that is added to the scores, float32: mask, causality and a learnt position bias; None where that is zero."""
    position_bias, is_causal = call.settings.get("position_bias"), call.settings.get("is_causal")
    bias = None if position_bias is None or not position_bias.any() else position_bias.detach().float()
    is_causal = getattr(call.module, "is_causal", True) if is_causal is None else is_causal
    mask, device, rows = call.mask, call.query.device, call.query.shape[2]
    if mask is None and is_causal and rows > 1:
        mask = torch.ones(1, 1, rows, call.key.shape[2], dtype=torch.bool, device=device).tril()
    if mask is None:
        return bias
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, device=device).masked_fill(~mask, float("-inf"))
    return mask.float() if bias is None else bias + mask.float()


def _rows(call: Call, bias: Tensor | None) -> Tensor:
    """What is added in one of several calls, `[batch, head, query, key]`."""
    none = torch.zeros(*call.query.shape[:3], call.key.shape[2], device=call.query.device)
    return none if bias is None else none + bias


def compact(weights: Tensor, layers: int, half_above: int | None) -> Tensor:
    """A layer's weights in float16 where all `layers` like it hold more than `half_above` weights.

    float16 is within 1/2048 of each weight: an eighth of a level, where a map is shown in 255 levels of its maximum.
    """
    return weights.half() if half_above is not None and weights.numel() * layers > half_above else weights
