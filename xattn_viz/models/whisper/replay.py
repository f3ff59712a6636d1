"""The encoder's pass over a window and a teacher-forced decoder pass over an output: what both attend to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xattn_viz.axis import Axis
from xattn_viz.capture import Site, recording
from xattn_viz.maps import Alteration, AttentionMaps, MapKind
from xattn_viz.models.base import InputError
from xattn_viz.models.settings import Size
from xattn_viz.models.whisper.settings import Settings
from xattn_viz.projections import Projections
from xattn_viz.weights import Seen

#: How many neighbouring frames are one position of an encoder map: 0.1 s of Whisper's 0.02 s.
POOLED_FRAMES = 5
MAX_MAP_BYTES = 1 << 30  # of all maps of one trace, float32
_ENCODER_BYTES = 1 << 28  # of encoder maps that lie in memory before they are pooled


@dataclass(frozen=True)
class Runner:
    """A loaded model and where its attention modules are."""

    model: Any
    sites: Mapping[nn.Module, Site]
    size: Size

    def encode(self, values: NDArray[np.float32], settings: Settings) -> Any:
        """What the encoder makes of a log-mel `[mel, frame]` or samples `[sample]`."""
        with self.watch(settings):
            return self._encoder(values)

    def encoder_weights(self, values: NDArray[np.float32], count: int, settings: Settings) -> NDArray[np.float32]:
        """The encoder's attention in pools of `POOLED_FRAMES`, `[layer, head, query, key]`; `count` is its frames.

        Whole, it would take 9 MB a head. So the encoder runs as often as it needs to keep few layers at a time.

        Raises InputError where heads of the encoder are switched off and all layers would be needed at once.
        """
        wanted: tuple[MapKind, ...] = ("encoder",)
        mine = [(module, site) for module, site in self.sites.items() if site.kind == "encoder"]
        together = max(1, _ENCODER_BYTES // (4 * self.size.heads["encoder"] * count * count))
        if any(kind == "encoder" for kind, _, _ in settings.ablate):
            if len(mine) > 4 * together:
                raise InputError("This encoder is too large to show its maps while heads of it are switched off.")
            together = len(mine)
        pooled: dict[int, NDArray[np.float32]] = {}
        for start in range(0, len(mine), together):
            some = dict(mine[start : start + together])
            with recording(some, wanted, ablate=settings.ablate) as seen:
                self._encoder(values)
            for site in some.values():
                pooled[site.layer] = pool(seen.seen.pop(site)[-1].weights[0].numpy())
        return np.stack([pooled[layer] for layer in sorted(pooled)])

    def watch(self, settings: Settings, kinds: Sequence[MapKind] = ()) -> Any:
        """A block in which the maps of these kinds are recorded and the heads switched off."""
        return recording(self.sites, kinds, ablate=settings.ablate, projections=settings.keep_projections)

    def replay(
        self, encoded: Any, start: int, output: Sequence[int], settings: Settings
    ) -> tuple[dict[MapKind, list[Seen]], Tensor]:
        """The decoder's maps of an output, by kind and layer, and its logits `[query, id]`."""
        kinds: list[MapKind] = [kind for kind in settings.kinds if kind != "encoder"]
        self._check_size(kinds, len(output), encoded.last_hidden_state.shape[1])
        with self.watch(settings, kinds) as seen:
            out = self.model(
                encoder_outputs=encoded,
                decoder_input_ids=torch.tensor([[start, *output[:-1]]], device=self.model.device),
                use_cache=False,
                return_dict=True,
            )
        return {kind: seen.layers(kind) for kind in kinds}, out.logits[0]

    def _encoder(self, values: NDArray[np.float32]) -> Any:
        tensor = torch.tensor(values).unsqueeze(0)  # a copy: the values may be read-only
        tensor = tensor.to(device=self.model.device, dtype=self.model.dtype)
        return self.model.get_encoder()(tensor, return_dict=True)

    def _check_size(self, kinds: Sequence[MapKind], output: int, frames: int) -> None:
        cells = {"cross": output * frames, "decoder": output * output}
        needed = 4 * sum(self.size.layers[kind] * self.size.heads[kind] * cells[kind] for kind in kinds)
        if needed > MAX_MAP_BYTES:
            raise InputError(
                f"The maps of {output:,} tokens would take {needed / 1e9:.1f} GB, more than the "
                f"{MAX_MAP_BYTES / 1e9:.1f} GB allowed: bound the output with max_new_tokens."
            )


def pool(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[head, query, key]` in pools of `POOLED_FRAMES`: weights into a pool are summed, rows of a pool averaged."""
    starts = np.arange(0, weights.shape[-1], POOLED_FRAMES)
    counts = np.diff([*starts, weights.shape[-1]]).astype(np.float32)
    keys = np.add.reduceat(weights, starts, axis=2)
    pooled: NDArray[np.float32] = np.add.reduceat(keys, starts, axis=1)
    pooled /= counts[:, None]
    return pooled


def pooled_axis(frames: Axis) -> Axis:
    """The axis of the pools of `POOLED_FRAMES` frames."""
    times, special = frames.times or (), frames.special
    firsts = range(0, len(times), POOLED_FRAMES)
    lasts = [min(i + POOLED_FRAMES, len(times)) - 1 for i in firsts]
    return Axis(
        "audio",
        times=tuple((times[a][0], times[b][1]) for a, b in zip(firsts, lasts, strict=True)),
        special=special and tuple(special[i] for i in firsts),
    )


def attention_maps(
    kind: MapKind, weights: NDArray[np.float32], queries: Axis, keys: Axis, read: Axis | None, settings: Settings
) -> AttentionMaps:
    """Weights `[layer, head, query, key]` as maps, padding left out where asked for."""
    altered: list[Alteration] = ["aggregated"] if kind == "encoder" else []
    if any(head[0] == kind for head in settings.ablate):
        altered.append("ablated")
    if settings.crop and keys.kind == "audio" and keys.is_special.any():
        kept = np.flatnonzero(~keys.is_special)
        weights, keys = weights[..., kept], keys.take(kept)
        if kind == "encoder":
            weights, queries = weights[:, :, kept], queries.take(kept)
        altered.append("cropped")
    layers = tuple(range(len(weights)))
    return AttentionMaps(weights, queries, keys, kind, layers, read=read, altered=tuple(altered))


def stacked(layers: Sequence[Seen]) -> NDArray[np.float32]:
    """The weights of the one item of the batch, `[layer, head, query, key]`."""
    return np.stack([layer.weights[0].numpy() for layer in layers])


def projections(layers: Sequence[Seen]) -> Projections:
    """The queries and keys of the one item of the batch, and what was added to their products."""
    q, k = (np.stack([_array(getattr(layer, name)) for layer in layers]) for name in ("queries", "keys"))
    if all(layer.bias is None for layer in layers):
        return Projections(q, k, layers[0].scale)
    each = [torch.zeros(1, 1, 1) if layer.bias is None else layer.bias for layer in layers]
    # A mask of causality alone is [query, key], another [batch, head, query, key].
    alike = [bias[0] if bias.dim() == 4 else bias.reshape(1, *bias.shape[-2:]) for bias in each]
    return Projections(q, k, layers[0].scale, np.stack(np.broadcast_arrays(*(bias.numpy() for bias in alike))))


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None  # noqa: S101 - projections were asked for
    return tensor[0].numpy()
