"""Trainings in a thread of their own, which a page looks at, stops and takes up again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from xattn_viz.app import gc_freeze
from xattn_viz.lessons.training import Record, Setting, Training
from xattn_viz.models.base import Cancelled
from xattn_viz.models.resources import share_cores, turn

_LOG = logging.getLogger(__name__)

#: Trainings that nobody has looked at for so long, in seconds, pause: their visitor is gone.
ABANDONED_SECONDS = 10.0
#: The least time between two records, so that one can see a map form, and others get their turn.
PACE_SECONDS = 0.15
_PATIENCE_SECONDS = 2.0


class Trainings:
    """One training or several by name, which go on together. `records` are those that each has made so far."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self.settings = dict(settings)
        self.of = {name: Training(setting) for name, setting in settings.items()}
        self.records: dict[str, list[Record]] = {name: [] for name in settings}
        self.failed = False
        self._seen = time.monotonic()
        self._ends = threading.Event()
        self._alone = threading.Lock()  # a thread that was stopped may still be in its last update
        self._thread: threading.Thread | None = None
        self._one_more()

    @property
    def step(self) -> int:
        """How many updates all trainings have behind them."""
        return min(made[-1].step for made in self.records.values())

    @property
    def steps(self) -> int:
        """How many there will be."""
        return max(setting.steps for setting in self.settings.values())

    @property
    def is_done(self) -> bool:
        """Whether the last update is made."""
        return self.step >= self.steps

    @property
    def goes_on(self) -> bool:
        """Whether they are training now."""
        return self._thread is not None and self._thread.is_alive() and not self._ends.is_set()

    def at(self, number: int) -> int:
        """How many updates lie before a record, counted from 0."""
        return min(made[number].step for made in self.records.values())

    def so_far(self, last: int) -> dict[str, list[Record]]:
        """The records up to one, by the name of the training."""
        return {name: made[: last + 1] for name, made in self.records.items()}

    def look(self) -> None:
        """Whoever looks keeps them going."""
        self._seen = time.monotonic()

    def start(self) -> None:
        """Begin, or go on after a stop."""
        if self.goes_on:
            return
        self.look()
        self.failed, self._ends = False, threading.Event()
        self._thread = threading.Thread(target=self._go, args=(self._ends,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Pause, after the update that is being made."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_SECONDS)

    def _go(self, ends: threading.Event) -> None:
        def goes_on(done: int = 0, total: int = 0) -> bool:
            return not ends.is_set() and time.monotonic() - self._seen < ABANDONED_SECONDS

        try:
            with self._alone:
                share_cores()
                gc_freeze.settle()
                while goes_on() and not self.is_done:
                    with turn(goes_on):
                        self._one_more()
                    ends.wait(PACE_SECONDS)
        except Cancelled:
            pass
        except Exception:  # the page says that there is one, the log which
            _LOG.exception("A training failed.")
            self.failed = True

    def _one_more(self) -> None:
        # The one that is behind first: after a fault they go on in step.
        for name in sorted(self.of, key=lambda name: len(self.records[name])):
            self.records[name].append(next(self.of[name]))
