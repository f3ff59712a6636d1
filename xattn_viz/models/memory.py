"""Whether something large fits into the memory that is free, asked before it is begun."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]


def check_free(needed: int, what: str, instead: str, error: type[Exception]) -> None:
    """Raise `error` where fewer than `needed` bytes are free; `what` needs them, `instead` says what to do.

    What the system can take back from its file cache counts as free.
    """
    free = psutil.virtual_memory().available
    if needed > free:
        raise error(f"{what} needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: {instead}.")
