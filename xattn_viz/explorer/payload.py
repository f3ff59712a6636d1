"""A trace packed into bytes for the explorer: a JSON header and uint8 weights, small on the wire.

Layout: u32 header length (little-endian), the header as UTF-8 JSON padded with blanks to 4 bytes, then data. Offsets
in the header count from the start of the data. Every weight map is uint8, scaled by its own maximum: at most 0.002
from the weight itself. Where it is cheap, the exact float32 weights, queries and keys go along, so that the script can
recompute any weight from q · k without asking anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps
from xattn_viz.tokens import visible
from xattn_viz.trace import Step, Trace

#: Up to this many bytes every map is sent in full; above, the overview is pooled and one layer is sent at a time.
FULL_LIMIT = 4_000_000
#: Up to this many bytes the exact weights, queries and keys are sent too.
EXACT_LIMIT = 1_000_000
#: The largest side of a pooled tile of the overview, in cells.
TILE_SIDE = 64


@dataclass(frozen=True)
class _View:
    """One map that can be chosen: a head, the mean over a layer's heads, or the mean or maximum over everything."""

    layer: int | None
    head: int | None
    reduce: str | None
    weights: NDArray[Any]


def pack(
    trace: Trace,
    *,
    select: Mapping[str, Any] | None = None,
    layer: int | None = None,
    full_limit: int | None = FULL_LIMIT,
    exact_limit: int = EXACT_LIMIT,
) -> bytes:
    """The bytes that the explorer's script reads.

    `select` is what to show at first (`head`: "2.1" is layer 2, head 1 counted from 1; `row`: a position). `layer` is
    the layer sent in full where the whole would exceed `full_limit` bytes (None: no limit). Raises ValueError for a
    layer that is not there.
    """
    maps = trace.cross
    views = list(_views(maps))
    full = full_limit is None or sum(view.weights.size for view in views) <= full_limit
    chosen = maps.layers[maps.layer_index(layer if layer is not None else -1)]
    data = _Data()
    listed = []
    for view in views:
        scale = float(view.weights.max(initial=0)) or 1.0
        sent = full or view.layer in (None, chosen)
        listed.append(
            {
                "layer": view.layer,
                "head": view.head,
                "reduce": view.reduce,
                "scale": scale,
                "at": data.add(_uint8(view.weights, scale)) if sent else None,
                "tile": None if full else data.add(_uint8(max_pool(view.weights, TILE_SIDE), scale)),
            }
        )
    header = {
        "version": 1,
        "id": identity(trace),
        "kind": maps.kind,
        "layers": maps.layers,
        "heads": maps.n_heads,
        "altered": maps.altered,
        "keys": _axis(maps.keys, trace.input),
        "queries": _axis(maps.queries, trace.output),
        "read": maps.read and _axis(maps.read, trace.output),
        "views": listed,
        "tiles": None if full else [min(TILE_SIDE, n) for n in maps.weights.shape[2:]],
        "steps": [_step(step) for step in trace.steps],
        "exact": _exact(maps, data, exact_limit),
        "select": dict(select or {}),
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + data.joined()


def max_pool(weights: NDArray[Any], side: int) -> NDArray[Any]:
    """A map `[query, key]` reduced to at most `side` × `side` cells, each the maximum of its block: no peak is lost."""
    for axis, length in enumerate(weights.shape):
        if length > side:
            starts = np.arange(side) * length // side
            weights = np.maximum.reduceat(weights, starts, axis=axis)
    return weights


class _Data:
    """The data part: arrays one after the other, each beginning at a multiple of 4 bytes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.length = 0

    def add(self, array: NDArray[Any]) -> int:
        chunk = np.ascontiguousarray(array).tobytes()
        chunk += bytes(-len(chunk) % 4)
        at, self.length = self.length, self.length + len(chunk)
        self.chunks.append(chunk)
        return at

    def joined(self) -> bytes:
        return b"".join(self.chunks)


def _views(maps: AttentionMaps) -> Iterator[_View]:
    means = maps.mean()
    for index, layer in enumerate(maps.layers):
        for head in range(maps.n_heads):
            yield _View(layer, head, None, maps.weights[index, head])
        yield _View(layer, None, "mean", means.weights[index, 0])
    yield _View(None, None, "mean", maps.mean_over_all().weights[0, 0])
    yield _View(None, None, "max", maps.max_over_all().weights[0, 0])


def _uint8(weights: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(weights.astype(np.float32) * (255 / scale)).astype(np.uint8)
    return rounded


def _axis(axis: Axis, text: Any) -> dict[str, Any]:
    """Labels made visible, the text between them, words and special positions."""
    labels = [visible(axis.name(i)) for i in range(len(axis))]
    packed: dict[str, Any] = {
        "kind": axis.kind,
        "labels": labels,
        "words": axis.words,
        "special": axis.is_special.tolist(),
        "gaps": None,
        "rest": "",
    }
    if axis.spans is not None and isinstance(text, str):
        gaps, end = [], 0
        for start, stop in axis.spans:
            inside = text[start:stop].strip()
            start = text.find(inside, start)  # a piece often brings the blank before it
            gaps.append(_gap(text[end : max(end, start)]))
            end = max(end, start + len(inside))
        packed["gaps"], packed["rest"] = gaps, _gap(text[end:])
    return packed


def _gap(text: str) -> str:
    """The text between two tokens: blanks stay blanks, anything hidden shows."""
    return "".join(c if c.isspace() else visible(c) for c in text)


def _step(step: Step) -> dict[str, Any]:
    alternatives = [[visible(other.token), float(np.exp(other.log_prob))] for other in step.alternatives]
    return {
        "token": visible(step.token),
        "id": step.id,
        "p": float(np.exp(step.log_prob)),
        "alternatives": alternatives,
        "forced": step.forced,
    }


def _exact(maps: AttentionMaps, data: _Data, limit: int) -> dict[str, Any] | None:
    projections = maps.projections
    if projections is None or projections.bias is not None:
        return None
    arrays = [maps.weights, projections.queries, projections.keys]
    if sum(array.size for array in arrays) * 4 > limit:
        return None
    weights, queries, keys = (data.add(array.astype("<f4")) for array in arrays)
    d_k = projections.queries.shape[-1]
    return {"weights": weights, "queries": queries, "keys": keys, "d_k": d_k, "scale": projections.scale}


def identity(trace: Trace) -> str:
    """A digest that tells one trace from another, so that the script knows when what it shows has changed."""
    digest = hashlib.sha256(trace.cross.weights.tobytes())
    digest.update(repr((trace.input, trace.output)).encode())
    return digest.hexdigest()[:16]
