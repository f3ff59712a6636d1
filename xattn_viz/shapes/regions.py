"""Which places of a grid touch each other: things in a picture, or in what a model says of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def regions(inked: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The places of a mask `[row, column]` that touch by sides or corners, each such region as a mask of its own."""
    # Every place takes the largest number that it can reach.
    number = np.where(inked, np.arange(1, inked.size + 1).reshape(inked.shape), 0)
    while True:
        around = np.pad(number, 1)
        rows, columns = inked.shape
        reached = np.max([around[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)
        reached = np.where(inked, reached, 0)
        if (reached == number).all():
            return [number == label for label in np.unique(number) if label]
        number = reached
