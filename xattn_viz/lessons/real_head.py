"""One head of a real model, cut down to what a page can show, exactly: the rest of the keys becomes one column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import read_only, same, summary
from xattn_viz.core.tokens import visible

Matrix = NDArray[np.float64]
#: As many keys and queries are shown.
MOST_KEYS = 24
MOST_QUERIES = 3


@dataclass(frozen=True, eq=False)
class RealHead:
    """The queries and keys of one head of a model, around one chosen cell: weights = softmax(q kᵀ · scale + bias).

    `q` is `[query, d_k]`, `k` `[key, d_k]`, `bias` `[query, key]` where the model adds one, `captured` `[query, key]`
    the weights that were recorded while the model ran; all float64. `row` and `column` are the chosen cell among these.
    `others` more keys are left out: `others_scaled` `[query]` is the log of the sum of the exponentials of their scaled
    scores, so that the softmax stays exact, and `others_captured` `[query]` the sum of their recorded weights.
    `layer` and `head` count from 0; `kind` is that of the maps.
    """

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    q: Matrix
    k: Matrix
    scale: float
    captured: Matrix
    row: int
    column: int
    layer: int
    head: int
    kind: str = "cross"
    bias: Matrix | None = None
    others: int = 0
    others_scaled: Matrix | None = None
    others_captured: Matrix | None = None

    def __post_init__(self) -> None:
        for name in ("q", "k", "captured", "bias", "others_scaled", "others_captured"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(np.asarray(array, np.float64)))
        rows, columns = len(self.queries), len(self.keys)
        d_k = self.q.shape[-1]
        wanted: dict[str, tuple[int, ...]] = {
            "q": (rows, d_k),
            "k": (columns, d_k),
            "captured": (rows, columns),
            "bias": (rows, columns),
        }
        if self.others:
            wanted |= {"others_scaled": (rows,), "others_captured": (rows,)}
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is None and name != "bias":
                raise ValueError(f"{name} must be {shape} where {self.others} keys are left out: it is missing.")
            if array is not None and array.shape != shape:
                raise ValueError(f"{name} must be {shape} for {rows} queries and {columns} keys: got {array.shape}.")
        if not (0 <= self.row < rows and 0 <= self.column < columns):
            raise ValueError(f"There is no cell ({self.row}, {self.column}) among {rows} queries and {columns} keys.")

    def weight(self) -> float:
        """The weight of the chosen cell, recomputed from q, k, scale and bias in double precision."""
        scaled = self.k @ self.q[self.row] * self.scale + (0.0 if self.bias is None else self.bias[self.row])
        rest = [] if self.others_scaled is None else [self.others_scaled[self.row]]
        return float(np.exp(scaled[self.column] - _log_sum(np.array([[*scaled, *rest]]))[0]))

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


def real_head(maps: AttentionMaps, layer: int, head: int, row: int, column: int) -> RealHead:
    """One head around one cell of maps that hold projections; `layer` is the model's own number, all from 0.

    Shown are the chosen query with its neighbours, and the keys that it attends to most (at most `MOST_KEYS`, the
    chosen one among them), in their order. Raises ValueError where the maps hold no projections, or no such cell.
    """
    kept = maps.projections
    if kept is None:
        raise ValueError("These maps hold no queries and keys: trace with keep_projections=True.")
    weights = maps.head(layer, head).astype(np.float64)
    if not (0 <= row < weights.shape[0] and 0 <= column < weights.shape[1]):
        raise ValueError(f"There is no cell ({row}, {column}): this map is {weights.shape}.")
    index, head = maps.layer_index(layer), head % maps.n_heads
    q, k = (kept_side[index, head].astype(np.float64) for kept_side in (kept.queries, kept.keys))
    first = min(max(row - MOST_QUERIES // 2, 0), max(len(q) - MOST_QUERIES, 0))
    rows = np.arange(first, min(first + MOST_QUERIES, len(q)))
    strongest = sorted(np.argsort(-weights[row], kind="stable"), key=lambda key: key != column)[:MOST_KEYS]
    columns = np.sort(np.array(strongest))
    left_out = np.setdiff1d(np.arange(len(k)), columns)
    bias = None
    if kept.bias is not None:
        shape = (*kept.queries.shape[:2], len(q), len(k))
        bias = np.broadcast_to(kept.bias, shape)[index, head][rows].astype(np.float64)
    scaled = q[rows] @ k[left_out].T * kept.scale + (0 if bias is None else bias[:, left_out])
    return RealHead(
        tuple(_names(maps.queries, rows)),
        tuple(_names(maps.keys, columns)),
        q[rows],
        k[columns],
        kept.scale,
        weights[np.ix_(rows, columns)],
        row=int(row - first),
        column=int(np.searchsorted(columns, column)),
        layer=maps.layers[index],
        head=head,
        kind=maps.kind,
        bias=None if bias is None else bias[:, columns],
        others=len(left_out),
        others_scaled=_log_sum(scaled) if len(left_out) else None,
        others_captured=weights[np.ix_(rows, left_out)].sum(axis=1) if len(left_out) else None,
    )


def _log_sum(scaled: Matrix) -> Matrix:
    """The log of the sum of the exponentials of each row; minus infinity of a row of nothing else."""
    top = scaled.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        logs: Matrix = np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0]
    return logs


def _names(axis: Axis, positions: NDArray[np.intp]) -> list[str]:
    if axis.times:
        return [f"{axis.times[i][0]:.2f} s" for i in positions]
    return [visible(axis.name(i)) for i in positions.tolist()]
