"""One sheet of the explorer: the attention maps of one kind with their axes, in uint8 and, where cheap, exact.

Every map is scaled by its own maximum: at most 0.002 from the weight itself. Sums over sentences are made here, from
the exact weights, because many small weights that round to nothing can make up most of a sentence. Of a trace too large
to be sent whole there are small maps for the overview, and one layer in full.

Of a sound, the frames of padding stay behind; what share of each row's weight they hold is sent instead. Of maps over
a picture a second byte of each weight is sent where that is cheap, because a box sums many small ones, and the largest
weight on a patch besides: the colours of a picture end there.

Axes are packed besides: labels made visible, the text between them, words and sentences. Frames of sound have no labels
but times, n + 1 edges in seconds; patches of a picture have the rows and columns of their grid.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import sentencex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import METHODS, AttentionMaps
from xattn_viz.core.tokens import Span, visible, visible_text
from xattn_viz.core.view import axis_titles

_HALVES = re.compile("[\ud800-\udfff]")  # lone surrogates, halves of a character


class Axes:
    """The axes of one payload, in the order of their numbers: `packed` is what the header holds.

    `sentences` says whether the sentence of each position is packed too.
    """

    def __init__(self, *, sentences: bool) -> None:
        self.packed: list[dict[str, Any]] = []
        self._sentences = sentences
        self._numbers: dict[tuple[Axis, str | None], int] = {}

    def add(self, axis: Axis, text: Any) -> int:
        """The number of an axis over its own text (anything but a string: sound or pictures)."""
        key = (axis, text if isinstance(text, str) else None)
        if key not in self._numbers:
            self._numbers[key] = len(self.packed)
            self.packed.append(_pack(axis, *key[1:], sentences=self._sentences))
        return self._numbers[key]

    def sentence_groups(self, number: int) -> list[list[int]]:
        """The positions of each sentence of an axis, in order; each position alone where it has no sentences."""
        axis = self.packed[number]
        indices = axis.get("sentences") or range(len(axis["labels"]))
        groups: list[list[int]] = []
        for position, index in enumerate(indices):
            if index == len(groups):
                groups.append([])
            groups[index].append(position)
        return groups


def own_frames(axis: Axis) -> int:
    """How many positions an axis has before its padding; all of them where it is no sound, or nothing but padding."""
    own = np.flatnonzero(~axis.is_padding)
    return int(own[-1]) + 1 if len(own) else 0


def sentence_spans(text: str) -> list[Span]:
    """The sentences of a text as (start, end) in characters, white space around them left out.

    By the rules for English of `sentencex`, which know the full stops of other scripts too.
    """
    found = sentencex.get_sentence_boundaries("en", _HALVES.sub("\ufffd", text))  # which takes nothing but UTF-8
    spans = [(bound["start_index"], bound["end_index"]) for bound in found]
    stripped = [(end - len(text[start:end].lstrip()), start + len(text[start:end].rstrip())) for start, end in spans]
    return [(start, end) for start, end in stripped if start < end]


def sentence_indices(text: str, spans: Sequence[Span], special: Sequence[bool]) -> tuple[int, ...]:
    """The sentence that each token belongs to, numbered 0, 1, 2, … without gaps, in order.

    A token that reaches into two sentences belongs to the first of them, a blank between two to the one before it.
    Special tokens are alone.
    """
    starts = [start for start, _ in sentence_spans(text)]
    indices: list[int] = []
    previous: object = None
    for position, (start, end) in enumerate(spans):
        begin = start + len(text[start:end]) - len(text[start:end].lstrip())  # a piece often brings its blank
        sentence = (
            ("alone", position)
            if special[position]
            else ("sentence", max(bisect_right(starts, min(begin, end - 1)), 1))
        )
        indices.append(indices[-1] + (sentence != previous) if indices else 0)
        previous = sentence
    return tuple(indices)


def _pack(axis: Axis, text: str | None, *, sentences: bool) -> dict[str, Any]:
    if axis.kind == "audio" and axis.times is not None:
        own = axis.times[: own_frames(axis)]
        return {"kind": axis.kind, "edges": [round(start, 4) for start, _ in own] + [round(own[-1][1], 4)]}
    labels = [visible(axis.name(i)) for i in range(len(axis))]
    special = axis.is_special.tolist()
    packed: dict[str, Any] = {"kind": axis.kind, "labels": labels, "words": axis.words, "special": special}
    if axis.grid is not None:
        packed["grid"] = axis.grid
    if axis.parts is not None:
        packed["parts"] = [(visible(name), start, end) for name, start, end in axis.parts]
    if axis.spans is not None and text is not None:
        marks = [not own and not axis.name(position).strip() for position, own in enumerate(special)]
        packed |= _between(axis.spans, marks, text)
        if sentences:
            packed["sentences"] = sentence_indices(text, axis.spans, special)
    return packed


def _between(spans: Sequence[Span], marks: Sequence[bool], text: str) -> dict[str, Any]:
    """The text before each token and after the last one, and the tokens that are blank; `marks` are those of a space.

    Blank ones have a sign for a label in a map, and stand as they are in a sentence.
    """
    gaps, blanks, end = [], {}, 0
    for position, (start, stop) in enumerate(spans):
        inside = text[start:stop].strip()
        # A mark often covers nothing: the space counts to the token behind it, or to none.
        if start == stop and marks[position] and text[end : end + 1].isspace():
            start, stop = end, end + 1
        if not inside and stop > max(start, end):
            inside = blanks[position] = text[max(start, end) : stop]
        start = text.find(inside, max(start, end) if position in blanks else start)
        gaps.append(visible_text(text[end : max(end, start)]))
        end = max(end, start + len(inside))
    return {"gaps": gaps, "rest": visible_text(text[end:])} | ({"blanks": blanks} if blanks else {})


#: The largest side of a pooled tile of the overview, in cells.
TILE_SIDE = 64


class Data:
    """The data part of a payload: arrays as they are appended, each at a multiple of 4 bytes; `length` in bytes."""

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
    bytes the queries, keys and exact weights stay behind. Without `means` only heads are sent in full: the script makes
    the means over them and their maximum itself, and each is at most 0.002 from what it is, as a head is.
    """

    full: int | None
    exact: int
    layer: int | None
    means: bool = True


