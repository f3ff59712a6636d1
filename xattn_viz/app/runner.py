"""What a visitor asks of a model, and from there to its traces.

A query says which model, what it is to read, with which options, and which output to show; an address says a query. It
is run in a thread of its own; what came of it is told, and the traces are kept.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Self, TypeVar

from cachetools import LRUCache

from xattn_viz import examples
from xattn_viz.core.evidence import Alignment, Deletion
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import head_title
from xattn_viz.examples import Example
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled, ModelError, OnStep
from xattn_viz.models.resources import release

#: A longer text stays out of the address: browsers and chat programs cut long ones.
LONGEST_TEXT = 1000
#: What a query is about, by the name that the address has for it.
Source = Literal["text", "sound", "picture", "scene", "file"]
#: By the name of a source, whether something of that name is there. What is only named has to be looked up.
Names = Mapping[Source, Callable[[str], bool]]
# Before the name of an option of the model, so that none can be mistaken for something else.
_OPTION = "option."
#: The option of a model that is asked about a picture, which an address says by its name alone.
QUESTION = "question"
#: The options of a model that can begin a drawing as a picture: this one, its mask, and how much is drawn over.
START, MASK, STRENGTH = "start", "mask", "strength"
# What begins the names of what is said of a second query, which another is compared with.
_COMPARED = "compare"
_COMPARED_MODEL, _COMPARED_OPTION, _WITHOUT = "compare-model", "compare-option.", "compare-without"


@dataclass(frozen=True)
class Output:
    """The model's best output, another hypothesis of its search, or one of the visitor's.

    `target` is a whole output, `prefix` the token ids that one begins with.
    """

    hypothesis: int = 0
    target: str = ""
    prefix: tuple[int, ...] = ()

    @property
    def is_best(self) -> bool:
        """Whether it is what the model writes by itself."""
        return self == Output()

    def settings(self) -> dict[str, Any]:
        """The keywords of `Adapter.trace` that make it."""
        said = {"hypothesis": self.hypothesis, "target": self.target, "prefix": list(self.prefix)}
        return {name: value for name, value in said.items() if value}

    def address(self) -> dict[str, str]:
        """The parameters of an address that say it; none where it is too long for one."""
        said = {name: str(value) for name, value in self.settings().items()}
        if self.prefix:
            said["prefix"] = ".".join(map(str, self.prefix))
        return said if len(self.target) < LONGEST_TEXT else {}


@dataclass(frozen=True)
class Query:
    """What is asked of a model.

    `input` is a text, to be traced `whole` or sentence by sentence; where `source` says so, it is the name of a sound,
    a picture or an opened file of the visit, or the characters of a scene. `options` are those that differ from the
    model's own, by name; `without` are heads of cross-attention that are taken away, as (layer, head) from 0.
    """

    model: str
    input: str = ""
    source: Source = "text"
    options: tuple[tuple[str, str | bool], ...] = ()
    whole: bool = False
    output: Output = field(default_factory=Output)
    without: tuple[tuple[int, int], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what it is about that is no text: what it reads, and the pictures that a drawing begins as."""
        begun = tuple(str(value) for name, value in self.options if name in (START, MASK))
        return begun if self.source == "text" else (self.input, *begun)

    @property
    def best(self) -> Query:
        """The same for the model's best output."""
        return replace(self, output=Output())

    def reading(self, source: Source, name: str) -> Query:
        """The same for another input, without options and output of the one before where it is no text."""
        return replace(self, source=source, input=name, output=Output())

    def address(self) -> dict[str, str]:
        """The parameters of an address that say it."""
        said = {"model": self.model} | {_parameter(name): written(value) for name, value in self.options}
        if self.source == "text" and len(self.input) >= LONGEST_TEXT:
            return said
        said[self.source] = self.input
        if self.whole:
            said["whole"] = "true"
        return said | self.output.address()


def is_query(said: Mapping[str, str]) -> bool:
    """Whether an address names a model or what it is to read."""
    return any(name in said for name in ("model", "text", "sound", "picture", "scene", "file", QUESTION))


