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

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from xattn_viz.attention.weights import Call, Seen, compact, see
from xattn_viz.core.maps import MapKind

#: The attention implementation to load a model with. With "sdpa" in its name, the library checks that a model's class
#: supports fused attention; without, such a model would run and be silently wrong.
NAME = "sdpa_recording"


class Site(NamedTuple):
    """Where an attention module stands in its model: the kind of map that it makes, and its layer, from 0."""

    kind: MapKind
    layer: int


@dataclass(frozen=True)
class Recording:
    """One call's wishes and what came of them: `seen` holds, for each site, what its module did, in order of calls.

    `calls` holds instead what was handed to it, where the map of a generation is put together from its steps.
    """

    sites: Mapping[nn.Module, Site]
    kinds: Collection[MapKind] = ()
    ablate: Mapping[Site, Collection[int]] = field(default_factory=dict)
    projections: bool = False
    half_above: int | None = None
    stepwise: bool = False
    seen: dict[Site, list[Seen]] = field(default_factory=dict)
    calls: dict[Site, list[Call]] = field(default_factory=dict)

    def layers(self, kind: MapKind) -> list[Seen]:
        """What each layer did from the first layer on: in the last call, or stepwise in all of them together.

        What was handed to it stepwise is given up for that.
        """
        steps = [self.look(site, self.calls.pop(site)) for site in sorted(self.calls) if site.kind == kind]
        return steps or [self.seen[site][-1] for site in sorted(self.seen) if site.kind == kind]

    def keep(self, site: Site, call: Call) -> None:
        """Keep what was handed to a module or, unless stepwise, look at what it does with it."""
        if self.stepwise:
            self.calls.setdefault(site, []).append(call)
        else:
            self.seen.setdefault(site, []).append(self.look(site, [call]))

    def look(self, site: Site, calls: Sequence[Call]) -> Seen:
        """What a module did in these calls, its ablated heads at zero."""
        seen = see(calls, self.projections)
        seen.weights[:, list(self.ablate.get(site, ()))] = 0
        layers = sum(other.kind == site.kind for other in self.sites.values())
        return replace(seen, weights=compact(seen.weights, layers, self.half_above))


_RECORDING: ContextVar[Recording | None] = ContextVar("recording", default=None)
_PROBE: ContextVar[list[tuple[nn.Module, int, int]] | None] = ContextVar("probe", default=None)


@contextmanager
def recording(
    sites: Mapping[nn.Module, Site],
    kinds: Collection[MapKind] = (),
    *,
    ablate: Collection[tuple[MapKind, int, int]] = (),
    projections: bool = False,
    half_above: int | None = None,
    stepwise: bool = False,
) -> Iterator[Recording]:
    """Record the maps of these kinds while the block runs, with the heads (kind, layer, head) of `ablate` at zero.

    The context is the caller's alone. `projections` keeps queries, keys, bias and scale besides.
    A kind of map with more weights than `half_above` in all layers together is kept in float16. `stepwise` is for the
    cross-attention of a generation with a single beam: each step's rows are kept, and make one map in the end.
    """
    off: dict[Site, list[int]] = {}
    for kind, layer, head in ablate:
        off.setdefault(Site(kind, layer), []).append(head)
    made = Recording(sites, tuple(kinds), off, projections, half_above, stepwise)
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
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    probe, current = _PROBE.get(), _RECORDING.get()
    if probe is not None:
        probe.append((module, query.shape[2], key.shape[2]))
    if current is None or (site := current.sites.get(module)) is None:
        return output, None
    off = list(current.ablate.get(site, ()))
    if off:
        output[:, :, off] = 0
    if site.kind in current.kinds:
        current.keep(site, Call(module, query, key, attention_mask, settings))
    return output, None


AttentionInterface.register(NAME, _attend)
# Without its own mask function a model gets no mask at all, and padding takes part.
AttentionMaskInterface.register(NAME, sdpa_mask)