@dataclass(frozen=True)
class _View:
    """One map that can be chosen: a head, the mean over a layer's heads, or the mean or maximum over everything."""

    layer: int | None
    head: int | None
    reduce: str | None
    weights: NDArray[np.float32]
    padding: NDArray[np.float32] | None


def sheet(maps: AttentionMaps, texts: tuple[Any, Any], axes: Axes, data: Data, limits: Limits) -> dict[str, Any]:
    """The sheet's part of the header; its arrays go to `data`, its axes to `axes`.

    `texts` are those of the rows and of the columns.
    """
    queries, keys = axes.add(maps.queries, texts[0]), axes.add(maps.keys, texts[1])
    read = None if maps.read is None else axes.add(maps.read, texts[0])
    shape = own_frames(maps.queries), own_frames(maps.keys)
    is_sound = maps.keys.kind == "audio"
    cells = (1 if maps.is_whole_model else len(maps.layers) * (maps.n_heads + 1) + 2) * shape[0] * shape[1]
    full = limits.full is None or cells <= limits.full
    fine = full and limits.means and cells <= limits.exact
    # Frames are never summed: the script averages the rows of a sentence itself.
    sums = (
        None if is_sound else SentenceSums.between(axes, [rows for rows in (queries, read) if rows is not None], keys)
    )
    views = [
        _view(view, data, limits, sums, full=full, whole=maps.is_whole_model) | _on_picture(view, maps, data, fine=fine)
        for view in _views(maps, shape)
    ]
    for view in views:  # behind all maps, whose bytes pack better by themselves
        if "sentences" in view:
            view["sentences"] = [[data.add(summed), scale] for summed, scale in view["sentences"]]
    return {
        "kind": maps.kind,
        "layers": maps.layers,
        "heads": maps.n_heads,
        "altered": maps.altered,
        "contrast": maps.contrast,
        **({"title": visible(maps.title)} if maps.title else {}),
        "titles": [*(axis_titles(maps, by_input=is_read)[0] for is_read in (False, True)), axis_titles(maps)[1]],
        # A trace keeps its identity when it is looked at in another way, and again after that.
        "digest": hashlib.sha256(maps.weights.data).hexdigest()[:8] if maps.kind in METHODS else "",
        "keys": keys,
        "queries": queries,
        "read": read,
        "views": views,
        "tiles": None if full else [min(TILE_SIDE, n) for n in shape],
        "exact": None if is_sound else _exact(maps, data, limits.exact),
    }


def _views(maps: AttentionMaps, shape: tuple[int, int]) -> Iterator[_View]:
    """Every view with its weights in float32. Layer by layer: the whole of a large trace is never copied.

    `shape` is how many rows and columns are shown; those behind are padding.
    """
    rows, columns = shape
    if maps.is_whole_model:
        whole = maps.weights[0, :, :rows].astype(np.float32, copy=False)
        padding = _padding(maps, whole, columns)
        yield _View(maps.layers[0], 0, None, whole[0, :, :columns], None if padding is None else padding[0])
        return
    total = peak = np.zeros(shape, np.float32)
    unshown = np.zeros(rows, np.float32)
    for index, layer in enumerate(maps.layers):
        whole = maps.weights[index, :, :rows].astype(np.float32, copy=False)
        weights, padding = whole[..., :columns], _padding(maps, whole, columns)
        for head in range(maps.n_heads):
            yield _View(layer, head, None, weights[head], None if padding is None else padding[head])
        mean = weights.mean(axis=0)
        total, peak = total + mean, np.maximum(peak, weights.max(axis=0))
        shared = None if padding is None else padding.mean(axis=0)
        unshown = unshown + (0 if shared is None else shared)
        yield _View(layer, None, "mean", mean, shared)
    layers = np.float32(len(maps.layers))
    yield _View(None, None, "mean", total / layers, unshown / layers if maps.keys.kind == "audio" else None)
    yield _View(None, None, "max", peak, None)


