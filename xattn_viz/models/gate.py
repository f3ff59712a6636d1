"""A gate that lets a few runs through at a time, so that many visitors cannot exhaust the machine together."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from xattn_viz.models.base import OnStep, report

# Each run already spreads over the cores: more of them at once only share the same processor and multiply the memory.
RUNS_AT_ONCE = max(2, (os.cpu_count() or 2) // 2)
POLL_SECONDS = 0.1

_GATE = threading.BoundedSemaphore(RUNS_AT_ONCE)


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
