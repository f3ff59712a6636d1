"""Readers of foreign weight files: bytes in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class FormatError(ValueError):
    """A file is not what its format says, or is damaged; the message is one sentence without the file's name."""


class ByteReader:
    """Takes bytes from the front and refuses, with FormatError, to go beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def take(self, length: int, what: str) -> memoryview:
        """The next `length` bytes; `what` names them in the message."""
        left = len(self._data) - self._at
        if length > left:
            raise FormatError(f"The file ends within {what}: {length:,} bytes are needed and {left:,} are left.")
        self._at += length
        return self._data[self._at - length : self._at]

    def array(self, dtype: str, count: int, what: str) -> NDArray[Any]:
        """The next `count` numbers, `[count]`."""
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize, what), dtype)

    def u64(self, what: str) -> int:
        """The next number of 64 bits, without sign."""
        return int(self.array("<u8", 1, what)[0])

    def count(self, what: str, most: int) -> int:
        """The next number of 64 bits as a count, refused above `most`."""
        number = self.u64(f"the number of {what}")
        if number > most:
            raise FormatError(f"The file claims {number:,} {what}, so it is damaged.")
        return number

    def end(self) -> None:
        """Refuse bytes that are left over."""
        left = len(self._data) - self._at
        if left:
            raise FormatError(f"The file goes on for {left:,} bytes after its end, so it is damaged.")
