"""Exact attention weights of a running transformers model, recorded for one call and no other.

A model loaded with the attention implementation `NAME` runs PyTorch's fused attention, as it would by default. Within
`recording`, the modules asked for also compute softmax(q·kᵀ·scale + bias) and hand it over, and heads can be switched
off. What is recorded belongs to the caller's context (a ContextVar), so threads that share a model never see each
other's maps. A new thread starts with an empty context: run it in `contextvars.copy_context()` to record there.

Models whose class does not support fused attention (`supports`) refuse to load with `NAME`; they are run with
transformers' own "eager" attention instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from xattn_viz.attention.interventions import Rows
from xattn_viz.core.maps import MapKind

#: The attention implementation to load a model with. With "sdpa" in its name, the library checks that a model's class
#: supports fused attention; without, such a model would run and be silently wrong.
NAME = "sdpa_recording"


@dataclass(frozen=True)
class Captured:
    """What one module did in one call, on the CPU: `weights` `[batch, head, query, key]` after the softmax.

    All is float32; `weights` are float16 where the recording's `half_above` says so.

    `queries` `[batch, head, query, d_k]`, `keys` `[batch, head, key, d_k]`, `bias` (broadcasts to the weights' shape,
    -inf where a key is masked; None where there is nothing to add) and `scale` are there when projections are kept;
    `values` `[batch, head, key, d_v]` and what the heads made of them, `heads` `[batch, query, head, d_v]`, when values
    are.
    """

    weights: Tensor
    queries: Tensor | None = None
    keys: Tensor | None = None
    bias: Tensor | None = None
    scale: float = 1.0
    values: Tensor | None = None
    heads: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """What transformers hands to an attention module: `query` and `key` `[batch, head, position, d_k]` and the rest.

    `value` `[batch, head, key, d_v]` and `output` `[batch, query, head, d_v]` only where values are kept.
    """

    module: nn.Module
    query: Tensor
    key: Tensor
    mask: Tensor | None
    settings: Mapping[str, Any]
    value: Tensor | None = None
    output: Tensor | None = None


def capture(calls: Sequence[Call], projections: bool) -> Captured:
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
        return Captured(weights.cpu())
    return Captured(weights.cpu(), q.cpu(), k.cpu(), None if bias is None else bias.cpu(), scale)


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


def _allowed(call: Call) -> Tensor | None:
    """Which keys the queries may attend to; None for all."""
    bias = _bias(call)
    # A mask that is added is -inf in some models and the lowest number in others; a learnt bias is neither.
    return None if bias is None else bias > torch.finfo(torch.float16).min


def _rows(call: Call, bias: Tensor | None) -> Tensor:
    """What is added in one of several calls, `[batch, head, query, key]`."""
    none = torch.zeros(*call.query.shape[:3], call.key.shape[2], device=call.query.device)
    return none if bias is None else none + bias


def compact(weights: Tensor, layers: int, half_above: int | None) -> Tensor:
    """A layer's weights in float16 where all `layers` like it hold more than `half_above` weights.

    float16 is within 1/2048 of each weight: an eighth of a level, where a map is shown in 255 levels of its maximum.
    """
    return weights.half() if half_above is not None and weights.numel() * layers > half_above else weights


class Site(NamedTuple):
    """Where an attention module stands in its model: the kind of map that it makes, and its layer, from 0."""

    kind: MapKind
    layer: int


@dataclass(frozen=True)
class Recording:
    """One call's wishes and what came of them: `captured` holds, for each site, what its module did, in order of calls.

    `calls` holds instead what was handed to it, where the map of a generation is put together from its steps. `rows`
    are the runs of a batch whose heads are changed.
    """

    sites: Mapping[nn.Module, Site]
    kinds: Collection[MapKind] = ()
    ablate: Mapping[Site, Collection[int]] = field(default_factory=dict)
    projections: bool = False
    half_above: int | None = None
    stepwise: bool = False
    rows: Rows | None = None
    values: bool = False
    captured: dict[Site, list[Captured]] = field(default_factory=dict)
    calls: dict[Site, list[Call]] = field(default_factory=dict)

    def layers(self, kind: MapKind) -> list[Captured]:
        """What each layer did from the first layer on: in the last call, or stepwise in all of them together.

        What was handed to it stepwise is given up for that.
        """
        steps = [self._capture(site, self.calls.pop(site)) for site in sorted(self.calls) if site.kind == kind]
        return steps or [self.captured[site][-1] for site in sorted(self.captured) if site.kind == kind]

    def keep(self, site: Site, call: Call) -> None:
        """Keep what was handed to a module or, unless stepwise, capture what it does with it."""
        if self.stepwise:
            self.calls.setdefault(site, []).append(call)
        else:
            self.captured.setdefault(site, []).append(self._capture(site, [call]))

    def _capture(self, site: Site, calls: Sequence[Call]) -> Captured:
        """What a module did in these calls, its ablated heads at zero."""
        found = capture(calls, self.projections)
        found.weights[:, list(self.ablate.get(site, ()))] = 0
        layers = sum(other.kind == site.kind for other in self.sites.values())
        found = replace(found, weights=compact(found.weights, layers, self.half_above))
        if (value := calls[-1].value) is None:
            return found
        heads = found.weights.shape[1]
        own = value.detach().float()
        own = own if own.shape[1] == heads else own.repeat_interleave(heads // own.shape[1], dim=1)
        return replace(found, values=own, heads=calls[-1].output)


_RECORDING: ContextVar[Recording | None] = ContextVar("recording", default=None)
_PROBE: ContextVar[list[tuple[nn.Module, int, int]] | None] = ContextVar("probe", default=None)


def current_rows() -> Rows | None:
    """The runs whose heads are changed in the block that is running; None outside of one."""
    current = _RECORDING.get()
    return None if current is None else current.rows


@contextmanager
def recording(
    sites: Mapping[nn.Module, Site],
    kinds: Collection[MapKind] = (),
    *,
    ablate: Collection[tuple[MapKind, int, int]] = (),
    projections: bool = False,
    half_above: int | None = None,
    stepwise: bool = False,
    rows: Rows | None = None,
    values: bool = False,
) -> Iterator[Recording]:
    """Record the maps of these kinds while the block runs, with the heads (kind, layer, head) of `ablate` at zero.

    The context is the caller's alone. `projections` keeps queries, keys, bias and scale besides, `values` the values.
    A kind of map with more weights than `half_above` in all layers together is kept in float16. `stepwise` is for the
    cross-attention of a generation with a single beam: each step's rows are kept, and make one map in the end. `rows`
    are the runs of a pass over a known output, in which heads are changed.
    """
    off: dict[Site, list[int]] = {}
    for kind, layer, head in ablate:
        off.setdefault(Site(kind, layer), []).append(head)
    made = Recording(sites, tuple(kinds), off, projections, half_above, stepwise, rows, values)
    token = _RECORDING.set(made)
    try:
        yield made
    finally:
        _RECORDING.reset(token)


def find_sites(
    run: Callable[[], object], target_length: int, source_length: int | None = None
) -> dict[nn.Module, Site]:
    """The attention modules of an encoder-decoder, found by running it once on a batch.

    `run` calls the model with `target_length` decoder tokens and any other number of encoder positions: lengths tell
    cross-attention from the decoder's own and the encoder's, whatever the modules are called. A decoder that attends to
    both at once, in one softmax, has no module of the one or the other: where `source_length` says how many encoder
    positions there are, nothing is found then.

    Raises ValueError where layers share one module, so that a call would not say which layer it belongs to.
    """
    calls: list[tuple[nn.Module, int, int]] = []
    token = _PROBE.set(calls)
    try:
        run()
    finally:
        _PROBE.reset(token)
    sites: dict[nn.Module, Site] = {}
    counts: dict[MapKind, int] = {"cross": 0, "encoder": 0, "decoder": 0}
    for module, queries, keys in calls:
        if source_length is not None and queries == target_length and keys == target_length + source_length:
            return {}
        if module in sites:
            raise ValueError("Layers of this model share an attention module: their maps cannot be told apart.")
        kind: MapKind = "encoder" if queries != target_length else "decoder" if keys == target_length else "cross"
        sites[module] = Site(kind, counts[kind])
        counts[kind] += 1
    return sites


def supports(model_class: type) -> bool:
    """Whether models of this transformers class run with `NAME`."""
    return bool(getattr(model_class, "_supports_sdpa", False))


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    """Fused attention as transformers calls it: `[batch, head, query, d_k]` in, `[batch, query, head, d_v]` out."""
    if key.shape[0] == 1 < query.shape[0]:  # one source for all runs of a batch
        key, value = (some.expand(query.shape[0], -1, -1, -1) for some in (key, value))
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    probe, current = _PROBE.get(), _RECORDING.get()
    if probe is not None:
        probe.append((module, query.shape[2], key.shape[2]))
    if current is None or (site := current.sites.get(module)) is None:
        return output, None
    off = list(current.ablate.get(site, ()))
    if off:
        output[:, :, off] = 0
    if current.rows is not None:
        heads = output.transpose(1, 2)  # [batch, query, head, d_v] -> [batch, head, query, d_v]
        call = Call(module, query, key, attention_mask, settings)
        output = current.rows.change(site.kind, site.layer, heads, value, lambda: _allowed(call)).transpose(1, 2)
    if site.kind in current.kinds:
        kept = (value, output) if current.values else ()
        current.keep(site, Call(module, query, key, attention_mask, settings, *kept))
    return output, None


AttentionInterface.register(NAME, _attend)
# Without its own mask function a model gets no mask at all, and padding takes part.
AttentionMaskInterface.register(NAME, sdpa_mask)
