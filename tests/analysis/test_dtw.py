"""Dynamic time warping: planted ways come back, and costs are as small as a plain recurrence finds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from xattn_viz.analysis.dtw import dtw


def least_cost(cost: NDArray[np.float64]) -> float:
    """The cost of the cheapest way, cell by cell."""
    total = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1])


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (1, 7), (7, 1), (5, 5), (9, 40), (40, 9), (12, 300)])
def test_a_planted_way_comes_back(rows: int, frames: int) -> None:
    generator = np.random.default_rng(rows * frames)
    steps = [1] * (rows - 1) + [2] * (frames - 1)  # down, right
    generator.shuffle(steps)
    cells = [(0, 0)]
    for step in steps:
        i, j = cells[-1]
        cells.append((i + (step == 1), j + (step == 2)))
    cost = np.ones((rows, frames))
    cost[tuple(np.array(cells).T)] = -1.0  # every cell of the way pays, so that no shortcut does
    found = dtw(cost)
    assert list(zip(*(axis.tolist() for axis in found), strict=True)) == cells


@pytest.mark.parametrize("seed", range(10))
def test_the_way_is_monotone_and_the_cheapest(seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = generator.integers(1, 30, 2)
    cost = generator.normal(size=shape)
    rows, frames = dtw(cost)
    assert (rows[0], frames[0]) == (0, 0)
    assert (rows[-1], frames[-1]) == (shape[0] - 1, shape[1] - 1)
    moves = set(zip(np.diff(rows).tolist(), np.diff(frames).tolist(), strict=True))
    assert moves <= {(0, 1), (1, 0), (1, 1)}
    assert cost[rows, frames].sum() == pytest.approx(least_cost(cost))


def test_equal_ways_go_right_first() -> None:
    rows, frames = dtw(np.zeros((3, 4)))
    # Walking back from the end, each tie steps left; then up the first column.
    assert rows.tolist() == [0, 1, 2, 2, 2, 2]
    assert frames.tolist() == [0, 0, 0, 1, 2, 3]
