"""What models take of a machine: memory, asked for before it is taken, and places for few runs at a time."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from xattn_viz.models.base import OnStep, report

if TYPE_CHECKING:
    from torch import Tensor, nn


def bytes_held(*parts: nn.Module | Any) -> int:
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


# More runs at once would only share the same processor and multiply the memory.
CORES = os.cpu_count() or 2
RUNS_AT_ONCE = max(2, CORES // 2)
POLL_SECONDS = 0.1

_GATE = threading.BoundedSemaphore(RUNS_AT_ONCE)


@contextmanager
def run_slot(on_step: OnStep | None = None, gate: threading.Semaphore = _GATE) -> Iterator[None]:
    """Wait for a free place, hold it while the block runs, and free it however the block ends.

    A run that waits still hears `on_step` (with 0 of 0 steps) ten times a second, so it can be cancelled; then it
    raises Cancelled.
    """
    while not gate.acquire(timeout=POLL_SECONDS):
        report(on_step, 0, 0)
    try:
        yield
    finally:
        gate.release()