def parse_query(
    said: Mapping[str, str],
    defaults: Mapping[str, Query],
    is_model: Callable[[str], bool],
    names: Names | None = None,
) -> Query:
    """The query that an address says; where it names no input, the default of its model, or the first one of all.

    `is_model` says which names without a default may be models; `names` which inputs there are, on a page whose inputs
    have names.
    """
    first = next(iter(defaults.values()))
    name = said.get("model", "")
    is_known = name in defaults or is_model(name)
    default = defaults.get(name, first)
    output = parse_output(said)
    if names is not None:
        found = next(((source, said[source]) for source, there in names.items() if there(said.get(source, ""))), None)
        options = _options(said) or (() if found else default.options)
        source, value = found or (default.source, default.input)
        return Query(name if is_known else first.model, value, source, options, output=output)
    text = said.get("text", "")
    if not text.strip():
        if name in defaults or not is_known:  # what is said of another model says nothing about this one
            options = () if name and not is_known else _options(said)
            return replace(default, output=output, options=options or default.options)
        text = first.input
    model = name if is_known else first.model
    return Query(model, text, "text", _options(said), said.get("whole") == "true", output)


def parse_compared(
    said: Mapping[str, str], asked: Query, is_model: Callable[[str], bool], names: Names | None = None
) -> Query | None:
    """The query that an address compares another one with, `asked`; None where it says none.

    What it does not say is as in that one: the model, what is read, the options where the model is the same. `names`
    as in `parse_query`; an opened file is none of them (`opened.parse`).
    """
    given = {source: said.get(f"{_COMPARED}-{source}", "") for source in names or ()}
    named_input = next(((source, name) for source, name in given.items() if name and (names or {})[source](name)), None)
    text, model = said.get(_COMPARED, ""), said.get(_COMPARED_MODEL, "")
    is_known = bool(model) and (model == asked.model or is_model(model))
    named = {name.removeprefix("compare-"): value for name, value in said.items() if name.startswith(f"{_COMPARED}-")}
    output, without = parse_output(named), _heads(said.get(_WITHOUT, ""))
    if not (text.strip() or is_known or named_input or without or not output.is_best):
        return None
    other = replace(asked, model=model if is_known else asked.model, output=output, without=without)
    options = _options(named) or (asked.options if other.model == asked.model else ())
    if named_input is not None:
        return replace(other, options=options, source=named_input[0], input=named_input[1])
    if asked.source == "text" and text.strip():
        other = replace(other, input=text)
    return replace(other, options=options)


def compared_address(asked: Query, other: Query) -> dict[str, str]:
    """The parameters of an address that say what a query is compared with, as `parse_compared` reads them.

    There are none for a text that is too long for an address.
    """
    if other.source == "text" and other.input != asked.input and len(other.input) >= LONGEST_TEXT:
        return {}
    found = {f"{_COMPARED}-{name}": value for name, value in other.output.address().items()}
    if other.source == "file":  # which says all else itself
        return {f"{_COMPARED}-file": other.input, **found}
    if other.without:
        found[_WITHOUT] = ".".join(f"{layer + 1}.{head + 1}" for layer, head in other.without)
    if other.source == "text" and other.input != asked.input:
        found[_COMPARED] = other.input
    elif other.source != "text" and (other.source, other.input) != (asked.source, asked.input):
        found[f"{_COMPARED}-{other.source}"] = other.input
    if other.model != asked.model or not found:
        found[_COMPARED_MODEL] = other.model
    if other.options != (asked.options if other.model == asked.model else ()):
        found |= {_COMPARED_OPTION + name: written(value) for name, value in other.options}
    return found


def _parameter(option: str) -> str:
    """The parameter of an address that says an option."""
    return option if option == QUESTION else _OPTION + option


def following(other: Query, before: Query, after: Query) -> Query:
    """What is compared with a query that is another one now: what both had in common they have in common again."""
    if other.source == "file":
        return other
    if (other.source, other.input) == (before.source, before.input):
        other = replace(other, source=after.source, input=after.input)
    is_alike = other.model == before.model == after.model and other.options == before.options
    return replace(other, options=after.options) if is_alike else other


def written(value: str | bool) -> str:
    """The value of an option as the address writes it."""
    return value if isinstance(value, str) else str(value).lower()