def _padding(maps: AttentionMaps, weights: NDArray[np.float32], columns: int) -> NDArray[np.float32] | None:
    """The share of each row's weight on padding, `[head, row]`: what is behind `columns`, or was left out before."""
    if maps.keys.kind != "audio":
        return None
    behind = weights[..., columns:].sum(axis=-1)
    if "cropped" in maps.altered:
        total = weights.sum(axis=-1)
        behind = behind + np.where(total > 0, 1 - total, 0)  # a head that is switched off has no weight anywhere
    clipped: NDArray[np.float32] = np.clip(behind, 0, 1)
    return clipped


def _view(
    view: _View, data: Data, limits: Limits, sums: SentenceSums | None, *, full: bool, whole: bool
) -> dict[str, Any]:
    scale = _largest(view.weights) or 1.0
    named = {"layer": view.layer, "head": view.head, "reduce": view.reduce, "whole": whole or None}
    packed: dict[str, Any] = {field: value for field, value in named.items() if value is not None} | {"scale": scale}
    if full or (limits.layer is not None and view.layer in (None, limits.layer)):
        if limits.means or view.head is not None:
            packed["at"] = data.add(_uint8(view.weights, scale))
        if view.padding is not None:
            packed["padding"] = data.add(_uint8(view.padding, 1.0))
    if not full:
        packed["tile"] = data.add(_uint8(max_pool(view.weights, TILE_SIDE), scale))
    if sums is not None:
        summed = view.weights @ sums.columns
        packed["sentences"] = [_averaged(summed, *rows) for rows in sums.rows]
    return packed


def _on_picture(view: _View, maps: AttentionMaps, data: Data, *, fine: bool) -> dict[str, Any]:
    """Over a picture, `inside` is the largest weight on a patch and `fine` where the rests of all weights are.

    A rest is what a weight is above or below its own byte, -0.5 to 0.5, in a byte too.
    """
    if maps.keys.grid is maps.queries.grid is None:
        return {}
    patches = maps.keys.patches if maps.keys.grid else slice(None)
    packed: dict[str, Any] = {"inside": _largest(view.weights[:, patches])}
    if fine:
        scaled = view.weights * np.float32(255 / (_largest(view.weights) or 1.0))
        packed["fine"] = data.add(_uint8(scaled - np.rint(scaled) + np.float32(0.5), 1.0))
    return packed


def _averaged(
    summed: NDArray[np.float32], starts: NDArray[np.intp], sizes: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], float]:
    """The mean over the rows of each sentence, with its largest weight."""
    means = (np.add.reduceat(summed, starts, axis=0) / sizes).astype(np.float32, copy=False)
    scale = _largest(means) or 1.0
    return _uint8(means, scale), scale


def _largest(weights: NDArray[np.float32]) -> float:
    """The largest weight, in the fewest digits that mean this number of 32 bits; 0 where there is none."""
    return float(str(weights.max(initial=0)))


def _uint8(weights: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(weights * np.float32(255 / scale)).astype(np.uint8)
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


@dataclass(frozen=True)
class SentenceSums:
    """What sums a map between sentences.

    `columns` are 1 where a key belongs to a sentence, `[key, sentence]`; `rows` are where the sentences of the rows
    begin and how many rows each has, once for the rows predicted and once for those read.
    """

    columns: NDArray[np.float32]
    rows: tuple[tuple[NDArray[np.intp], NDArray[np.float32]], ...]

    @classmethod
    def between(cls, axes: Axes, rows: Sequence[int], keys: int) -> SentenceSums | None:
        """None where neither side has sentences."""
        if not any("sentences" in axes.packed[number] for number in (*rows, keys)):
            return None
        groups = axes.sentence_groups(keys)
        columns = np.zeros((sum(map(len, groups)), len(groups)), np.float32)
        for sentence, positions in enumerate(groups):
            columns[positions, sentence] = 1
        return cls(columns, tuple(_beginnings(axes.sentence_groups(number)) for number in rows))


def _beginnings(groups: list[list[int]]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    return np.array([group[0] for group in groups]), np.array([[len(group)] for group in groups], np.float32)


def max_pool(weights: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """A map `[query, key]` reduced to at most `side` × `side` cells, each the maximum of its block: no peak is lost."""
    rows, columns = weights.shape
    if rows > side:  # block by block: several times as quick as reduceat down the columns
        bounds = np.arange(side + 1) * rows // side
        weights = np.stack([weights[start:end].max(axis=0) for start, end in pairwise(bounds)])
    if columns > side:
        weights = np.maximum.reduceat(weights, np.arange(side) * columns // side, axis=1)
    return weights
