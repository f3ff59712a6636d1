"""The network of `perceive-shapes`, and what the attention modules of any running Perceiver do, recorded per call.

transformers has one implementation of this attention, of its own, so each module gets one hook when the model is
loaded, and what a call wants of it (a `Watch`) belongs to the caller's context: threads that share a model never see
each other's. A Perceiver may run the same module several times, so a module alone does not say which layer it is: the
calls of a pass are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn
from transformers import PerceiverModel, PerceiverPreTrainedModel
from transformers.models.perceiver.modeling_perceiver import (
    PerceiverBasicDecoder,
    PerceiverImagePreprocessor,
    PerceiverSelfAttention,
)

from xattn_viz.attention.capture import Call, Captured, Site, capture, compact
from xattn_viz.core.maps import MapKind
from xattn_viz.models.engine.results import HALF_ABOVE


class PerceiverForPlaces(PerceiverPreTrainedModel):  # type: ignore[misc]
    """Patches of a picture are read by latents, and the latents by queries, one a place (Jaegle et al. 2021).

    Perceiver IO: A General Architecture for Structured Inputs & Outputs, of transformers' own parts. Besides what
    `PerceiverConfig` has, its configuration says `image_size` and `patch_size` in pixels, `patch_channels` (the width
    of a patch before its position is put behind it, as Fourier features of `position_bands` bands), `places` (rows and
    columns of the grid of queries), and the names of `colours` and `shapes`.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        side = config.image_size // config.patch_size
        reader = PerceiverImagePreprocessor(
            config,
            prep_type="patches",
            spatial_downsample=config.patch_size,
            conv_after_patching=True,
            conv_after_patching_in_channels=3 * config.patch_size**2,
            out_channels=config.patch_channels,
            position_encoding_type="fourier",
            fourier_position_encoding_kwargs={
                "num_bands": config.position_bands,
                "max_resolution": (side, side),
                "concat_pos": True,
                "sine_only": False,
            },
        )
        asker = PerceiverBasicDecoder(
            config,
            output_num_channels=1 + len(config.colours) + len(config.shapes),
            num_channels=config.d_latents,
            num_heads=config.num_cross_attention_heads,
            widening_factor=config.cross_attention_widening_factor,
            use_query_residual=True,
            position_encoding_type="trainable",
            trainable_position_encoding_kwargs={"num_channels": config.d_latents, "index_dims": config.places**2},
        )
        self.perceiver = PerceiverModel(config, input_preprocessor=reader, decoder=asker)
        self.post_init()

    def forward(self, inputs: Tensor, **settings: Any) -> Any:
        """What transformers' PerceiverModel gives for pixels `[batch, 3, row, column]` from -1 to 1.

        `logits` `[batch, place, answer]`: nothing, then the colours, then the shapes. What lies at a place is nothing
        or has one of the colours (a softmax over these), and has one of the shapes (another softmax).
        """
        return self.perceiver(inputs, **settings)


@dataclass
class Watch:
    """One pass: which maps are wanted, which heads are off, and what was seen so far.

    `sites` says what each call of the pass is, in order; `off` are heads whose output is set to zero. `pool`, where
    there is one, is what is kept of the weights of the cross-attention. Maps of a kind with more than `HALF_ABOVE`
    weights are kept in float16. `on_call` hears how many calls are done.
    """

    sites: Sequence[Site]
    kinds: Collection[MapKind] = ()
    off: Mapping[Site, Collection[int]] = field(default_factory=dict)
    projections: bool = False
    pool: Callable[[Tensor], Tensor] | None = None
    on_call: Callable[[int], object] | None = None
    seen: dict[Site, Captured] = field(default_factory=dict)
    calls: int = 0

    def layers(self, kind: MapKind) -> list[Captured]:
        """What each layer of a kind did, from the first on. They are given up by this."""
        return [self.seen.pop(site) for site in self.sites if site.kind == kind]

    def attended(self, module: Any, given: Sequence[Any], output: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the next call of the pass hands on: `given` is what it took, `output` what came of it."""
        site = self.sites[self.calls]
        self.calls += 1
        off = list(self.off.get(site, ()))
        if site.kind in self.kinds:
            seen = _seen(module, given, self.projections)
            seen.weights[:, off] = 0
            pooled = seen.weights if self.pool is None or site.kind != "cross" else self.pool(seen.weights)
            layers = sum(other.kind == site.kind for other in self.sites)
            self.seen[site] = replace(seen, weights=compact(pooled, layers, HALF_ABOVE))
        if self.on_call is not None and self.calls < len(self.sites):
            self.on_call(self.calls)
        if not off:
            return output
        context = output[0].unflatten(-1, (module.num_heads, -1)).clone()  # [batch, query, head, d_v]
        context[:, :, off] = 0
        return (context.flatten(-2), *output[1:])


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


def install(model: nn.Module) -> None:
    """Let the attention modules of a model heed the caller's watch; once, before anyone runs it."""
    for module in model.modules():
        if isinstance(module, PerceiverSelfAttention):
            module.register_forward_hook(_heed)


@contextmanager
def watching(watch: Watch) -> Iterator[Watch]:
    """Watch the one pass that the block runs, in the caller's context alone."""
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)


def _heed(module: nn.Module, given: tuple[Any, ...], output: tuple[Any, ...]) -> tuple[Any, ...]:
    watch = _WATCH.get()
    return output if watch is None else watch.attended(module, given, output)


def _seen(module: Any, given: Sequence[Any], projections: bool) -> Captured:
    """The weights of a call, from the queries and keys that the module makes of what it takes. Nothing is masked."""
    reading, _, read = given[:3]  # [batch, position, channel]; `read` is None where latents read each other
    reading = module.layernorm1(reading)
    read = reading if read is None else module.layernorm2(read)
    q = module.transpose_for_scores(module.query(reading), module.qk_channels_per_head)
    k = module.transpose_for_scores(module.key(read), module.qk_channels_per_head)
    return capture([Call(module, q, k, None, {"is_causal": False})], projections)
