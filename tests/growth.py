"""How the time of a reader grows with what it reads: tells linear from quadratic, also on a busy machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

#: How many times as long the long text is, and how many times as long it may take: a quadratic reader takes 256.
LONGER, MOST = 16, 80


def growth(read: Callable[[str], object], piece: str, count: int = 1_500) -> float:
    """How many times the processor's time `read` takes for `LONGER` times as many pieces; the fastest of some tries."""
    gc.disable()
    try:
        short, long = (_fastest(read, piece * size) for size in (count, LONGER * count))
    finally:
        gc.enable()
    return long / max(short, 1e-4)


def _fastest(read: Callable[[str], object], text: str) -> float:
    tries = []
    for _ in range(3):
        began = time.thread_time()
        read(text)
        tries.append(time.thread_time() - began)
    return min(tries)
