"""A gate that lets a few runs through at a time, so that many visitors cannot exhaust the machine together."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from xattn_viz.models.base import OnStep, report

# More runs at once would only share the same processor and multiply the memory.
CORES = os.cpu_count() or 2
RUNS_AT_ONCE = max(2, CORES // 2)
POLL_SECONDS = 0.1

_GATE = threading.BoundedSemaphore(RUNS_AT_ONCE)


def share_cores() -> None:
    """Let PyTorch use no more threads than leave each run its share of the cores. For a server; it holds process-wide.

    Threads that wait for each other on busy cores make one small run many times slower (docs/benchmarks.md).
    """
    import torch

    torch.set_num_threads(max(1, CORES // RUNS_AT_ONCE))


@contextmanager
def turn(on_step: OnStep | None = None, gate: threading.Semaphore = _GATE) -> Iterator[None]:
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
