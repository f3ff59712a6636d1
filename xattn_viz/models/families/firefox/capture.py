"""What a run records of its attention, and the maps made from it. It belongs to the call, never to the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.projections import Projections
from xattn_viz.models.settings import Head

START_LABEL = "<s>"  # the zero vector that the decoder reads first has no piece of its own


class Recorder:
    """Collects the weights of one kind of map, with queries and keys when `projections`, layer by layer."""

    def __init__(self, projections: bool) -> None:
        self._projections = projections
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, layer: int, q: Tensor, k: Tensor, weights: Tensor) -> None:
        """What a layer calls with the one sentence of the batch."""
        self._seen.append((q[0], k[0], weights[0]))

    def maps(self, kind: MapKind, queries: Axis, keys: Axis, ablated: Sequence[Head]) -> AttentionMaps:
        """The maps of all layers that called."""
        q, k, weights = (torch.stack(layers).numpy() for layers in zip(*self._seen, strict=True))
        return AttentionMaps(
            weights,
            queries,
            keys,
            kind,
            tuple(range(len(weights))),
            read=tokens_read(queries) if kind == "cross" else None,
            projections=Projections(q, k, q.shape[-1] ** -0.5) if self._projections else None,
            altered=("ablated",) if any(head[0] == kind for head in ablated) else (),
        )


def tokens_read(predicted: Axis) -> Axis:
    """The axis of the tokens read at each step: the start, then each token predicted but the last."""
    labels, spans, special = predicted.labels or (), predicted.spans or (), predicted.special or ()
    words = predicted.words or ()
    return Axis(
        "text",
        labels=(START_LABEL, *labels[:-1]),
        spans=((0, 0), *spans[:-1]),
        words=(0, *(word + 1 for word in words[:-1])),
        special=(True, *special[:-1]),
    )
