"""What makes attention maps valid: shapes that fit, weights from 0 to 1, rows that sum to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xattn_viz.maps import AttentionMaps

# Rounding in a softmax over n keys grows slowly with n; these leave room for 16,000 keys.
ROW_SUM_TOLERANCE = {"float32": 1e-4, "float16": 2e-2}


def check_shapes(maps: AttentionMaps) -> None:
    """Raise ValueError where arrays and axes do not fit each other."""
    shape, dtype = maps.weights.shape, maps.weights.dtype
    if maps.weights.ndim != 4:
        raise ValueError(f"Weights must be [layer, head, query, key]: got {maps.weights.ndim} axes of shape {shape}.")
    if dtype.name not in ROW_SUM_TOLERANCE:
        raise ValueError(f"Weights must be float16 or float32: got {dtype} of shape {shape}.")
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
    for number, weights in zip(maps.layers, maps.weights, strict=True):
        _check_layer(maps, number, weights.astype(np.float32, copy=False))  # one at a time: maps can be large


def _check_layer(maps: AttentionMaps, number: int, weights: NDArray[np.float32]) -> None:
    tolerance, shape = ROW_SUM_TOLERANCE[maps.weights.dtype.name], maps.weights.shape
    if not weights.size:
        return
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
            f"Rows of weights must sum to 1, shape {shape}: layer {number}, head {head}, row {query} "
            f"sums to {sums[head, query]:.4f}."
        )
