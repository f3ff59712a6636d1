"""One run of a model for the page: what it makes, in the page's own thread or in one that the page looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from xattn_viz.models.base import Adapter
from xattn_viz.trace import Trace
from xattn_viz.ui import models
from xattn_viz.ui.address import Output, Request

#: A run that nobody has looked at for so long, in seconds, ends: its visitor is gone.
ABANDONED_SECONDS = 10.0


@dataclass(frozen=True)
class Asked:
    """What a run makes: the model's best outputs for all sentences of a request, or another output of one of them."""

    request: Request
    sentence: str | None = None
    offset: float = field(default=0, compare=False)
    output: Output = field(default_factory=Output)

    def traces(self, model: Adapter, **callbacks: Any) -> Iterator[Trace]:
        """Make the traces. Raises what the model raises."""
        settings = {**models.settings(model, self.request.options), **callbacks}
        if self.sentence is None:
            yield from model.traces(self.request.text, whole_text=self.request.whole, **settings)
        else:
            trace = model.trace(self.sentence, **settings, **self.output.settings())
            yield replace(trace, offset=self.offset)


class Run:
    """A run in a thread of its own. `latest` is what is written so far, `outcome` the traces or an error in the end."""

    def __init__(self, asked: Asked, model: Adapter) -> None:
        self.asked, self.made = asked, list[Trace]()
        self.latest: Trace | None = None
        self.outcome: tuple[Trace, ...] | Exception | None = None
        self._seen, self._stopped = time.monotonic(), False
        threading.Thread(target=self._go, args=(model,), daemon=True).start()

    def look(self) -> Trace | None:
        """What is written so far. Whoever looks keeps the run going."""
        self._seen = time.monotonic()
        return self.latest

    def stop(self) -> None:
        """End the run at its next step."""
        self._stopped = True

    def _go(self, model: Adapter) -> None:
        try:
            for trace in self.asked.traces(model, on_step=self._goes_on, on_partial=self._keep):
                self.made.append(trace)
                self.latest = trace
            self.outcome = tuple(self.made)
        except Exception as error:  # the page says it, in its own thread
            self.outcome = error

    def _goes_on(self, done: int, total: int) -> bool:
        return not self._stopped and time.monotonic() - self._seen < ABANDONED_SECONDS

    def _keep(self, trace: Trace) -> None:
        self.latest = trace
