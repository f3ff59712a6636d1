"""The trace of what is written so far, shown while a model writes, but not so often that it holds the model up."""

from __future__ import annotations

import time
from collections.abc import Callable

from xattn_viz.core.trace import Trace
from xattn_viz.models import base

NOTE = "The model had not finished writing."


class Partials:
    """Makes partial traces of one run and hands them to its `on_partial`."""

    def __init__(self, on_partial: base.OnPartial | None) -> None:
        self._on_partial = on_partial
        self._due = time.monotonic() + base.PARTIAL_SECONDS

    def show(self, make: Callable[[], Trace]) -> None:
        """Call `make` and show its trace, if one is wanted and due.

        The next is due after `PARTIAL_SECONDS`, or after as long as this one took where that is longer: showing takes
        at most half of the time.
        """
        begin = time.monotonic()
        if self._on_partial is None or begin < self._due:
            return
        self._on_partial(make().with_notes(NOTE))
        end = time.monotonic()
        self._due = end + max(base.PARTIAL_SECONDS, end - begin)
