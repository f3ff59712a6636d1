"""From what the layers of a model did to maps: arrays of numpy, large ones never held twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps, MapKind
from xattn_viz.models.seq2seq.settings import Settings
from xattn_viz.projections import Projections
from xattn_viz.weights import Seen


def attention_maps(
    kind: MapKind, layers: list[Seen], queries: Axis, keys: Axis, read: Axis | None, settings: Settings
) -> AttentionMaps:
    """What the layers did with the one item of the batch, as maps. Empties `layers`: none is ever held twice."""
    projections = _projections(layers) if settings.keep_projections else None
    numbers = tuple(range(len(layers)))
    first = layers[0].weights[0].numpy()
    weights = np.empty((len(layers), *first.shape), first.dtype)
    for number in numbers:
        weights[number] = layers.pop(0).weights[0].numpy()
    weights.flags.writeable = False  # else the maps would copy it
    altered = any(head[0] == kind for head in settings.ablate)
    return AttentionMaps(
        weights,
        queries,
        keys,
        kind,
        numbers,
        read=read,
        projections=projections,
        altered=("ablated",) if altered else (),
    )


def _projections(layers: Sequence[Seen]) -> Projections:
    q, k = (np.stack([_array(getattr(layer, name)) for layer in layers]) for name in ("queries", "keys"))
    return Projections(q, k, layers[0].scale, _biases(layers))


def _biases(layers: Sequence[Seen]) -> NDArray[np.float32] | None:
    """What was added to the scores, to be broadcast to `[layer, head, query, key]`; None where it was nothing."""
    if all(layer.bias is None for layer in layers):
        return None
    each = [torch.zeros(1, 1, 1, 1) if layer.bias is None else layer.bias for layer in layers]
    return np.stack(np.broadcast_arrays(*(bias[0].numpy() for bias in each)))


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None  # noqa: S101 - projections were asked for
    return tensor[0].numpy()
