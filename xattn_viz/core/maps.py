"""Attention maps: the value between the models that attend and everything that shows or measures attention.

They are frozen and hold numpy arrays only, so a page, a notebook and a file can share one without fear that another
changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.records import Displayed, read_only, same, summary

if TYPE_CHECKING:
    import pandas as pd

#: Other ways of looking at the same rows and columns than the attention weights themselves (`analysis.attribution`):
#: the first two take a head's weights apart, the others go through the whole model and have no heads.
Method = Literal[
    "value-norms", "value-zeroing", "input-x-gradient", "integrated-gradients", "occlusion", "rollout", "alti"
]
#: `text-to-image` is the other direction where text and image share one softmax: there tokens read the picture.
#: `concepts` are words beside a prompt: what places of the picture would read of them.
AttentionKind = Literal["cross", "encoder", "decoder", "text-to-image", "concepts"]
MapKind = Literal[AttentionKind, Method]
METHODS: tuple[Method, ...] = get_args(Method)
#: Those of them that look at the whole model.
WHOLE_MODEL: frozenset[MapKind] = frozenset(METHODS[2:])
#: What each kind of map is called.
KIND_NAMES: dict[MapKind, str] = {
    "cross": "Cross-attention",
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
    "text-to-image": "Text-to-image attention",
    "concepts": "Attention to concepts",
    "value-norms": "Value-weighted norms",
    "value-zeroing": "Value zeroing",
    "input-x-gradient": "Gradient × input",
    "integrated-gradients": "Integrated gradients",
    "occlusion": "Occlusion",
    "rollout": "Attention rollout",
    "alti": "ALTI",
}
#: Why the rows of a map may sum to something other than 1; `joint`: it is a block of a softmax over text and image, and
#: what a row lacks lies on its own modality; `beside`: each column has a softmax of its own, over it and what was read.
Alteration = Literal["cropped", "aggregated", "ablated", "masked", "joint", "beside"]
# Rounding in a softmax over n keys grows slowly with n; these leave room for 16,000 keys.
ROW_SUM_TOLERANCE = {"float32": 1e-4, "float16": 2e-2}
_AT_ONCE = 1 << 22  # weights that are checked at once: a map can be as large as memory, and each takes 20 bytes or so


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


@dataclass(frozen=True, eq=False)
class AttentionMaps(Displayed):
    """The attention weights of one run: `weights` float16 or float32, `[layer, head, query, key]`, after the softmax.

    `queries` and `keys` say what the rows and columns are; `layers` are the model's own layer numbers, from 0. `read`
    is the axis of the tokens *read* at each row (start token first) where that differs from the tokens predicted.
    `altered` lists why rows may not sum to 1. Arrays become read-only.

    Where `kind` is one of `METHODS`, a row holds the share of each key in what the method found: its rows and columns
    are those of the cross-attention. One that looks at the whole model stands as layer 0 with one head. `contrast` says
    which token was asked about rather than which, where it was a difference: "gato rather than cão".

    `title` is what maps are called that are no attention of a model and stand in its place: links that somebody made,
    what another program found. They have one layer with one head, and their rows may sum to anything.

    Raises ValueError, with the shapes, on a wrong rank or dtype, a label count that does not fit, a value that is NaN
    or outside 0 … 1, and on row sums that nothing in `altered` explains.
    """

    weights: NDArray[Any]
    queries: Axis
    keys: Axis
    kind: MapKind
    layers: tuple[int, ...]
    read: Axis | None = None
    step: int | None = None
    projections: Projections | None = None
    altered: tuple[Alteration, ...] = ()
    contrast: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", read_only(self.weights))
        _check_shapes(self)
        _check_values(self)

    @property
    def n_heads(self) -> int:
        """How many heads each layer has."""
        return int(self.weights.shape[1])

    @property
    def reads_source(self) -> bool:
        """Whether rows are tokens of the output and columns positions of the source: of cross-attention and methods."""
        return self.kind not in ("encoder", "decoder", "text-to-image")

    @property
    def is_whole_model(self) -> bool:
        """Whether it is a way of looking at the whole model, which has no heads, or no attention of a model."""
        return self.kind in WHOLE_MODEL or bool(self.title)

    def layer_index(self, layer: int) -> int:
        """Where a layer stands in the arrays. `layer` is the model's own number, or counts from the end when negative.

        Raises ValueError naming the layers there are.
        """
        if layer < 0 and -layer <= len(self.layers):
            return len(self.layers) + layer
        if layer in self.layers:
            return self.layers.index(layer)
        raise ValueError(f"There is no layer {layer}: these maps hold layers {', '.join(map(str, self.layers))}.")

    def head(self, layer: int, head: int) -> NDArray[Any]:
        """The weights of one head, `[query, key]`. Raises ValueError for a layer or head that is not there."""
        if not -self.n_heads <= head < self.n_heads:
            raise ValueError(f"There is no head {head}: each layer has heads 0 to {self.n_heads - 1}.")
        weights: NDArray[Any] = self.weights[self.layer_index(layer), head]
        return weights

    def by_input_token(self) -> AttentionMaps:
        """The same weights with row t named for the token *read* at step t instead of the one predicted."""
        if self.read is None:
            return self
        return replace(self, queries=self.read, read=None)

    def without_special(self) -> AttentionMaps:
        """The maps without special positions. Rows keep their weights, so they no longer sum to 1 (`cropped`).

        Raises ValueError where only special positions would remain.
        """
        rows, columns = np.flatnonzero(~self.queries.is_special), np.flatnonzero(~self.keys.is_special)
        if not len(rows) or not len(columns):
            raise ValueError("Every position of these maps is special: nothing would be left to show.")
        return self._cropped(rows, columns)

    def without_padding(self) -> AttentionMaps:
        """The maps without the padding behind sound. Rows keep their weights, so they no longer sum to 1 (`cropped`).

        Maps without padding are given back as they are.
        """
        rows, columns = np.flatnonzero(~self.queries.is_padding), np.flatnonzero(~self.keys.is_padding)
        if (len(rows), len(columns)) == (len(self.queries), len(self.keys)):
            return self
        return self._cropped(rows, columns)

    def _cropped(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> AttentionMaps:
        return AttentionMaps(
            self.weights[:, :, rows][:, :, :, columns],
            self.queries.take(rows),
            self.keys.take(columns),
            self.kind,
            self.layers,
            read=self.read and self.read.take(rows),
            step=self.step,
            altered=_with(self.altered, "cropped"),
            contrast=self.contrast,
            title=self.title,
        )

    def to_words(self) -> AttentionMaps:
        """The maps between words: weights into a word are summed over its pieces, rows of a word's pieces averaged.

        As Clark et al. 2019 (What Does BERT Look At?, §4.1) do it: rows still sum to 1. An axis without words keeps
        its positions.
        """
        weights = self.weights.astype(np.float32, copy=False)
        queries, keys, read = self.queries, self.keys, self.read
        if keys.words is not None:
            weights = np.stack([weights[..., group].sum(-1) for group in keys.word_groups()], axis=-1)
            keys = keys.to_words()
        if queries.words is not None:
            groups = queries.word_groups()
            weights = np.stack([weights[..., group, :].mean(-2) for group in groups], axis=-2)
            queries = queries.to_words()
            read = read and read.take([group[0] for group in groups])
        altered = _with(self.altered, "aggregated")
        return AttentionMaps(
            weights,
            queries,
            keys,
            self.kind,
            self.layers,
            read,
            self.step,
            altered=altered,
            contrast=self.contrast,
            title=self.title,
        )

    def mean(self) -> AttentionMaps:
        """The mean over the heads of each layer, `[layer, 1, query, key]`."""
        return self._reduced(lambda w: w.mean(axis=1, keepdims=True, dtype=np.float32))

    def mean_over_all(self) -> AttentionMaps:
        """The mean over all layers and heads, `[1, 1, query, key]`."""
        return self._reduced(lambda w: w.mean(axis=(0, 1), keepdims=True, dtype=np.float32))

    def max_over_all(self) -> AttentionMaps:
        """The maximum over all layers and heads, `[1, 1, query, key]`; its rows sum to 1 or more."""
        return self._reduced(lambda w: w.max(axis=(0, 1), keepdims=True))

    def _reduced(self, reduce: Callable[[NDArray[Any]], NDArray[Any]]) -> AttentionMaps:
        weights = reduce(self.weights).astype(np.float32, copy=False)
        layers = self.layers if weights.shape[0] == len(self.layers) else (self.layers[-1],)
        altered = _with(self.altered, "aggregated")
        return replace(self, weights=weights, layers=layers, projections=None, altered=altered)

    def to_frame(self) -> pd.DataFrame:
        """One tidy row a weight: layer, head, query, key (positions), query_label, key_label, weight.

        Frames of sound have `key_start` and `key_end`, in seconds, in place of the label; rows of them likewise.
        """
        frame = frame_of(self.weights, self.queries, self.keys)
        return frame.assign(layer=np.array(self.layers)[frame["layer"]])

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __repr__(self) -> str:
        step = "" if self.step is None else f" of denoising step {self.step}"
        more = [f"altered: {', '.join(self.altered)}"] if self.altered else []
        more += [repr(self.projections)] if self.projections else []
        return "\n  ".join(
            [
                f"AttentionMaps {self.kind}{step}: {size(self)}{f', {self.contrast}' if self.contrast else ''}",
                f"queries: {self.queries!r}",
                f"keys: {self.keys!r}",
                *more,
            ]
        )


def frame_of(weights: NDArray[Any], queries: Axis, keys: Axis) -> pd.DataFrame:
    """Weights as `AttentionMaps.to_frame` has them; those of one map, `[query, key]`, without layer and head."""
    import pandas as pd  # heavy, and only a notebook asks for it

    sides = ("layer", "head", "query", "key")[-weights.ndim :]
    index: dict[str, Any] = dict(zip(sides, map(np.ravel, np.indices(weights.shape)), strict=True))
    for side, axis in (("query", queries), ("key", keys)):
        for name, values in _columns(axis).items():
            index[f"{side}_{name}"] = _column(values[index[side]])
    return pd.DataFrame(index | {"weight": weights.ravel()})


def size(maps: AttentionMaps) -> str:
    """The dtype and the shape of maps in words: "float32 [layer 2, head 8, query 11, key 8]"."""
    axes = zip(("layer", "head", "query", "key"), maps.weights.shape, strict=True)
    return f"{maps.weights.dtype} [{', '.join(f'{name} {count}' for name, count in axes)}]"


def _with(altered: tuple[Alteration, ...], new: Alteration) -> tuple[Alteration, ...]:
    return altered if new in altered else (*altered, new)


def _column(values: NDArray[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(values, dtype=values.dtype)  # labels stay Python's: pandas' own texts hold no lone surrogate


def _columns(axis: Axis) -> dict[str, NDArray[Any]]:
    """What names the positions of an axis in a table."""
    if axis.kind == "audio" and axis.times is not None:
        times = np.round(np.array(axis.times).reshape(-1, 2), 6)  # sums of 0.02 are off by 1e-15
        return {"start": times[:, 0], "end": times[:, 1]}
    return {"label": np.array([axis.name(i) for i in range(len(axis))], dtype=object)}


def _check_shapes(maps: AttentionMaps) -> None:
    """Raise ValueError where arrays and axes do not fit each other."""
    shape, dtype = maps.weights.shape, maps.weights.dtype
    if maps.weights.ndim != 4:
        raise ValueError(f"Weights must be [layer, head, query, key]: got {maps.weights.ndim} axes of shape {shape}.")
    if dtype.name not in ROW_SUM_TOLERANCE:
        raise ValueError(f"Weights must be float16 or float32: got {dtype} of shape {shape}.")
    if 0 in shape:
        raise ValueError(f"Weights [layer, head, query, key] must have one of each at least: got shape {shape}.")
    wanted = (len(maps.layers), maps.n_heads, len(maps.queries), len(maps.keys))
    if shape != wanted:
        raise ValueError(f"Weights [layer, head, query, key] have shape {shape}, but the axes say {wanted}.")
    if maps.read is not None and len(maps.read) != len(maps.queries):
        raise ValueError(f"{len(maps.read)} tokens read do not fit the {len(maps.queries)} rows of weights {shape}.")
    if maps.title and shape[:2] != (1, 1):
        raise ValueError(f"What is no attention ({maps.title!r:.60}) has one layer with one head: got shape {shape}.")
    if maps.projections is not None:
        q, k = maps.projections.queries.shape, maps.projections.keys.shape
        if (*q[:3], k[2]) != shape:
            raise ValueError(f"Projections of shapes {q} and {k} do not fit weights of shape {shape}.")


def _check_values(maps: AttentionMaps) -> None:
    """Raise ValueError where weights are no probabilities, or rows sum to something that `altered` does not explain."""
    _, heads, rows, keys = maps.weights.shape
    rows_at_once = max(1, _AT_ONCE // keys)
    heads_at_once = max(1, _AT_ONCE // (rows * keys))
    for number, layer in zip(maps.layers, maps.weights, strict=True):
        for head in range(0, heads, heads_at_once):
            for row in range(0, rows, rows_at_once):
                block = layer[head : head + heads_at_once, row : row + rows_at_once]
                _check_block(maps, block.astype(np.float32, copy=False), (number, head, row))


def _check_block(maps: AttentionMaps, weights: NDArray[np.float32], at: tuple[int, int, int]) -> None:
    """Check `weights` `[head, query, key]`, which begin at the layer, head and row of `at`."""
    tolerance, shape = ROW_SUM_TOLERANCE[maps.weights.dtype.name], maps.weights.shape
    low, high = weights.min(), weights.max()  # NaN where there is one
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"Weights of shape {shape} hold NaN or infinity.")
    # Aggregated weights may be float32 sums of float16 ones, with the rounding of those.
    over = ROW_SUM_TOLERANCE["float16"] if "aggregated" in maps.altered else tolerance
    if low < 0 or high > 1 + over:
        raise ValueError(f"Weights of shape {shape} reach from {low} to {high}, outside 0 … 1.")
    if maps.title or {"cropped", "aggregated", "ablated", "joint", "beside"} & set(maps.altered):
        return
    sums = weights.sum(axis=-1, dtype=np.float64)
    wrong = np.abs(sums - 1) > tolerance
    if "masked" in maps.altered:
        wrong &= sums != 0
    if wrong.any():
        head, query = np.argwhere(wrong)[0]
        raise ValueError(
            f"Rows of weights must sum to 1, shape {shape}: layer {at[0]}, head {at[1] + head}, row {at[2] + query} "
            f"sums to {sums[head, query]:.4f}."
        )
