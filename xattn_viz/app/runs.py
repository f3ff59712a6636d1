"""One run of a model for the page: what it makes, in the page's own thread or in one that the page looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from xattn_viz.app import models
from xattn_viz.app.address import Output, Request
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.models.base import Adapter

#: A run that nobody has looked at for so long, in seconds, ends: its visitor is gone.
ABANDONED_SECONDS = 10.0


@dataclass(frozen=True)
class Asked:
    """What a run makes: the model's best outputs for all segments of a request, or another output of one of them.

    `segment` names that one: the sentence itself, or where the window begins; `given` is its trace. `named` is the
    sound or the picture of a request that names one, which only the visitor's own script can look up.
    """

    request: Request
    segment: str | None = None
    given: Trace | None = field(default=None, compare=False)
    output: Output = field(default_factory=Output)
    named: Sound | Picture | None = field(default=None, compare=False)

    @classmethod
    def of(cls, request: Request, given: Trace, output: Output) -> Asked:
        """Another output of the segment that a trace was made of."""
        name = given.input if isinstance(given.input, str) else f"from {given.offset} s"
        return cls(request, name, given, output)

    def traces(self, model: Adapter, **callbacks: Any) -> Iterator[Trace]:
        """Make the traces. Raises what the model raises."""
        request = self.request
        settings = {**models.settings(model, request.options), **callbacks}
        if self.given is not None:
            if request.sound:
                settings["offset"] = self.given.offset
            if model.card.output_kind == "image":  # another prompt from the same seed
                yield model.trace(self.output.target, **settings)
                return
            trace = model.trace(self.given, **settings, **self.output.settings())
            yield replace(trace, offset=self.given.offset)
        elif self.named is not None:
            yield from model.traces(self.named, **settings)
        elif model.card.output_kind == "image":
            yield model.trace(request.text, **settings)
        else:
            yield from model.traces(request.text, whole_text=request.whole, **settings)


def so_far(model: Adapter, done: int, total: int) -> str:
    """How far a run is after `done` of at most `total` steps, in words."""
    return f"{done} tokens written" if "write" in model.card.can else f"step {done} of {total}"


class Run:
    """A run in a thread of its own.

    `latest` is what is made so far, `steps` how many steps are done and how many there can be, `outcome` the traces or
    an error in the end.
    """

    def __init__(self, asked: Asked, model: Adapter) -> None:
        self.asked, self.model, self.made = asked, model, list[Trace]()
        self.latest: Trace | None = None
        self.steps = (0, 0)
        self.outcome: tuple[Trace, ...] | Exception | None = None
        self._seen, self._stopped = time.monotonic(), False
        threading.Thread(target=self._go, daemon=True).start()

    def look(self) -> Trace | None:
        """What is written so far. Whoever looks keeps the run going."""
        self._seen = time.monotonic()
        return self.latest

    def stop(self) -> None:
        """End the run at its next step."""
        self._stopped = True

    def _go(self) -> None:
        try:
            for trace in self.asked.traces(self.model, on_step=self._goes_on, on_partial=self._keep):
                self.made.append(trace)
                self.latest = trace
            self.outcome = tuple(self.made)
        except Exception as error:  # the page says it, in its own thread
            self.outcome = error

    def _goes_on(self, done: int, total: int) -> bool:
        self.steps = (done, total)
        return not self._stopped and time.monotonic() - self._seen < ABANDONED_SECONDS

    def _keep(self, trace: Trace) -> None:
        self.latest = trace
