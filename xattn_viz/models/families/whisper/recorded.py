"""From what the layers of a model did to maps: padding left out where asked for, the encoder's frames pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xattn_viz.attention.capture import Captured
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import Alteration, AttentionMaps, MapKind
from xattn_viz.models.families.whisper.settings import Settings

#: How many neighbouring frames are one position of an encoder map: 0.1 s of Whisper's 0.02 s.
POOLED_FRAMES = 5


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
    weights.flags.writeable = False  # else the maps would copy it
    layers = tuple(range(len(weights)))
    maps = AttentionMaps(weights, queries, keys, kind, layers, read=read, altered=tuple(altered))
    return maps.without_padding() if settings.crop else maps


def stacked(layers: Sequence[Captured]) -> NDArray[np.float32]:
    """The weights of the one item of the batch, `[layer, head, query, key]`."""
    return np.stack([layer.weights[0].numpy() for layer in layers])
