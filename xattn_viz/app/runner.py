"""From a query to its traces: work in a thread of its own, what came of it, and the traces that are kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

from cachetools import LRUCache

from xattn_viz.app.query import Query
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.messages import quoted
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.models.base import Adapter, Cancelled, ModelError
from xattn_viz.models.resources import share_cores

_LOG = logging.getLogger(__name__)

#: Work that nobody has looked at for so long, in seconds, ends: its visitor is gone.
ABANDONED_SECONDS = 10.0
#: The traces that are kept for all visitors take at most so much memory; one that takes more is kept alone.
KEPT_BYTES = 256_000_000
#: Options that the page itself offers, by the names that the address uses.
BEAMS, SELF_ATTENTION = "num_beams", "self_attention"
#: Padding is never shown, so the page asks for maps without it.
CROP = "crop"

Traces = tuple[Trace, ...]
#: Tells how far a model is on its way: a share from 0 to 1, and a sentence.
Report = Callable[[float, str], None]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Task:
    """What a run makes: the model's best outputs for all segments of a query, or its other output of one of them.

    `segment` names that one, the sentence itself or where the window begins, and `given` is its trace. `named` is the
    sound or the picture of a query that only names it.
    """

    query: Query
    segment: str | None = None
    given: Trace | None = field(default=None, compare=False)
    named: Sound | Picture | None = field(default=None, compare=False)

    @classmethod
    def of_output(cls, query: Query, best: Trace) -> Task:
        """The output of a query for the segment that a trace was made of."""
        return cls(query, best.input if isinstance(best.input, str) else f"from {best.offset} s", best)

    def traces(self, model: Adapter, **callbacks: Any) -> Iterator[Trace]:
        """Make the traces. Raises what the model raises."""
        query, output = self.query, self.query.output
        options = {**settings(model, query.options), **callbacks}
        if self.given is not None:
            if query.source == "sound":
                options["offset"] = self.given.offset
            if model.card.output_kind == "image":  # another prompt from the same seed
                yield model.trace(output.target, **options)
                return
            trace = model.trace(self.given, **options, **output.settings())
            yield replace(trace, offset=self.given.offset)
        elif self.named is not None:
            yield from model.traces(self.named, **options)
        elif model.card.output_kind == "image":
            yield model.trace(query.input, **options)
        else:
            yield from model.traces(query.input, whole_text=query.whole, **options)


def settings(model: Adapter, chosen: tuple[tuple[str, str | bool], ...]) -> dict[str, Any]:
    """The keywords of `Adapter.trace` for these options. An address can name any: only those that there are count.

    Raises ModelError where an option of the page itself has a value that it cannot have.
    """
    declared = {option.name for option in model.card.options}
    found: dict[str, Any] = {name: value for name, value in chosen if name in declared}
    said = dict(chosen)
    beams, with_self = str(said.get(BEAMS, "1")), said.get(SELF_ATTENTION, False)
    if not (beams.isascii() and beams.isdigit() and len(beams) < 4):
        raise ModelError(f"{BEAMS} is a whole number of at most three digits: got {quoted(beams)}.")
    if not isinstance(with_self, bool):
        raise ModelError(f"{SELF_ATTENTION} is true or false: got {quoted(with_self)}.")
    found["num_beams"] = int(beams)
    kinds = model.card.kinds if with_self else model.card.at_once
    if kinds != ("cross",):
        found["kinds"] = kinds
    if model.card.input_kind == "audio":
        # Queries and keys of 1,500 frames are too much to send; without them a map needs no padding.
        return {**found, CROP: True} if CROP in declared else found
    return {**found, "keep_projections": "project" in model.card.can}


class Job(Generic[_T]):
    """Work in a thread of its own, which goes on while somebody looks at it.

    The work is handed the job. `outcome` is what it returned, or the error that ended it; None while it goes on.
    """

    def __init__(self, work: Callable[[Self], _T]) -> None:
        self.outcome: _T | Exception | None = None
        self._looked, self._is_stopped, self._ended = time.monotonic(), False, threading.Event()
        threading.Thread(target=self._do, args=(work,), daemon=True).start()

    def look(self, seconds: float = 0.0) -> bool:
        """Whether it has ended, after at most so long. Whoever looks keeps it going."""
        self._looked = time.monotonic()
        return self._ended.wait(seconds)

    def stop(self) -> None:
        """End it at its next step."""
        self._is_stopped = True

    def goes_on(self) -> bool:
        """Whether it is to go on; what the work asks at each of its steps."""
        return not self._is_stopped and time.monotonic() - self._looked < ABANDONED_SECONDS

    def _do(self, work: Callable[[Self], _T]) -> None:
        try:
            self.outcome = work(self)
        except Exception as error:  # whoever looks says it, in a thread of its own
            self.outcome = error
        self._ended.set()


class Run(Job[Traces]):
    """One run of a model. `made` are the traces of whole segments, `latest` is what is written of the last one."""

    def __init__(self, task: Task, load: Callable[[Report], Adapter], segment: str = "segment") -> None:
        self.task, self.made = task, list[Trace]()
        self.latest: Trace | None = None
        self.progress = (0.0, "Loading the model …")
        self._segment = segment.capitalize()
        super().__init__(lambda _: self._traces(load))

    def _traces(self, load: Callable[[Report], Adapter]) -> Traces:
        share_cores()
        model = load(self._report)

        def on_step(done: int, total: int) -> bool:
            so_far = f"{done} tokens written" if "write" in model.card.can else f"step {done} of {total}"
            self._report(done / max(total, 1), f"{self._segment} {len(self.made) + 1}: {so_far}")
            return self.goes_on()

        on_step(0, 0)
        for trace in self.task.traces(model, on_step=on_step, on_partial=self._keep):
            self.made.append(trace)
            self.latest = trace
        keep(self.task, model.content, tuple(self.made))
        return tuple(self.made)

    def _report(self, share: float, said: str) -> None:
        self.progress = (min(share, 1.0), said)

    def _keep(self, trace: Trace) -> None:
        self.latest = trace


@dataclass(frozen=True)
class Done:
    """All traces of a task."""

    task: Task
    traces: Traces


@dataclass(frozen=True)
class Running:
    """A task that goes on."""

    task: Task
    run: Run


@dataclass(frozen=True)
class Stopped:
    """A task that the visitor ended, with the traces that were whole by then."""

    task: Task
    traces: Traces


@dataclass(frozen=True)
class Failed:
    """A task that cannot be done, and why."""

    task: Task
    error: Exception


Outcome = Done | Running | Stopped | Failed


def ended(running: Running) -> Outcome:
    """What came of a run; the same where it goes on. An error that is a fault of the program goes to the log."""
    outcome, task = running.run.outcome, running.task
    if isinstance(outcome, Cancelled):
        return stopped(running)
    if isinstance(outcome, Exception):
        if not isinstance(outcome, InputError | ModelError):
            _LOG.error("Tracing failed", exc_info=outcome)
        return Failed(task, outcome)
    return running if outcome is None else Done(task, outcome)


def stopped(running: Running) -> Stopped:
    """A run that is to end now. Of another output of one segment nothing is kept that is not whole."""
    running.run.stop()
    return Stopped(running.task, tuple(running.run.made) if running.task.segment is None else ())


def size(traces: Traces) -> int:
    """What traces take, in bytes."""
    return sum(_bytes(maps) for trace in traces for maps in trace.maps)


def _bytes(maps: AttentionMaps) -> int:
    kept = maps.projections
    return maps.weights.nbytes + (kept.queries.nbytes + kept.keys.nbytes if kept else 0)


class TraceCache:
    """Traces by the task that they are of and the files of its model; the least recently used go first."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._kept: LRUCache[tuple[Task, str], Traces] = LRUCache(limit, lambda traces: min(size(traces), limit))
        self._guard = threading.Lock()

    def get(self, task: Task, content: str = "") -> Traces | None:
        """The traces of a task, if they are still here."""
        with self._guard:
            found: Traces | None = self._kept.get((task, content))
            return found

    def put(self, task: Task, content: str, traces: Traces) -> None:
        """Keep the traces of a task."""
        with self._guard:
            self._kept[task, content] = traces


_CACHE = TraceCache()
kept, keep = _CACHE.get, _CACHE.put
