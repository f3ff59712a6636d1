"""The one map that people look at: a head or the mean of a layer, with its colour range and its name in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.messages import quoted

#: What a colour bar ends at: the chosen map's own maximum, or the maximum over all layers and heads.
Scale = Literal["head", "common"]
#: Which token a row of a cross map is named for: the one predicted at that step, or the one just read.
Rows = Literal["predicted", "input"]

_KIND_NAMES: dict[MapKind, str] = {
    "cross": "Cross-attention",
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
}
# In a Perceiver latents stand between what is read and what is asked: what a map is called, and what its rows do.
_BY_LATENTS: dict[MapKind, tuple[str, str]] = {
    "cross": ("Encoding cross-attention", "Filling"),
    "encoder": ("Latent self-attention", "Updating"),
    "decoder": ("Decoding cross-attention", "Answering for"),
}


@dataclass(frozen=True, eq=False)
class Chosen:
    """One map out of many, with words for all that is drawn.

    `weights` is `[query, key]` without padding, `queries` and `keys` name its rows and columns, `top` is the weight at
    which its colours end. `doing` and `who` begin the sentence "Predicting *gato*, this head put 0.83 on *cat*."
    """

    weights: NDArray[Any]
    queries: Axis
    keys: Axis
    top: float
    title: str
    rows_title: str
    keys_title: str
    scale_name: str
    doing: str
    who: str

    def sentence(self, query: str, key: str, weight: str) -> str:
        """What one cell says, in words; labels and weight as they are to be shown."""
        return f"{self.doing} {query}, {self.who} put {weight} on {key}"


def choose(
    maps: AttentionMaps,
    layer: int = -1,
    head: int | None = 0,
    *,
    scale: Scale = "head",
    rows: Rows = "predicted",
) -> Chosen:
    """The map of one head, or with `head=None` the mean over the heads of its layer.

    `layer` and `head` count from 0 (`AttentionMaps.head`); the title counts both from 1 and says so. Of sound the
    padding is left out, and `keys_title` says so.

    Raises ValueError for a layer, head, scale or reading of the rows that is not there.
    """
    if scale not in ("head", "common"):
        raise ValueError(f"A colour scale is 'head' or 'common': got {quoted(scale)}.")
    if rows not in ("predicted", "input"):
        raise ValueError(f"Rows are named for the token 'predicted' or the 'input' token: got {quoted(rows)}.")
    number = maps.layers[maps.layer_index(layer)]
    weights = maps.head(number, head) if head is not None else maps.mean().head(number, 0)
    own_rows, own_columns = np.flatnonzero(~maps.queries.is_padding), np.flatnonzero(~maps.keys.is_padding)
    is_padded = (len(own_rows), len(own_columns)) != weights.shape
    if is_padded:
        weights = weights[own_rows][:, own_columns]
    shown = maps.without_padding().weights if scale == "common" else weights
    top = float(shown.max(initial=0))
    cross = maps.kind == "cross"
    by_input = cross and rows == "input"
    queries = (maps.by_input_token() if by_input else maps).queries
    name = f"head {head % maps.n_heads + 1}" if head is not None else f"mean of {maps.n_heads} heads"
    return Chosen(
        weights=weights,
        queries=queries.take(own_rows) if is_padded else queries,
        keys=maps.keys.take(own_columns) if is_padded else maps.keys,
        # An empty or fully masked map has no maximum to end at; with any other end all its zeros look alike too.
        top=top if top > 0 else 1.0,
        title=f"{_kind_name(maps)}, layer {number + 1}, {name} (counted from 1)",
        rows_title=_rows_title(maps, by_input=by_input),
        keys_title=_keys_title(maps, weights, is_padded=is_padded),
        scale_name="up to the maximum of all heads" if scale == "common" else "up to this map’s maximum",
        doing=_doing(maps, by_input=by_input),
        who="this head" if head is not None else "the heads of this layer on average",
    )


def _has_latents(maps: AttentionMaps) -> bool:
    return "latent" in (maps.queries.kind, maps.keys.kind)


def _kind_name(maps: AttentionMaps) -> str:
    return _BY_LATENTS[maps.kind][0] if _has_latents(maps) else _KIND_NAMES[maps.kind]


def _doing(maps: AttentionMaps, *, by_input: bool) -> str:
    if _has_latents(maps):
        return _BY_LATENTS[maps.kind][1]
    if maps.kind != "cross" or by_input:
        return "Reading"
    return "Drawing" if maps.queries.kind == "image" else "Predicting"


def _rows_title(maps: AttentionMaps, *, by_input: bool) -> str:
    if maps.queries.kind == "audio":
        return "seconds"
    if maps.queries.kind in ("image", "latent"):
        return "patch" if maps.queries.kind == "image" else "latent"
    if maps.keys.kind == "latent":
        return "answer"
    return "input token" if by_input or maps.kind != "cross" else "predicted token"


def _keys_title(maps: AttentionMaps, weights: NDArray[Any], *, is_padded: bool) -> str:
    if maps.keys.kind in ("image", "latent"):
        return "patch" if maps.keys.kind == "image" else "latent"
    if maps.queries.kind == "image":
        return "prompt token"
    if maps.keys.kind != "audio":
        return "source token" if maps.kind == "cross" else "token attended to"
    if not is_padded and "cropped" not in maps.altered:
        return "seconds"
    if {"ablated", "masked", "aggregated"} & set(maps.altered):  # rows need not have summed to 1
        return "seconds (padding left out)"
    share = 1 - float(weights.sum(axis=-1, dtype=np.float64).mean())
    return f"seconds (padding left out, with {max(share, 0.0):.0%} of the weight)"


def thinned(count: int, most: int) -> list[int]:
    """The positions to label where there is room for `most` of `count`: evenly spaced, the first always among them."""
    return list(range(0, count, max(1, -(-count // most))))


def round_seconds(start: float, end: float, most: int) -> list[float]:
    """The times to label from `start` to `end` where there is room for `most`: multiples of 1, 2 or 5 × 10ⁿ seconds."""
    least = max(end - start, 1e-3) / max(1, most - 1)
    unit = 10.0 ** math.floor(math.log10(least))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= least * (1 - 1e-9))
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    return [round(i * step, 6) for i in range(first, last + 1)]
