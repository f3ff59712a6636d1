"""What a model takes in memory, and whether something large fits into what is free, asked before it is begun."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from torch import Tensor, nn


def held(*parts: nn.Module | Any) -> int:
    """The bytes that parts of a model take: modules with their parameters and buffers, and arrays. None takes nothing.

    What several share, such as an embedding that is the output too, is counted once.
    """
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in _tensors(parts)}
    return sum(storages.values()) + sum(part.nbytes for part in parts if isinstance(part, np.ndarray))


def release() -> None:
    """Give memory that is free again back to the system: what nothing refers to, and what was only needed to load.

    The C library of Linux keeps what it got in small pieces, twice a model's size after some loads.
    """
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _tensors(parts: tuple[Any, ...]) -> Iterator[Tensor]:
    for part in parts:
        if hasattr(part, "parameters"):
            yield from part.parameters()
            yield from part.buffers()


def check_free(needed: int, what: str, instead: str, error: type[Exception]) -> None:
    """Raise `error` where fewer than `needed` bytes are free; `what` needs them, `instead` says what to do.

    What the system can take back from its file cache counts as free.
    """
    free = psutil.virtual_memory().available
    if needed > free:
        raise error(f"{what} needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: {instead}.")
