"""What makes attention maps valid: shapes that fit, weights from 0 to 1, rows that sum to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xattn_viz.core.maps import AttentionMaps

# Rounding in a softmax over n keys grows slowly with n; these leave room for 16,000 keys.
ROW_SUM_TOLERANCE = {"float32": 1e-4, "float16": 2e-2}
_AT_ONCE = 1 << 22  # weights that are checked at once: a map can be as large as memory, and each takes 20 bytes or so


def check_shapes(maps: AttentionMaps) -> None:
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
    if maps.projections is not None:
        q, k = maps.projections.queries.shape, maps.projections.keys.shape
        if (*q[:3], k[2]) != shape:
            raise ValueError(f"Projections of shapes {q} and {k} do not fit weights of shape {shape}.")


def check_values(maps: AttentionMaps) -> None:
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
    if {"cropped", "aggregated", "ablated"} & set(maps.altered):
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
