"""Dynamic time warping: the cheapest monotone way through a table of costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dtw(cost: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cheapest way from the first to the last cell of `[row, frame]`, by steps down, right or both at once.

    Returns the rows and the frames of its cells. Cells on one anti-diagonal do not depend on each other and are worked
    out together. Where ways cost the same, right comes first, as in OpenAI's implementation.
    """
    n, m = cost.shape
    # Column d of `total` is the anti-diagonal row + frame = d, indexed by row + 1; a border of infinity stands outside.
    total = np.full((n + 1, n + m + 1), np.inf)
    total[0, 0] = 0.0
    came = np.zeros((n, n + m - 1), np.int8)
    for d in range(n + m - 1):
        rows = np.arange(max(0, d - m + 1), min(d, n - 1) + 1)
        both, down, right = total[rows, d], total[rows, d + 1], total[rows + 1, d + 1]
        diagonal = (both < down) & (both < right)
        below = (down < both) & (down < right)
        came[rows, d] = np.where(diagonal, 0, np.where(below, 1, 2))
        total[rows + 1, d + 2] = cost[rows, d - rows] + np.where(diagonal, both, np.where(below, down, right))
    return _walk_back(came, n, m)


def _walk_back(came: NDArray[np.int8], n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row, frame = n - 1, m - 1
    cells = [(row, frame)]
    while row or frame:
        step = 2 if row == 0 else 1 if frame == 0 else came[row, row + frame]
        row, frame = row - (step != 2), frame - (step != 1)
        cells.append((row, frame))
    rows, frames = np.array(cells[::-1]).T
    return rows, frames
