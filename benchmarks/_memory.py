"""How much memory a call takes at its peak."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any


def peak_megabytes(run: Callable[[], object], models: Sequence[Any]) -> float:
    """How far one call raises the peak memory of a process forked for it, in which all weights have been read."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(run, models, send))
    child.start()
    megabytes = float(receive.recv())
    child.join()
    return megabytes


def _measure(run: Callable[[], object], models: Sequence[Any], send: Any) -> None:
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in kilobytes elsewhere
    for model in models:
        for parameter in model.parameters():
            parameter.sum()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    send.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit / 1e6)