def parse_output(said: Mapping[str, str]) -> Output:
    """The output that an address says; the best where it says none."""
    return Output(
        hypothesis=next(_numbers(said.get("hypothesis", ""), 2), 0),
        target=said.get("target", "")[:LONGEST_TEXT].strip(),
        prefix=tuple(_numbers(said.get("prefix", ""), 7)),
    )


def _options(said: Mapping[str, str]) -> tuple[tuple[str, str | bool], ...]:
    switches: dict[str, str | bool] = {"true": True, "false": False}
    named = {name.removeprefix(_OPTION): value for name, value in said.items() if name.startswith(_OPTION)}
    named |= {QUESTION: said[QUESTION][:LONGEST_TEXT]} if QUESTION in said else {}
    return tuple(sorted((name, switches.get(value, value)) for name, value in named.items()))


def _heads(text: str) -> tuple[tuple[int, int], ...]:
    """Heads as an address says them, layer and head from 1 between full stops."""
    found = [number - 1 for number in _numbers(text, 3)]
    pairs = zip(found[::2], found[1::2], strict=False)
    return tuple(sorted({(layer, head) for layer, head in pairs if layer >= 0 and head >= 0}))


def _numbers(text: str, digits: int) -> Iterator[int]:
    """The whole numbers between full stops."""
    return (int(part) for part in text.split(".") if part.isascii() and part.isdigit() and len(part) <= digits)


_LOG = logging.getLogger(__name__)

#: Work that nobody has looked at for so long, in seconds, ends: its visitor is gone.
ABANDONED_SECONDS = 10.0
#: The traces that are kept for all visitors take at most so much memory; one that takes more is kept alone.
KEPT_BYTES = 256_000_000
#: So many measurements are kept for all visitors, each of them small beside its trace.
KEPT_MEASUREMENTS = 256
#: Options that the page itself offers, by the names that the address uses.
BEAMS, SELF_ATTENTION = "num_beams", "self_attention"
#: Padding is never shown, so the page asks for maps without it.
CROP = "crop"

Traces = tuple[Trace, ...]
#: Tells how far a model is on its way: a share from 0 to 1, and a sentence.
Report = Callable[[float, str], None]
_T = TypeVar("_T")
#: What is asked about a trace: a name, and how.
Question = tuple[str, ...]
#: Answers a question with a model: what was found, and what of it the trace is to keep.
Kept = tuple[HeadGrid | Alignment | Deletion | AttentionMaps, ...]
Work = Callable[[Adapter, OnStep], tuple[Any, Kept]]


@dataclass(frozen=True)
class Task:
    """What a run makes: the model's best outputs for all segments of a query, or its other output of one of them.

    `segment` names that one, the sentence itself or where the window begins, and `given` is its trace. `named` is the
    sound or the picture of a query that only names it, or the pictures that a drawing begins as, by their keywords.
    """

    query: Query
    segment: str | None = None
    given: Trace | None = field(default=None, compare=False)
    named: Sound | Picture | Mapping[str, Picture] | None = field(default=None, compare=False)

    @classmethod
    def of_output(cls, query: Query, best: Trace) -> Task:
        """The output of a query for the segment that a trace was made of."""
        return cls(query, best.input if isinstance(best.input, str) else f"from {best.offset} s", best)

    @property
    def _begun(self) -> Mapping[str, Any]:
        """The pictures that a drawing begins as, by their keywords."""
        return self.named if isinstance(self.named, Mapping) else {}

    def most_bytes(self, model: Adapter) -> int | None:
        """How many bytes the maps of a drawing take at most; None for what is no drawing. Raises as the model does."""
        if model.card.output_kind != "image":
            return None
        return model.most_bytes(self.query.input, **settings(model, self.query.options), **self._begun)

    def traces(self, model: Adapter, **callbacks: Any) -> Iterator[Trace]:
        """Make the traces. Raises what the model raises."""
        query, output = self.query, self.query.output
        options = {**settings(model, query.options), **callbacks}
        if query.without:
            options["ablate"] = _ablated(model, query.without)
        if self.given is not None:
            if query.source == "sound":
                options["offset"] = self.given.offset
            trace = model.trace(self.given, **options, **output.settings())
            yield replace(trace, offset=self.given.offset)
        elif model.card.output_kind == "image":
            yield model.trace(query.input, **options, **self._begun)
        elif self.named is not None:
            yield from model.traces(self.named, **options)
        else:
            yield from model.traces(query.input, whole_text=query.whole, **options)


