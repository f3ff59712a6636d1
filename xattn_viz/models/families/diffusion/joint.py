"""The exact weights of attention in a pipeline of diffusers, whatever processor its modules have.

Each module keeps the class of its processor, whose arithmetic is the library's own (norms of queries and keys, rotary
positions); all of them end in PyTorch's fused attention, and that one call is asked for its weights too. What a run
wants is a `Watch`, which each thread has for itself: not every pipeline hands keywords on to its processors.

Two kinds of attention are watched. In cross-attention places of the picture read the prompt (U-Nets, PixArt). In the
joint attention of MMDiT text and image are one sequence under one softmax (Esser et al. 2024, Scaling Rectified Flow
Transformers for High-Resolution Image Synthesis): of its four blocks those between the two are kept, one a direction.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from xattn_viz.core.maps import MapKind
from xattn_viz.models.families.diffusion.concepts import CONCEPTS, Concepts, beside
from xattn_viz.models.families.diffusion.results import See, Site


@dataclass(frozen=True)
class Watch:
    """What one run of a pipeline is to do besides.

    `sites` are the modules that are watched, `off` those heads whose output is set to zero, by module. `bias` `[key]`
    is added to the scores of the prompt's positions before the softmax, under the prompt alone: with guidance it is
    the last of a batch. `see` is called with the weights under the prompt, and with those of `concepts`, which
    cross-attention looks for; where `is_mean` they are the mean over the heads, `[1, query, key]`. `text` is how many
    positions of a joint sequence are the prompt's.
    """

    sites: Mapping[nn.Module, Site]
    text: int
    off: Mapping[nn.Module, Sequence[int]] = field(default_factory=dict)
    bias: Tensor | None = None
    see: See | None = None
    is_mean: bool = False
    concepts: Concepts | None = None


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """While the block runs, attention that this thread computes heeds a watch."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def install(network: Any) -> None:
    """Let all attention modules of a network heed the watch of who runs it; once, before anyone does."""
    kinds: dict[str, Any] = {name: type(own) for name, own in network.attn_processors.items()}
    network.set_attn_processor({name: _heeding(own)() for name, own in kinds.items()})


@functools.cache
def _heeding(own: type) -> type:
    """A class of processors like `own` that heed the watch."""

    class Heeding(own):  # type: ignore[misc]
        @functools.wraps(own.__call__)  # the library passes only what the signature names
        def __call__(self, attn: nn.Module, *given: Any, **named: Any) -> Any:
            watch = _WATCH.get()
            if watch is None or attn not in watch.sites:
                return super().__call__(attn, *given, **named)
            with _Attention(attn, watch):
                return super().__call__(attn, *given, **named)

    return Heeding


class _Attention(TorchFunctionMode):
    """While it is entered, this thread's fused attention is that of a module, and heeds a watch."""

    def __init__(self, module: nn.Module, watch: Watch) -> None:
        super().__init__()
        self._module, self._watch = module, watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What PyTorch calls in place of each of its functions."""
        if func is scaled_dot_product_attention:
            return self._attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Fused attention of `[batch, head, position, d_k]`; its signature is PyTorch's."""
        watch, text = self._watch, self._text(key.shape[2])
        mask = attn_mask if watch.bias is None else _biased(attn_mask, watch.bias, query, key, text)
        output = scaled_dot_product_attention(query, key, value, mask, dropout_p, is_causal, scale=scale)
        off = list(watch.off.get(self._module, ()))
        if off:
            output[:, off] = 0
        if watch.see is not None:
            own = None if mask is None else mask.expand(*query.shape[:3], key.shape[2])[-1]
            factor = query.shape[-1] ** -0.5 if scale is None else scale
            watch.see(self._module, self._weights(query[-1], key[-1], factor, own, text, off))
        return output

    def _text(self, length: int) -> slice:
        """Which of so many keys are the prompt's."""
        joint, text = self._watch.sites[self._module].joint, self._watch.text
        return slice(length) if not joint else slice(text) if joint == "first" else slice(length - text, length)

    def _weights(
        self, query: Tensor, key: Tensor, scale: float, mask: Tensor | None, text: slice, off: list[int]
    ) -> dict[MapKind, Tensor]:
        """softmax(q kᵀ scale + mask) in float32 by the kind of map, `[head, query, key]`.

        Head by head: the scores of a joint sequence are its length squared.
        """
        joint, length = self._watch.sites[self._module].joint, key.shape[1]
        image = slice(text.stop, length) if joint == "first" else slice(text.start)
        blocks: dict[MapKind, tuple[slice, slice]] = {"cross": (image, text), "text-to-image": (text, image)}
        found: dict[MapKind, list[Tensor]] = {kind: [] for kind in blocks} if joint else {"cross": []}
        concepts, heads = self._watch.concepts, len(query)
        keys = None if concepts is None else concepts.keys(self._module)
        if keys is not None:
            found[CONCEPTS] = []
        for head in range(heads):
            scores = (query[head].float() * scale) @ key[head].float().T
            if mask is not None:
                scores += mask[head].float()
            every = {"cross": scores.softmax(-1)}
            if keys is not None:
                every[CONCEPTS] = beside(query[head], keys[head], scale, scores)
            for kind, kept in found.items():
                block = every["cross"][blocks[kind]].clone() if joint else every[kind]
                if head in off:
                    block.zero_()
                if self._watch.is_mean and kept:
                    kept[0] += block / heads
                else:
                    kept.append(block / heads if self._watch.is_mean else block)
        return {kind: torch.stack(kept) for kind, kept in found.items()}


def _biased(mask: Tensor | None, bias: Tensor, query: Tensor, key: Tensor, text: slice) -> Tensor:
    """A mask, `[batch, 1, 1 or query, key]`, with the bias at the prompt's positions of the last of the batch."""
    added = query.new_zeros(len(query), 1, 1, key.shape[2])
    added[-1, ..., text] = bias.to(added)
    return added if mask is None else mask + added
