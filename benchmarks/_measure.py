"""Paired times, their medians, and the line that a benchmark prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Run = Callable[[], object]


def seconds(run: Run) -> float:
    """How long one call takes, in seconds of the wall clock."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def interleaved(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each measure returned in each round: they take turns, and each round begins with another of them."""
    names = list(measures)
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            values[name].append(measures[name]())
    return values


def paired_ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """The median of ours / peer over the pairs: a burst of load hits both of a pair, and one pair does not matter."""
    return median(a / b for a, b in zip(ours, peer, strict=True))


def milliseconds(values: Sequence[float]) -> str:
    """The median of times in seconds, for people."""
    return f"{median(values) * 1000:.1f} ms"


def figure(
    name: str, value: float, *, at_most: float | None = None, at_least: float | None = None, details: str
) -> None:
    """Print a ratio beside what it is to reach; without a limit it is only reported."""
    if at_most is not None:
        reach = f" (reach <= {at_most:g}: {'reached' if value <= at_most else 'MISSED'})"
    elif at_least is not None:
        reach = f" (reach >= {at_least:g}: {'reached' if value >= at_least else 'MISSED'})"
    else:
        reach = " (reported only)"
    print(f"{name}: ratio {value:.2f}{reach}; {details}", flush=True)