def settings(model: Adapter, chosen: tuple[tuple[str, str | bool], ...]) -> dict[str, Any]:
    """The keywords of `Adapter.trace` for these options. An address can name any: only those that there are count.

    Raises ModelError where an option of the page itself has a value that it cannot have.
    """
    declared = {option.name for option in model.card.options} | ({STRENGTH} if "begin" in model.card.can else set())
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


def _ablated(model: Adapter, heads: tuple[tuple[int, int], ...]) -> list[tuple[MapKind, int, int]]:
    """Heads of cross-attention as `Adapter.trace` takes them. Raises ModelError for one that is not there."""
    there = model.size.heads["cross"]
    for layer, head in heads:
        if layer >= len(there) or head >= there[layer]:
            many = f"{len(there)} layers of {max(there)} heads"
            raise ModelError(f"There is no {head_title(layer, head)} to take away: {model.card.title} has {many}.")
    return [("cross", layer, head) for layer, head in heads]


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
        if self._ended.wait(seconds):
            return True
        _put_aside()
        return False

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
    """One run of a model. `made` are the traces of whole segments, `latest` is what is written of the last one.

    Only where it `is_watched` are there traces of what is not whole yet: they take up to half of its time.
    """

    def __init__(
        self, task: Task, load: Callable[[Report], Adapter], segment: str = "segment", *, is_watched: bool = False
    ) -> None:
        self.task, self.made = task, list[Trace]()
        self.latest: Trace | None = None
        self.progress = (0.0, "Loading the model …")
        self._segment = segment.capitalize()
        self._on_partial = self._keep if is_watched else None
        super().__init__(lambda _: self._traces(load))

    def _traces(self, load: Callable[[Report], Adapter]) -> Traces:
        registry.share_cores()
        model = load(self._report)
        taken = self.task.most_bytes(model)
        room = "" if taken is None else f" · its maps take at most {max(taken / 1e6, 1):,.0f} MB"

        def on_step(done: int, total: int) -> bool:
            if total:  # otherwise only asked whether it is to go on
                so_far = f"{done} tokens written" if "write" in model.card.can else f"step {done} of {total}{room}"
                self._report(done / total, f"{self._segment} {len(self.made) + 1}: {so_far}")
            return self.goes_on()

        self._report(0.0, f"{self._segment} 1: beginning{room}")
        for trace in self.task.traces(model, on_step=on_step, on_partial=self._on_partial):
            self.made.append(trace)
            self.latest = trace
        keep(self.task, model.content, tuple(self.made))
        return tuple(self.made)

    def _report(self, share: float, said: str) -> None:
        self.progress = (min(share, 1.0), said)

    def _keep(self, trace: Trace) -> None:
        self.latest = trace


@dataclass(frozen=True)
class Whose:
    """Which trace something was measured of: which of a task's, by the model of these files."""

    task: Task
    number: int
    content: str


class Measurement(Job[Any]):
    """What was asked about the heads of a trace, and the work that finds it.

    `question` tells it apart from others of the same trace, `whose`; it takes so many `runs` of the model, about. The
    `work` is handed the loaded model and what to tell of each step; what it finds is kept, and the numbers and maps
    that it returns beside that, `added`, become part of the trace. `seconds` is what it took, without loading.
    """

    def __init__(
        self,
        whose: Whose,
        question: Question,
        runs: int,
        load: Callable[[Report], Adapter],
        work: Work,
    ) -> None:
        self.whose, self.question, self.runs = whose, question, runs
        self.progress = (0.0, "Loading the model …")
        self.added: Kept = ()
        self.seconds = 0.0
        super().__init__(lambda _: self._measure(load, work))

    def _measure(self, load: Callable[[Report], Adapter], work: Work) -> Any:
        registry.share_cores()
        model = load(self._report)
        begin = time.monotonic()

        def on_step(done: int, total: int) -> bool:
            self._report(done / max(total, 1), f"{done} of {total} runs of the model" if total else "Measuring …")
            return self.goes_on()

        if not on_step(0, 0):
            raise Cancelled("Cancelled before the first run.")
        found, self.added = work(model, on_step)
        self.seconds = time.monotonic() - begin
        _MEASURED.put(self.whose, self.question, found)
        _CACHE.add_evidence(self.whose, self.added)
        return found

    def _report(self, share: float, said: str) -> None:
        self.progress = (min(share, 1.0), said)


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

    def add_evidence(self, whose: Whose, added: Kept) -> None:
        """Let a trace that is still here keep what was measured of it."""
        key = whose.task, whose.content
        with self._guard:
            traces: Traces | None = self._kept.get(key)
            if traces is not None and added:
                self._kept[key] = with_evidence(traces, whose.number, added)


