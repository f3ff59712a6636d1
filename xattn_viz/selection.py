"""The one map that people look at: a head or the mean of a layer, with its colour range and its name in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps, MapKind

#: What a colour bar ends at: the chosen map's own maximum, or the maximum over all layers and heads.
Scale = Literal["head", "common"]
#: Which token a row of a cross map is named for: the one predicted at that step, or the one just read.
Rows = Literal["predicted", "input"]

_KIND_NAMES: dict[MapKind, str] = {
    "cross": "Cross-attention",
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
}


@dataclass(frozen=True, eq=False)
class Chosen:
    """One map out of many, with words for all that is drawn.

    `weights` is `[query, key]`, `queries` and `keys` name its rows and columns, `top` is the weight at which its
    colours end. `doing` and `who` begin the sentence "Predicting *gato*, this head put 0.83 on *cat*."
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

    `layer` and `head` count from 0 (`AttentionMaps.head`); the title counts both from 1 and says so. Raises ValueError
    for a layer, head, scale or reading of the rows that is not there.
    """
    if scale not in ("head", "common"):
        raise ValueError(f"A colour scale is 'head' or 'common': got {scale!r}.")
    if rows not in ("predicted", "input"):
        raise ValueError(f"Rows are named for the token 'predicted' or the 'input' token: got {rows!r}.")
    number = maps.layers[maps.layer_index(layer)]
    weights = maps.head(number, head) if head is not None else maps.mean().head(number, 0)
    shown = maps.weights if scale == "common" else weights
    top = float(shown.max(initial=0))
    cross = maps.kind == "cross"
    by_input = cross and rows == "input"
    name = f"head {head % maps.n_heads + 1}" if head is not None else f"mean of {maps.n_heads} heads"
    return Chosen(
        weights=weights,
        queries=(maps.by_input_token() if by_input else maps).queries,
        keys=maps.keys,
        # An empty or fully masked map has no maximum to end at; with any other end all its zeros look alike too.
        top=top if top > 0 else 1.0,
        title=f"{_KIND_NAMES[maps.kind]}, layer {number + 1}, {name} (counted from 1)",
        rows_title="input token" if by_input or not cross else "predicted token",
        keys_title="source token" if cross else "token attended to",
        scale_name="up to the maximum of all heads" if scale == "common" else "up to this map’s maximum",
        doing="Predicting" if cross and not by_input else "Reading",
        who="this head" if head is not None else "the heads of this layer on average",
    )


def thinned(count: int, most: int) -> list[int]:
    """The positions to label where there is room for `most` of `count`: evenly spaced, the first always among them."""
    return list(range(0, count, max(1, -(-count // most))))
