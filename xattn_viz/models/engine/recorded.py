"""From what the layers of a model did to maps: arrays of numpy, large ones never held twice."""

from __future__ import annotations

import numpy as np

from xattn_viz.attention.weights import Seen
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import Alteration, AttentionMaps, MapKind
from xattn_viz.models.engine.settings import Settings
from xattn_viz.models.recorded import projections


def attention_maps(
    kind: MapKind,
    layers: list[Seen],
    queries: Axis,
    keys: Axis,
    read: Axis | None,
    settings: Settings,
    *,
    is_part: bool = False,
) -> AttentionMaps:
    """What the layers did with the one item of the batch, as maps. Empties `layers`: none is ever held twice.

    `is_part` says that the keys are only some of those that a softmax went over.
    """
    kept = projections(layers) if settings.keep_projections else None
    numbers = tuple(range(len(layers)))
    first = layers[0].weights[0].numpy()
    weights = np.empty((len(layers), *first.shape), first.dtype)
    for number in numbers:
        weights[number] = layers.pop(0).weights[0].numpy()
    weights.flags.writeable = False  # else the maps would copy it
    altered: list[Alteration] = ["cropped"] if is_part else []
    if any(head[0] == kind for head in settings.ablate):
        altered.append("ablated")
    return AttentionMaps(
        weights,
        queries,
        keys,
        kind,
        numbers,
        read=read,
        projections=kept,
        altered=tuple(altered),
    )
