"""Planted traces, and what Python reads back from their packed bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind, Projections
from xattn_viz.core.trace import Alternative, Step, Trace

# A weight is rounded to the nearest 255th of its map's maximum.
ROUNDING = 0.5 / 255


def planted(layers: int = 2, heads: int = 3, queries: int = 4, keys: int = 5, seed: int = 0) -> Trace:
    """A trace of random softmax rows, with projections that explain them exactly."""
    generator = np.random.default_rng(seed)
    q = generator.normal(size=(layers, heads, queries, 8)).astype(np.float32)
    k = generator.normal(size=(layers, heads, keys, 8)).astype(np.float32)
    scores = np.einsum("lhqd,lhkd->lhqk", q, k) * np.float32(8**-0.5)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    words = [f"s{i}" for i in range(keys)]
    source = " ".join(words)
    starts = [source.index(word) for word in words]
    spans = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
    return Trace(
        (
            AttentionMaps(
                weights.astype(np.float32),
                Axis("text", labels=tuple(f"t{i}" for i in range(queries))),
                Axis("text", labels=tuple(words), spans=spans),
                "cross",
                tuple(range(layers)),
                projections=Projections(q, k, 8**-0.5),
            ),
        ),
        source,
        "output",
        tuple(Step(f"t{i}", i, -0.1 * i, (Alternative("<b>", 9, -2.0),)) for i in range(queries)),
    )


def unpacked(packed: bytes) -> tuple[dict[str, Any], bytes]:
    """The header, with the first sheet's fields among its own and axes in the place of their numbers, and the data."""
    length = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + length])
    for sheet in (*header["sheets"], *(header["beside"]["sheets"] if "beside" in header else ())):
        for field in ("keys", "queries", "read"):
            sheet[field] = None if sheet[field] is None else header["axes"][sheet[field]]
        for view in sheet["views"]:
            view.update({field: view.get(field) for field in ("layer", "head", "reduce")})
    return header["sheets"][0] | header, packed[4 + length :]


def sheet_of(header: dict[str, Any], kind: str) -> dict[str, Any]:
    """The sheet of a kind."""
    return next(sheet for sheet in header["sheets"] if sheet["kind"] == kind)


def weights_of(view: dict[str, Any], data: bytes, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The weights of a view that was sent in full, `[query, key]`."""
    cells = np.frombuffer(data, np.uint8, shape[0] * shape[1], view["at"])
    weights: NDArray[np.float64] = cells.reshape(shape) * (view["scale"] / 255)
    return weights


SOURCE = "The cat sat. It was  old. Nobody knew why!"
OUTPUT = "O gato sentou. Era velho."


def text_axis(text: str, pieces: list[str], *, start: bool = False) -> Axis:
    """Pieces in the order of the text with `</s>` after them, or `<s>` before all but the last of them."""
    spans, end = [], 0
    for piece in pieces:
        at = text.index(piece, end)
        end = at + len(piece)
        spans.append((at, end))
    ended = ("<s>", *pieces) if start else (*pieces, "</s>")
    spans = [(0, 0), *spans] if start else [*spans, (end, end)]
    special = tuple(label in ("<s>", "</s>") for label in ended)
    labels = tuple(label.strip() or " " for label in ended)
    return Axis("text", labels=labels, spans=tuple(spans), words=tuple(range(len(labels))), special=special)


def texts(
    *, output: str = OUTPUT, seed: int = 0, kinds: tuple[MapKind, ...] = ("decoder", "cross", "encoder")
) -> Trace:
    """A trace of texts of several sentences with all kinds of attention, in an order of its own."""
    generator = np.random.default_rng(seed)
    source = text_axis(SOURCE, ["The", " cat", " sat", ".", " It", " was", " ", " old", ".", " Nobody knew", " why!"])
    words = [" " * bool(i) + word for i, word in enumerate(output.split())]
    written, read = text_axis(output, words), text_axis(output, words, start=True)
    axes = {"cross": (written, source, read), "encoder": (source, source, None), "decoder": (written, read, read)}
    layers = {"cross": 2, "encoder": 3, "decoder": 2}

    def maps(kind: MapKind) -> AttentionMaps:
        queries, keys, shown = axes[kind]
        n = len(keys)
        weights = generator.dirichlet(np.full(n, 0.3), (layers[kind], 2, len(queries))) + 1e-6
        if kind == "decoder":
            weights = np.tril(weights) + 1e-9  # no token reads a later one
        weights /= weights.sum(-1, keepdims=True)
        # Keys that are unit vectors make each query's components its scores, which then explain the weights.
        q = np.log(weights).astype(np.float32) * np.float32(n**0.5)
        k = np.broadcast_to(np.eye(n, dtype=np.float32), (*weights.shape[:2], n, n)).copy()
        number = tuple(range(layers[kind]))
        explained = Projections(q, k, n**-0.5)
        return AttentionMaps(weights.astype(np.float32), queries, keys, kind, number, shown, projections=explained)

    return Trace(tuple(maps(kind) for kind in kinds), SOURCE, output)
