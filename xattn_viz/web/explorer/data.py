"""The data part of a payload: arrays one after the other, each beginning at a multiple of 4 bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Data:
    """Arrays as they are appended; `length` is how many bytes there are."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.length = 0

    def add(self, array: NDArray[Any]) -> int:
        """Append an array; where it begins, in bytes."""
        chunk = np.ascontiguousarray(array).tobytes()
        chunk += bytes(-len(chunk) % 4)
        at, self.length = self.length, self.length + len(chunk)
        self.chunks.append(chunk)
        return at

    def joined(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)
