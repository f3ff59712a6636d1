"""Exact cross-attention weights of a running U-Net of diffusers, for one call and no other.

Threads share a U-Net, so it gets one stateless processor when it is loaded, and what a call wants of it (a `Watch`)
travels with the call, through diffusers' own `cross_attention_kwargs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

#: Called with a cross-attention module and its weights, float32 `[head, query, key]`. It may raise to end the run.
See = Callable[[Attention, Tensor], object]


@dataclass(frozen=True)
class Watch:
    """What one pass of the U-Net is to do besides.

    `off` are heads whose output is set to zero, by module; `bias` `[key]` is added to every score before the softmax;
    `see` is called with each cross-attention module and its weights.
    """

    off: Mapping[Attention, Sequence[int]] = field(default_factory=dict)
    bias: Tensor | None = None
    see: See | None = None


class Processor(AttnProcessor2_0):  # type: ignore[misc]
    """Fused attention as diffusers does it, which heeds a call's `watch` in cross-attention."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Attend. The parameters' names are diffusers': it hands over no others."""
        if watch is None or encoder_hidden_states is None:
            attended: Tensor = super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
            return attended
        query = _by_head(attn, attn.to_q(hidden_states))
        key, value = (_by_head(attn, to(encoder_hidden_states)) for to in (attn.to_k, attn.to_v))
        mask = _mask(attention_mask, watch.bias)
        output = scaled_dot_product_attention(query, key, value, mask, scale=attn.scale)
        off = list(watch.off.get(attn, ()))
        if off:
            output[:, off] = 0
        if watch.see is not None:
            weights = _weights(query[0], key[0], attn.scale, mask)
            weights[off] = 0
            watch.see(attn, weights)
        merged = output.transpose(1, 2).flatten(2)  # [batch, query, head x d_v]
        projected: Tensor = attn.to_out[0](merged) / attn.rescale_output_factor
        return projected


def install(unet: Any) -> None:
    """Give all attention modules of a U-Net the processor; once, before anyone runs it."""
    unet.set_attn_processor(Processor())


def _by_head(attn: Attention, projected: Tensor) -> Tensor:
    """`[batch, position, head x d_k]` as `[batch, head, position, d_k]`."""
    batch, positions, _ = projected.shape
    return projected.view(batch, positions, attn.heads, -1).transpose(1, 2)


def _mask(attention_mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """What is added to the scores, `[batch, 1, 1, key]`. diffusers' own, `[batch, 1, key]`, has -10,000 at padding."""
    mask = None if attention_mask is None else attention_mask[:, None]
    if bias is None:
        return mask
    return bias[None, None, None] if mask is None else mask + bias


def _weights(query: Tensor, key: Tensor, scale: float, mask: Tensor | None) -> Tensor:
    """softmax(q kᵀ scale + mask) in float32, `[head, query, key]`."""
    scores = (query.float() * scale) @ key.float().transpose(-1, -2)
    if mask is not None:
        scores += mask[0].float()
    return scores.softmax(-1)
