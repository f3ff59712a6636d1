"""Which weights of a map sum to those between sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.web.explorer.axes import Axes


@dataclass(frozen=True)
class Sums:
    """What sums a map between sentences.

    `columns` are 1 where a key belongs to a sentence, `[key, sentence]`; `rows` are where the sentences of the rows
    begin and how many rows each has, once for the rows predicted and once for those read.
    """

    columns: NDArray[np.float32]
    rows: tuple[tuple[NDArray[np.intp], NDArray[np.float32]], ...]

    @classmethod
    def between(cls, axes: Axes, rows: Sequence[int], keys: int) -> Sums | None:
        """None where neither side has sentences."""
        if not any("sentences" in axes.packed[number] for number in (*rows, keys)):
            return None
        groups = axes.sentence_groups(keys)
        columns = np.zeros((sum(map(len, groups)), len(groups)), np.float32)
        for sentence, positions in enumerate(groups):
            columns[positions, sentence] = 1
        return cls(columns, tuple(_beginnings(axes.sentence_groups(number)) for number in rows))


def _beginnings(groups: list[list[int]]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    return np.array([group[0] for group in groups]), np.array([[len(group)] for group in groups], np.float32)
