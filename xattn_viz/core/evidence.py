"""Evidence about heads: one number a head, as layer × head grids that lie beside the overview of maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import read_only, same, summary


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """One number for each head of one kind of map, measured on one run or on many, such as what it costs.

    `values` `[layer, head]` are in `unit` ("nats a token", "F1"); NaN is a head without a number, or none at all where
    layers have different numbers of heads. `name` tells grids apart ("cost"), `title` names it for people, and `method`
    says in one sentence how it was made, on what. `layers` are the model's own layer numbers, from 0, as those of
    `AttentionMaps`.

    Where they are known, `per_query` `[layer, head, query]` holds the number of each row of the map (of a run's cost:
    of each token of the output), and `low` and `high` `[layer, head]` are an interval around each value, which `method`
    describes. Arrays become read-only float32.

    Raises ValueError, with the shapes, where they do not fit each other, and for infinity.
    """

    name: str
    title: str
    unit: str
    kind: MapKind
    layers: tuple[int, ...]
    values: NDArray[np.float32]
    method: str
    per_query: NDArray[np.float32] | None = None
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in ("values", "per_query", "low", "high"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(np.asarray(array).astype(np.float32, copy=False)))
        shape = self.values.shape
        if len(shape) != 2 or shape[0] != len(self.layers):
            raise ValueError(f"Values must be [layer, head] of {len(self.layers)} layers: got shape {shape}.")
        if (self.low is None) != (self.high is None):
            raise ValueError("An interval has two ends: give low and high, or neither.")
        for name, wanted in (
            ("per_query", "[layer, head, query]"),
            ("low", "[layer, head]"),
            ("high", "[layer, head]"),
        ):
            array = getattr(self, name)
            if array is not None and (array.ndim != wanted.count(",") + 1 or array.shape[:2] != shape):
                raise ValueError(f"{name} must be {wanted} beside values of shape {shape}: got shape {array.shape}.")
        if any(
            np.isinf(array).any() for array in (self.values, self.per_query, self.low, self.high) if array is not None
        ):
            raise ValueError(f"The grid {self.name!r} holds infinity, which is no measurement.")

    def at(self, layer: int, head: int) -> float:
        """The number of one head; `layer` is the model's own number, both from 0. ValueError where there is none."""
        if layer not in self.layers or not 0 <= head < self.values.shape[1]:
            raise ValueError(
                f"This grid holds no head ({layer}, {head}): {len(self.layers)} layers of {self.values.shape[1]}."
            )
        return float(self.values[self.layers.index(layer), head])

    def ranked(self) -> list[tuple[int, int]]:
        """The heads that have a number, as (layer, head) from 0, the largest first; equal ones in their order."""
        flat = self.values.ravel()
        order = [int(i) for i in np.argsort(-flat, kind="stable") if not np.isnan(flat[i])]
        return [(self.layers[i // self.values.shape[1]], i % self.values.shape[1]) for i in order]

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.values.shape))