def with_evidence(traces: Traces, number: int, added: Kept) -> Traces:
    """The same traces, one of them with more of what was measured of it, or more maps."""
    trace = traces[number].with_evidence(*(one for one in added if not isinstance(one, AttentionMaps)))
    if maps := [one for one in added if isinstance(one, AttentionMaps)]:
        trace = trace.with_maps(*maps)
    return (*traces[:number], trace, *traces[number + 1 :])


class MeasuredCache:
    """What was measured, by whose and what was asked; the least recently used goes first."""

    def __init__(self, most: int = KEPT_MEASUREMENTS) -> None:
        self._kept: LRUCache[tuple[Whose, Question], Any] = LRUCache(most)
        self._guard = threading.Lock()

    def get(self, whose: Whose, question: Question) -> Any:
        """What was found; None where it was not asked, or is here no more."""
        with self._guard:
            return self._kept.get((whose, question))

    def put(self, whose: Whose, question: Question, found: Any) -> None:
        """Keep what was found."""
        with self._guard:
            self._kept[whose, question] = found

    def questions(self, whose: Whose) -> tuple[Question, ...]:
        """What was asked about a trace, and is still here."""
        with self._guard:
            return tuple(question for other, question in self._kept if other == whose)


_CACHE = TraceCache()
kept, keep = _CACHE.get, _CACHE.put
_MEASURED = MeasuredCache()
measured, asked_of = _MEASURED.get, _MEASURED.questions


def shipped(task: Task) -> Traces | None:
    """The trace of an example that was made beforehand; a damaged one is told in the log, and traced anew."""
    query = task.query
    if task.segment is not None or query.options or query.whole or query.without or not query.output.is_best:
        return None
    for example in examples.ALL:
        reads = example.text if isinstance(example, Example) else example.slug
        if (example.model, reads) == (query.model, query.input):
            try:
                trace = examples.load(example.slug)
            except ValueError as error:
                _LOG.warning("The shipped trace of %s is traced anew: %s", example.slug, error)
                return None
            return None if trace is None else (trace,)
    return None


# What was held when it was left out of collections last, and whether garbage was freed before.
_seen: list[tuple[object, bool]] = []


def settle() -> None:
    """Leave what is held now out of later collections, where modules or models were loaded since the last time.

    Streamlit collects garbage after each run of a page, in full, and meanwhile no other thread runs. With PyTorch and
    transformers loaded that takes 0.2 s each time, in which nothing is sent and nothing computed. Their objects stay
    for as long as the process, so they are left out. What has become garbage since the last time, a model that had to
    go among it, is freed first. For the end of a page.
    """
    held = _held()
    if _seen[-1:] == [(held, True)]:
        return
    _seen[:] = [(held, True)]
    gc.unfreeze()
    release()
    gc.freeze()


def _put_aside() -> None:
    """Leave out what was loaded since the last time without looking for garbage; the next `settle` makes up for it.

    Each look at a run or a measurement is a run of the page with a collection at its end: while a model is loaded for
    the first time these took several times as long as loading it.
    """
    held = _held()
    if not _seen or _seen[-1][0] != held:
        _seen[:] = [(held, False)]
        gc.freeze()


def _held() -> object:
    return len(sys.modules), frozenset(registry.loaded())
