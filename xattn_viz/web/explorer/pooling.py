"""Small maps for the overview of a trace that is too large to be sent whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: The largest side of a pooled tile of the overview, in cells.
TILE_SIDE = 64


def max_pool(weights: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """A map `[query, key]` reduced to at most `side` × `side` cells, each the maximum of its block: no peak is lost."""
    rows, columns = weights.shape
    if rows > side:  # block by block: several times as quick as reduceat down the columns
        bounds = np.arange(side + 1) * rows // side
        weights = np.stack([weights[start:end].max(axis=0) for start, end in pairwise(bounds)])
    if columns > side:
        weights = np.maximum.reduceat(weights, np.arange(side) * columns // side, axis=1)
    return weights
