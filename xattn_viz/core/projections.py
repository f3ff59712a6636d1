"""The queries and keys behind attention weights, so that every weight can be checked down to q · k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.records import read_only, same, summary


@dataclass(frozen=True, eq=False)
class Projections:
    """The queries and keys behind a map: weights = softmax(q · k · scale + bias) over the keys.

    `queries` is `[layer, head, query, d_k]`, `keys` `[layer, head, key, d_k]`; `scale` is 1/√d_k in most models and 1
    in T5; `bias`, where there is one, broadcasts to `[layer, head, query, key]`.
    """

    queries: NDArray[np.float32]
    keys: NDArray[np.float32]
    scale: float
    bias: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in ("queries", "keys", "bias"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(array))
        q, k = self.queries.shape, self.keys.shape
        if len(q) != 4 or len(k) != 4 or q[:2] != k[:2] or q[3] != k[3]:
            wanted = "queries [layer, head, query, d_k] and keys [layer, head, key, d_k]"
            raise ValueError(f"Projections must be {wanted}: got {q} and {k}.")

    def scores(self, layer: int, head: int) -> NDArray[np.float32]:
        """q · k · scale + bias of one head, before the softmax, `[query, key]`; `layer` is an index into the array."""
        scores: NDArray[np.float32] = self.queries[layer, head] @ self.keys[layer, head].T * np.float32(self.scale)
        if self.bias is not None:
            scores = scores + np.broadcast_to(self.bias, (*self.queries.shape[:2], *scores.shape))[layer, head]
        return scores

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)
