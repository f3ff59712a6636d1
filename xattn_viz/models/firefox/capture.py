"""What a run records of its attention, and the maps made from it. It belongs to the call, never to the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps, MapKind
from xattn_viz.models.base import Head
from xattn_viz.models.firefox.network import Capture
from xattn_viz.projections import Projections

START_LABEL = "<s>"  # the zero vector that the decoder reads first has no piece of its own


class Recorder:
    """Collects weights, and queries and keys when `projections`, for the kinds of map that were asked for."""

    def __init__(self, kinds: Sequence[MapKind], projections: bool) -> None:
        self._kinds, self._projections = kinds, projections
        self._seen: dict[MapKind, list[tuple[Tensor, Tensor, Tensor]]] = defaultdict(list)

    def of(self, kind: MapKind) -> Capture | None:
        """The function that a layer calls, or None for a kind that nobody asked for."""
        if kind not in self._kinds:
            return None
        return lambda layer, q, k, weights: self._seen[kind].append((q[0], k[0], weights[0]))

    def maps(self, output: Axis, source: Axis, ablated: Sequence[Head]) -> tuple[AttentionMaps, ...]:
        """The maps of the one sentence of the batch, in the order of the kinds."""
        return tuple(self._map(kind, output if kind == "cross" else source, source, ablated) for kind in self._kinds)

    def _map(self, kind: MapKind, queries: Axis, keys: Axis, ablated: Sequence[Head]) -> AttentionMaps:
        q, k, weights = (torch.stack(layers).numpy() for layers in zip(*self._seen[kind], strict=True))
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
