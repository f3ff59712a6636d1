"""One sheet of the explorer: the attention maps of one kind with their axes, in uint8 and, where cheap, exact.

Every map is scaled by its own maximum: at most 0.002 from the weight itself. Sums over sentences are made here, from
the exact weights, because many small weights that round to nothing can make up most of a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.explorer.axes import Axes
from xattn_viz.maps import AttentionMaps

#: The largest side of a pooled tile of the overview, in cells.
TILE_SIDE = 64


class Data:
    """The data part: arrays one after the other, each beginning at a multiple of 4 bytes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.length = 0

    def add(self, array: NDArray[Any]) -> int:
        """Append an array; where it begins, in bytes."""
        chunk = np.ascontiguousarray(array).tobytes()
        chunk += bytes(-len(chunk) % 4)
        at, self.length = self.length, self.length + len(chunk)
        self.chunks.append(chunk)
        return at

    def joined(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)


@dataclass(frozen=True)
class Limits:
    """How much of a sheet is sent.

    Above `full` bytes (None: no limit) tiles go with one layer, by its number, or, for None, alone; above `exact`
    bytes the queries, keys and exact weights stay behind.
    """

    full: int | None
    exact: int
    layer: int | None


@dataclass(frozen=True)
class _View:
    """One map that can be chosen: a head, the mean over a layer's heads, or the mean or maximum over everything."""

    layer: int | None
    head: int | None
    reduce: str | None
    weights: NDArray[Any]


def sheet(maps: AttentionMaps, texts: tuple[Any, Any], axes: Axes, data: Data, limits: Limits) -> dict[str, Any]:
    """The sheet's part of the header; its arrays go to `data`, its axes to `axes`.

    `texts` are those of the rows and of the columns.
    """
    queries, keys = axes.add(maps.queries, texts[0]), axes.add(maps.keys, texts[1])
    read = None if maps.read is None else axes.add(maps.read, texts[0])
    views = list(_views(maps))
    full = limits.full is None or len(views) * views[0].weights.size <= limits.full
    sums = [_sentence_sums(axes, rows, keys) for rows in (queries, read) if rows is not None]
    return {
        "kind": maps.kind,
        "layers": maps.layers,
        "heads": maps.n_heads,
        "altered": maps.altered,
        "keys": keys,
        "queries": queries,
        "read": read,
        "views": [_view(view, data, limits, [s for s in sums if s], full=full) for view in views],
        "tiles": None if full else [min(TILE_SIDE, n) for n in maps.weights.shape[2:]],
        "exact": _exact(maps, data, limits.exact),
    }


def max_pool(weights: NDArray[Any], side: int) -> NDArray[Any]:
    """A map `[query, key]` reduced to at most `side` × `side` cells, each the maximum of its block: no peak is lost."""
    for axis, length in enumerate(weights.shape):
        if length > side:
            starts = np.arange(side) * length // side
            weights = np.maximum.reduceat(weights, starts, axis=axis)
    return weights


def _views(maps: AttentionMaps) -> Iterator[_View]:
    means = maps.mean()
    for index, layer in enumerate(maps.layers):
        for head in range(maps.n_heads):
            yield _View(layer, head, None, maps.weights[index, head])
        yield _View(layer, None, "mean", means.weights[index, 0])
    yield _View(None, None, "mean", maps.mean_over_all().weights[0, 0])
    yield _View(None, None, "max", maps.max_over_all().weights[0, 0])


_Groups = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


def _sentence_sums(axes: Axes, rows: int, keys: int) -> _Groups | None:
    """Where the sentences of rows and columns begin, and the number of rows in each; None without sentences."""
    if not any("sentences" in axes.packed[number] for number in (rows, keys)):
        return None
    row_groups, key_groups = axes.sentence_groups(rows), axes.sentence_groups(keys)
    sizes = np.array([[len(group)] for group in row_groups], np.float32)
    return np.array([group[0] for group in row_groups]), np.array([group[0] for group in key_groups]), sizes


def _view(view: _View, data: Data, limits: Limits, sums: list[_Groups], *, full: bool) -> dict[str, Any]:
    scale = float(view.weights.max(initial=0)) or 1.0
    named = {"layer": view.layer, "head": view.head, "reduce": view.reduce}
    packed: dict[str, Any] = {field: value for field, value in named.items() if value is not None} | {"scale": scale}
    if full or (limits.layer is not None and view.layer in (None, limits.layer)):
        packed["at"] = data.add(_uint8(view.weights, scale))
    if not full:
        packed["tile"] = data.add(_uint8(max_pool(view.weights, TILE_SIDE), scale))
    if sums:
        packed["sentences"] = [_summed(view.weights, groups, data) for groups in sums]
    return packed


def _summed(weights: NDArray[Any], groups: _Groups, data: Data) -> list[float]:
    """Weights into a sentence summed, those from its tokens averaged: [where they are, their largest]."""
    rows, columns, sizes = groups
    summed = np.add.reduceat(weights, columns, axis=1, dtype=np.float32)
    means = np.add.reduceat(summed, rows, axis=0) / sizes
    scale = float(means.max(initial=0)) or 1.0
    return [data.add(_uint8(means, scale)), scale]


def _uint8(weights: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(weights.astype(np.float32) * (255 / scale)).astype(np.uint8)
    return rounded


def _exact(maps: AttentionMaps, data: Data, limit: int) -> dict[str, Any] | None:
    projections = maps.projections
    if projections is None or projections.bias is not None:
        return None
    arrays = [maps.weights, projections.queries, projections.keys]
    if sum(array.size for array in arrays) * 4 > limit:
        return None
    weights, queries, keys = (data.add(array.astype("<f4")) for array in arrays)
    d_k = projections.queries.shape[-1]
    return {"weights": weights, "queries": queries, "keys": keys, "d_k": d_k, "scale": projections.scale}
