"""How well a word's weights find a thing whose place in the picture is known: brightest patch, share, region.

The pointing game is Zhang et al. 2018 (Top-down Neural Attention by Excitation Backprop): a hit where the maximum lies
in the box. A share alone says little: large things hold much of any map, so it comes with the share of the area.
Regions are scored by intersection over union, as Marcos-Manchón et al. 2024 do (Open-Vocabulary Attention Maps with
Token Optimization for Semantic Segmentation in Diffusion Models, OVAM).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps

#: Left, top, right and bottom, as shares of the picture's width and height from its upper left corner.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Share:
    """How much of a word's weight lies in a box.

    `weight` is the share in the box of all the weight that lies on patches, `area` the box's share of the picture,
    `hit` whether the middle of the brightest patch lies in the box. `special` is how much lies on positions outside
    the picture, in the row's own terms (0 to 1 where rows sum to 1).
    """

    weight: float
    area: float
    hit: bool
    special: float

    @property
    def gain(self) -> float:
        """How many times more weight lies in the box than if it were spread evenly."""
        return self.weight / self.area


def share(maps: AttentionMaps, layer: int | None, head: int | None, position: int | Sequence[int], box: Box) -> Share:
    """How much of a word's weight lies in a box.

    The picture may be on either side: `position` is a row of a captioner's map, whose keys are patches, or a column of
    a diffusion model's, whose queries are. Several positions (the pieces of a word) are averaged. `layer` and `head`
    count from 0; `head=None` is the mean over the heads, `layer=None` over the layers.

    Raises ValueError where neither side is a picture, the layer, head or position is not there, or the box is none.
    """
    axis, values = over_picture(maps, layer, head, position)
    inside = coverage(axis, box)
    patches = axis.patches
    total = float(values[patches].sum())
    brightest = int(values[patches].argmax())
    left, top, right, bottom = box
    rows, columns = axis.grid or (1, 1)
    y, x = (brightest // columns + 0.5) / rows, (brightest % columns + 0.5) / columns
    return Share(
        weight=float(values @ inside) / total if total > 0 else 0.0,
        area=(right - left) * (bottom - top),
        hit=total > 0 and left <= x <= right and top <= y <= bottom,
        special=float(values.sum()) - total,
    )


def over_picture(
    maps: AttentionMaps, layer: int | None, head: int | None, position: int | Sequence[int]
) -> tuple[Axis, NDArray[np.float64]]:
    """The side of a map that is a picture, and a word's weights over its positions, `[position]`; see `share`."""
    if maps.keys.grid is None and maps.queries.grid is None:
        raise ValueError(f"Neither side of this map is a picture: {maps.queries.kind} attends to {maps.keys.kind}.")
    layers = slice(None) if layer is None else [maps.layer_index(layer)]
    if head is not None and not 0 <= head < maps.n_heads:
        raise ValueError(f"There is no head {head}: each layer has heads 0 to {maps.n_heads - 1}.")
    heads = slice(None) if head is None else slice(head, head + 1)
    weights = maps.weights[layers][:, heads]  # [layer, head, query, key]
    is_key = maps.keys.grid is not None
    weights = weights if is_key else weights.swapaxes(2, 3)
    axis, others = (maps.keys, maps.queries) if is_key else (maps.queries, maps.keys)
    positions = [position] if isinstance(position, int) else list(position)
    if not positions or not all(0 <= place < len(others) for place in positions):
        raise ValueError(f"There is no word at {position}: there are positions 0 to {len(others) - 1}.")
    return axis, weights[:, :, positions].mean(axis=(0, 1, 2), dtype=np.float64)


def overlap(
    maps: AttentionMaps,
    layer: int | None,
    head: int | None,
    position: int | Sequence[int],
    mask: NDArray[np.bool_],
    thresholds: Sequence[float] = (0.5,),
) -> NDArray[np.float64]:
    """How well a word's region is that of a thing: intersection over union with its mask, `[threshold]` from 0 to 1.

    A word's weights are brought to the pixels of `mask` `[row, column]` (bilinear, as the page shows them), and its
    region is where they reach a threshold, a share of their maximum. Positions, layers, heads and what is raised are
    those of `share`; ValueError too for an empty mask.
    """
    axis, values = over_picture(maps, layer, head, position)
    if mask.ndim != 2 or not mask.any():
        raise ValueError(f"A mask is [row, column] with a place that is true: got shape {mask.shape}.")
    grid = values[axis.patches].astype(np.float32).reshape(axis.grid or (1, -1))
    rows, columns = mask.shape
    smooth = np.asarray(Image.fromarray(grid).resize((columns, rows), Image.Resampling.BILINEAR))
    found = smooth >= np.asarray(thresholds, np.float32)[:, None, None] * max(float(smooth.max()), 1e-30)
    shared, either = (found & mask).sum((1, 2)), (found | mask).sum((1, 2))
    return np.asarray(shared / either, np.float64)


def coverage(axis: Axis, box: Box) -> NDArray[np.float64]:
    """How much of each patch lies in a box, `[position]` from 0 to 1; 0 at positions outside the picture.

    Raises ValueError where the axis is no picture, or the box is empty or reaches beyond it.
    """
    if axis.grid is None:
        raise ValueError(f"This {axis.kind} axis has no grid of patches.")
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"A box is left, top, right and bottom from 0 to 1, in order: got {box}.")
    rows, columns = axis.grid
    inside = np.zeros(len(axis))
    inside[axis.patches] = np.outer(_covered(rows, top, bottom), _covered(columns, left, right)).ravel()
    return inside


def _covered(count: int, start: float, end: float) -> NDArray[np.float64]:
    """How much of each of `count` equal stretches of [0, 1] lies between two places."""
    edges = np.clip(np.arange(count + 1) / count, start, end)
    covered: NDArray[np.float64] = np.diff(edges) * count
    return covered
