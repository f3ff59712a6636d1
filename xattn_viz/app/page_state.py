"""The state of a page, whole under one key of the session: each act of the visitor makes a new one.

The address in the browser is a function of it, and the visitor's steps back and forth make it anew.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, wraps
from typing import Any, Literal, NamedTuple, ParamSpec

import streamlit as st
from cachetools import TTLCache

from xattn_viz.app import runner
from xattn_viz.app.runner import (
    BEAMS,
    CROP,
    QUESTION,
    SELF_ATTENTION,
    Done,
    Measurement,
    Names,
    Outcome,
    Query,
    Running,
    Source,
    Stopped,
    Task,
    Traces,
)
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.examples import Example, PromptExample, QuestionExample, SceneExample, SpeechExample
from xattn_viz.inputs.text import LANGUAGES
from xattn_viz.models import hub, registry
from xattn_viz.models.base import ModelCard, Option

_P = ParamSpec("_P")
#: The map, or what was measured of its heads.
Tab = Literal["map", "evidence"]
AnyExample = Example | SpeechExample | SceneExample | QuestionExample
#: What two outputs beside each other are called, the chosen one first.
NAMES = ("Chosen", "The model\u2019s best")
#: What two traces that are compared are called.
COMPARED = ("A", "B")
# What an address says of an output.
_OUTPUTS = ("target", "prefix", "hypothesis")
#: The names of the kinds.
PAGES = ("text", "audio", "image", "prompt")
#: How many of a visitor's own sounds are kept, and as many pictures and opened files.
_KEPT = 3
#: So many traces of a visit are remembered; those of all visits take so many bytes, each for so long, in seconds.
MOST_SEEN, SEEN_BYTES, SEEN_SECONDS = 60, 512_000_000, 12 * 3600
#: Names the files that the server was started with, between `os.pathsep` (`opened.environment`).
OPEN = "XATTN_VIZ_OPEN"


@dataclass(frozen=True)
class Shown:
    """What is on screen: the segments of a query, the model's best output of the one in view, and the output in view.

    `trace` is what the explorer shows; `beside` is another trace in the same explorer, and `names` are what the two are
    called there.
    """

    query: Query
    traces: Traces
    best: Trace
    trace: Trace
    beside: Trace | None = None
    names: tuple[str, str] = NAMES


@contextmanager
def _alone(query: Query) -> Iterator[None]:
    yield


@dataclass(frozen=True)
class Kind:
    """What the models of a page read and make, the words in which the page speaks of it, and what the page is made of.

    `segment` is what a part of an input is called, `action` what a run does with it; `own` names an output that the
    visitor types (empty where none can be), `refusal` says why a model of another kind has no place here. `examples`
    are what the page begins with, `view` is what is looked at where no example says it. Inputs that have names are
    there by `names`; `named` looks one up; `completed` is a query with what its model needs besides, given the one
    before; `input_title` says what people call it. `text_field` is what a field of text is called, and what it says
    while it is empty. To be compared with, `seconds` are the inputs that ship, with what people call each, and
    `give_second` draws the ways to give another.

    Then its parts. In the row of controls: `before` the list of models, the `choice` of examples beside it, the
    `inputs`. In the line above the explorer: the `place` of a segment, a `control` of the output, a `mark` where the
    truth is known and a `remark` on what is shown. Above the explorer: `doubt` about what was made, a `notice` on what
    was asked. `panels` follow the view, `below` do not; `frame` holds all that is drawn below the line.
    `playback` is the sound to play with a trace (`explorer.Sound`), `other_playback` that of a second; `prepare` is
    called beside the first load of a model.
    """

    name: Literal["text", "audio", "image", "prompt"]
    reads: Literal["text", "audio", "image"]
    makes: Literal["text", "image"]
    segment: str
    action: str
    own: str
    refusal: str
    examples: Sequence[AnyExample]
    choice: Callable[[Query], None]
    inputs: Callable[[Query], None]
    input_title: Callable[[Query], str]
    remark: Callable[[Shown], str]
    text_field: tuple[str, str] = ("", "")
    view: View = field(default_factory=View)
    seconds: Callable[[], Mapping[tuple[Source, str], str]] = dict
    give_second: Callable[[Query], None] = lambda query: None
    names: Names | None = None
    completed: Callable[[Query, Query], Query] = lambda query, before: query
    named: Callable[[Query], Any] = lambda query: None
    before: Callable[[], None] = lambda: None
    place: Callable[[Trace], str] = lambda trace: ""
    control: Callable[[Query, Trace], None] = lambda query, best: None
    mark: Callable[[Shown], str] = lambda shown: ""
    doubt: Callable[[Shown], str] = lambda shown: ""
    notice: Callable[[Shown], str | None] = lambda shown: None
    playback: Callable[[Shown], Any] = lambda shown: None
    other_playback: Callable[[Shown], Any] = lambda shown: None
    prepare: Callable[[], object] = lambda: None
    panels: tuple[Callable[[Shown, View], None], ...] = ()
    below: tuple[Callable[[Shown], None], ...] = ()
    frame: Callable[[Query], AbstractContextManager[None]] = _alone

    def has(self, card: ModelCard) -> bool:
        """Whether a model belongs on the page."""
        return (card.input_kind, card.output_kind) == (self.reads, self.makes)

    def models(self) -> list[str]:
        """The names of the page's models that have a card: first those that need no download."""
        cards = [card for card in registry.cards() if self.has(card)]
        return [card.name for card in sorted(cards, key=lambda card: card.download_mb is not None)]


@dataclass(frozen=True)
class PageState:
    """What was asked on a page, what is looked at, and what came of it.

    `tab` is whether the map is shown or what was measured of its heads, `measurement` what of that was asked last.
    `segment` counts from 0; `is_beside` says that another output stands beside the model's best, `compared` is what the
    query is compared with, another one or the same. `first` is the view
    that what is shown began with, and `turn` another number where it begins so once more. `choices` counts the maps
    that the visitor chose in the explorer, as far as its script told, `first_choices` those before this was asked: a
    later one stays when the trace arrives. `history` holds the last query of each model, `outcomes` what came of the
    tasks of this query, `shown` what is on screen.
    """

    query: Query
    view: View = field(default_factory=View)
    segment: int = 0
    is_beside: bool = False
    compared: Query | None = None
    first: View = field(default_factory=View)
    turn: int = 0
    choices: int = 0
    first_choices: int = 0
    history: Mapping[str, Query] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    shown: Shown | None = None
    tab: Tab = "map"
    measurement: Measurement | None = None

    def begin(self, query: Query, view: View, segment: int = 0, *, is_beside: bool = False) -> PageState:
        """The state in which this was asked: runs of the query before are over."""
        again = (query, view, segment) == (self.query, self.first, self.segment)
        kept = tuple(one for one in self.outcomes if one.task.segment is None and one.task.query == query.best)
        return replace(
            self,
            query=query,
            view=view,
            segment=segment,
            is_beside=is_beside,
            first=view,
            turn=self.turn + again,
            first_choices=self.choices,
            outcomes=kept,
            measurement=None,
            history={**self.history, self.query.model: self.query.best},
        )

    def outcome_of(self, task: Task) -> Outcome | None:
        """What came of a task so far."""
        return next((outcome for outcome in self.outcomes if outcome.task == task), None)

    def with_outcome(self, outcome: Outcome) -> PageState:
        """The same with what came of a task by now."""
        others = (one for one in self.outcomes if one.task != outcome.task)
        return replace(self, outcomes=(*others, outcome))

    def with_measured(self, measurement: Measurement) -> PageState:
        """The same where the traces of a stopped run, which are kept nowhere else, have what was measured of them."""
        whose = measurement.whose
        return replace(
            self,
            outcomes=tuple(
                replace(one, traces=runner.with_evidence(one.traces, whose.number, measurement.added))
                if isinstance(one, Stopped) and one.task == whose.task and whose.number < len(one.traces)
                else one
                for one in self.outcomes
            ),
        )

    @property
    def asked(self) -> tuple[object, ...]:
        """What all of the page is drawn from; what else there is, parts of it follow by themselves."""
        return self.query, self.segment, self.is_beside, self.compared, self.first, self.turn, self.tab

    @property
    def running(self) -> Running | None:
        """The task that goes on."""
        return next((one for one in self.outcomes if isinstance(one, Running)), None)

    @property
    def unlinked(self) -> str:
        """Why no address shows somebody else what is shown here, in a sentence; empty where one does."""
        asked = [one for one in (self.query, self.compared) if one is not None]
        if given(asked):
            return "Only this visit has what you gave it: save the page as HTML to pass it on."
        texts = [text for one in asked for text in (one.output.target, one.input if one.source == "text" else "")]
        if max(map(len, texts)) >= runner.LONGEST_TEXT:
            return "This text is too long for a link: save the page as HTML to pass it on."
        return ""

    def returned(self, seen: PageState) -> PageState:
        """The state in which what was seen before is shown again, as it was looked at last."""
        again = self.begin(seen.query, seen.view, seen.segment, is_beside=seen.is_beside)
        return replace(again, outcomes=seen.outcomes, tab=seen.tab, compared=seen.compared)

    def address(self) -> dict[str, str]:
        """The parameters of an address that say it."""
        said = self.query.address()
        if self.query.source in said and self.segment:
            said["sentence" if self.query.source == "text" else "window"] = str(self.segment + 1)
        if self.is_beside and not self.query.output.is_best:
            said["beside"] = "true"
        if self.compared is not None:
            said |= runner.compared_address(self.query, self.compared)
        if self.tab != "map":
            said["tab"] = self.tab
        return said | self.view.format()


class Own(NamedTuple):
    """What only the visitor has: in which store of the visit, by which name."""

    store: str
    name: str
    what: Any


@dataclass(frozen=True)
class Seen:
    """A trace of a visit: on which page, that page as it was left, and what only the visitor had for it and its second.

    `number` counts them in the order in which they came.
    """

    number: int
    page: str
    state: PageState
    given: tuple[Own, ...] = ()

    @property
    def shown(self) -> Shown:
        """What was on screen."""
        if self.state.shown is None:
            raise RuntimeError("Nothing is remembered before it is on screen.")
        return self.state.shown


@dataclass
class Visit:
    """What holds for all pages of a visit: the one that is shown, what the visitor gave, allowed and set.

    `name` is what the visit is known by, in its own browser alone: what was seen of it is found by that after a reload.
    `is_away` says that the page shown has no kind, `address` what the address is to say from now on without a step in
    the history, `turn_to` the page that is to be shown instead. `own` are sounds and pictures of the visitor and files
    that were opened, by a digest of their bytes, `fault` what was wrong with the last file, and what was asked then.
    `chosen` is what was set on panels, `opened_head` the head that is open on the page about the layer
    (`open_in_layer.OpenedHead`), `layer` what the sections of that page keep.
    """

    name: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    kind: Kind | None = None
    place: tuple[str, str] = ("", "")
    is_away: bool = False
    address: dict[str, str] | None = None
    turn_to: str = ""
    fault: tuple[object, str] = (None, "")
    agreed: list[str] = field(default_factory=list)
    weights_allowed: set[str] = field(default_factory=set)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)
    opened_head: Any = None
    layer: dict[str, Any] = field(default_factory=dict)

    def keep(self, store: str, data: bytes, given: Any) -> str:
        """Keep what was made of these bytes; its name. Of older ones the last few stay, and what is in view."""
        name = name_of(data)
        self.keep_named(Own(store, name, given))
        return name

    def keep_named(self, *given: Own) -> None:
        """Keep what the visitor gave by its name, as `keep` does."""
        states: list[PageState | None] = [st.session_state.get(f"{page}-page") for page in PAGES]
        there = [state for state in states if state is not None]
        queries = [
            query for state in there for query in (state.query, state.shown and state.shown.query, state.compared)
        ]
        needed = {one.name for one in given} | {name for query in queries if query for name in query.names}
        for store, name, what in given:
            kept = self.own.setdefault(store, {})
            kept.setdefault(name, what)
            spare = [one for one in kept if one not in needed]
            for one in spare[: max(len(kept) - _KEPT, 0)]:
                del kept[one]


def name_of(data: bytes) -> str:
    """What bytes that a visitor gave are called: a digest."""
    return hashlib.sha256(data).hexdigest()[:16]


def given(asked: Iterable[Query]) -> tuple[Own, ...]:
    """What of the inputs of these queries only this visit has."""
    names = dict.fromkeys(name for one in asked for name in one.names)
    stores = visit().own.items()
    return tuple(Own(store, name, kept[name]) for name in names for store, kept in stores if name in kept)


def visit() -> Visit:
    """This visit."""
    found: Visit | None = st.session_state.get("visit")
    if found is None:
        found = st.session_state["visit"] = Visit()
        if os.environ.get(OPEN):
            from xattn_viz.app import opened  # few servers are started with files

            for one in reversed(opened.served()):
                for own in one.given:
                    found.own.setdefault("served", {})[own.name] = own.what
                remember(one.page, one.state)
    return found


def kind() -> Kind:
    """The kind of the page that is shown, or of the last one that had a kind."""
    found = visit().kind
    if found is None:
        raise RuntimeError("A page names its kind before anything else.")
    return found


@contextmanager
def standing_in(page: Kind) -> Iterator[None]:
    """Speak of this kind of page, for another page that shows what is of it."""
    here = visit()
    before, here.kind = here.kind, page
    try:
        yield
    finally:
        here.kind = before


def current() -> PageState:
    """The state of this page."""
    state: PageState = st.session_state[_key(kind())]
    return state


def put(state: PageState) -> PageState:
    """Make this the state of the page; what is on screen is remembered as it is looked at."""
    page = kind()
    st.session_state[_key(page)] = state
    shown = state.shown
    is_whole = shown is not None and any(shown.best is one for one in shown.traces[state.segment : state.segment + 1])
    if is_whole and shown is not None and shown.query == state.query:
        remember(page.name, state)
    return state


def enter(kind: Kind | None) -> None:
    """Make this the kind of the page, None where it is about no model's input.

    At first its state is what the address says; back from another page too or, where the address says nothing, what was
    here before: then the address says that from now on.
    """
    here = visit()
    was_away, here.is_away = here.is_away, kind is None
    if kind is None:
        return
    before, here.kind, here.place = here.place, kind, (kind.name, st.context.url or "")
    held: dict[str, str] | None = None
    if (state := st.session_state.get(_key(kind))) is None:
        said = read_address()
        if "served" in here.own and not before[0] and not runner.is_query(said):  # a visit begins with that file
            first = seen()[0]
            here.turn_to, held = first.page, first.state.address()
            st.session_state[f"{first.page}-page"] = first.state
        if st.session_state.get(_key(kind)) is None:
            put(said_by(said))
        else:
            here.turn_to = ""
            fill_in()
    elif was_away or before != here.place:
        if runner.is_query(said := read_address()):
            put(said_by(said, state))
        else:
            held = put(replace(state, first=state.view, first_choices=state.choices)).address()
        fill_in()
    here.address = held
    for name, value in _widgets(current().query).items():  # which forget what they held while another page is shown
        st.session_state.setdefault(name, value)


def said_by(said: Mapping[str, str], before: PageState | None = None) -> PageState:
    """The state that an address says, with the history of the one before."""
    page = kind()
    asked = None
    if QUESTION in said and "model" not in said and (found := next(filter(asks, page.models()), None)) is not None:
        said = {**said, "model": found}
    if "file" in said:
        from xattn_viz.app import opened  # which knows this module

        asked = opened.parse(said)
    asked = asked or runner.parse_query(
        said, default_queries(), lambda name: name in page.models() or may_be_named(name), page.names
    )
    if page.makes == "image":  # a drawing has no beams and no tokens
        asked = asked.best
        said = {name: value for name, value in said.items() if name.removeprefix("compare-") not in _OUTPUTS}
    example = example_of(asked)
    asked = page.completed(asked, asked)
    view = View.parse(said, view_of(example) if example else usual_view(asked.model))
    number = next((int(one) for name in ("sentence", "window") if _is_number(one := said.get(name, ""))), 1)
    state = before or PageState(asked)
    tab: Tab = "evidence" if said.get("tab") == "evidence" else "map"
    state = state.begin(asked, view, max(number, 1) - 1, is_beside=said.get("beside") == "true")
    compared = runner.parse_compared(said, asked, lambda name: name in page.models() or may_be_named(name), page.names)
    compared = compared and page.completed(compared, asked)
    if "compare-file" in said:
        from xattn_viz.app import opened

        compared = opened.parse(said, "compare-")
    state = replace(state, outcomes=(), tab=tab, compared=compared)
    if compared is not None and not {"row", "column"} & said.keys():
        state = replace(state, view=view.afresh(), first=view.afresh())  # rows of two have other numbers
    if compared is None and any(f"compare-{source}" in said for source in ("file", *(page.names or ()))):
        told = (
            "What this address compares with is not here: only the visit that gave it has it. Give it again in Compare."
        )
        visit().fault = state.asked, told
    return state


def may_be_named(name: str) -> bool:
    """Whether a name on no card could be a folder or a model to download."""
    return "/" in name or "\\" in name or any(family.downloads(name) for family in registry.families().values())


def default_queries() -> dict[str, Query]:
    """The first example of each model: what is shown before anything is typed, or any sound or picture given."""
    page = kind()
    defaults: dict[str, Query] = {}
    for example in page.examples:
        defaults.setdefault(example.model, query_of(example))
    if page.names is not None:  # every model hears the first clip, or sees the first scene
        first = query_of(page.examples[0])
        for name in page.models():
            defaults.setdefault(name, Query(name, first.input, first.source))
    return defaults


def query_of(example: AnyExample) -> Query:
    """What an example asks."""
    if isinstance(example, SpeechExample):
        return Query(example.model, example.slug, "sound")
    if isinstance(example, SceneExample | QuestionExample):
        return Query(example.model, example.slug, "picture", example.options)
    return Query(example.model, example.text)


def view_of(example: AnyExample) -> View:
    """What is worth seeing in an example."""
    view = View(layer=example.layer, head=example.head)
    if isinstance(example, SceneExample | QuestionExample):
        return replace(view, query=example.word)
    if isinstance(example, PromptExample):
        return replace(view, key=example.token)
    return replace(view, query=example.row) if isinstance(example, Example) else view


def example_of(asked: Query) -> AnyExample | None:
    """The example that a query is of by its model and what it reads, whatever its options where it has none."""
    plain = replace(asked.best, whole=False, options=())
    for example in kind().examples:
        if query_of(example) in (plain, replace(plain, options=asked.options)):
            return example
    return None


def usual_view(model: str) -> View:
    """What is looked at first of a model's output for an input of the visitor's: the head of its first example."""
    example = next((example for example in kind().examples if example.model == model), None)
    return replace(kind().view if example is None else view_of(example), query=None, key=None)


def fill_in() -> None:
    """Make the widgets hold what is asked for."""
    state = st.session_state
    for name, value in (_widgets(current().query) | {"example": None, "clip": None, "picture": None}).items():
        # Setting a field draws it anew, even to the same value, over what the visitor may be typing meanwhile.
        if state.get(name) != value:
            state[name] = value


def while_here(callback: Callable[_P, None]) -> Callable[_P, None]:
    """A callback that does nothing once the visitor has turned to a page without a kind.

    What a page's controls say may still come when another page is there already.
    """

    @wraps(callback)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> None:
        if not visit().is_away:
            callback(*args, **kwargs)

    return called


def _widgets(asked: Query) -> dict[str, str]:
    held = {"direction": asked.model}
    if asked.source == "file" and kind().reads == "text":
        return held | {"text": input_title(asked)}
    return held | {"text": asked.input} if asked.source == "text" else held


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def _key(kind: Kind) -> str:
    return f"{kind.name}-page"


def output_key(name: str) -> str:
    """Under which key a control of the output lives: another one for each output.

    The browser keeps the values of controls in a closed popover, and would send the last one anew.
    """
    state = current()
    return f"{name}-{hash((state.query, state.segment))}"


def read_address() -> dict[str, str]:
    """What the address says."""
    return st.query_params.to_dict()


def write_address(said: Mapping[str, str]) -> None:
    """Make the address say this: a step in the browser's history, where it said something else."""
    st.query_params.from_dict(dict(said))


_seen: TTLCache[tuple[str, str, Query], Seen] = TTLCache(
    SEEN_BYTES, SEEN_SECONDS, getsizeof=lambda seen: min(_bytes(seen), SEEN_BYTES)
)
_numbers = itertools.count(1)
_guard = threading.Lock()


def remember(page: str, state: PageState) -> None:
    """Remember what is on screen on a page, instead of the same as it was looked at before; the oldest goes first."""
    here = visit()
    key = here.name, page, state.query
    whole = tuple(one for one in state.outcomes if isinstance(one, Done | Stopped))
    left = replace(state, outcomes=whole, measurement=None)
    asked = [one for one in (state.query, state.compared) if one is not None]
    with _guard:
        before = _seen.get(key)
        kept = {
            one.name: one for one in (*given(asked)[::-1], *(before.given if before else ()))
        }  # first what all share
        own = tuple(kept[one.input] for one in asked if one.input in kept)
        if before is not None:
            _seen[key] = replace(before, state=left, given=own)
            return
        _seen[key] = Seen(next(_numbers), page, left, own)
        if len(mine := _of(here.name)) > MOST_SEEN:
            del _seen[min(mine, key=lambda one: _seen[one].number)]


def seen() -> list[Seen]:
    """What was seen in this visit and is still remembered, the last first."""
    with _guard:
        found = [_seen[key] for key in _of(visit().name)]
    return sorted(found, key=lambda one: -one.number)


def forget() -> None:
    """Remember nothing of what was seen in this visit."""
    with _guard:
        for key in _of(visit().name):
            del _seen[key]


def go_on_as(name: str) -> bool:
    """Let this visit be the one of that name, before a reload, where anything of that is remembered; whether it is."""
    here = visit()
    with _guard:
        if name == here.name or not _of(name):
            return name == here.name
        for key in _of(here.name):
            one = _seen.pop(key)
            _seen.setdefault((name, *key[1:]), replace(one, number=next(_numbers)))
        here.name = name
    return True


def give_back(one: Seen) -> None:
    """Let this visit have again what the visitor gave for something seen before."""
    visit().keep_named(*one.given)


def _of(name: str) -> list[tuple[str, str, Query]]:
    return [key for key in _seen if key[0] == name]


def _bytes(one: Seen) -> int:
    shown = one.shown
    made = [shown.traces, (shown.trace,), () if shown.beside is None else (shown.beside,)]
    made += [done.traces for done in one.state.outcomes if isinstance(done, Done | Stopped)]
    made += [traces for own in one.given if own.store == "files" for traces in own.what.made.values()]
    shared = [traces for own in one.given if own.store == "served" for traces in own.what.made.values()]
    by_all_visits = {id(trace) for traces in shared for trace in traces}
    traces = {id(trace): trace for some in made for trace in some if id(trace) not in by_all_visits}
    few = 10_000  # beside its traces
    return few + runner.size(tuple(traces.values())) + sum(len(getattr(own.what, "data", b"")) for own in one.given)


def unasked(query: Query) -> str:
    """Why nothing more can be asked of the model behind an opened file, in a sentence; empty where something can."""
    if query.source != "file":
        return ""
    from xattn_viz.app import opened  # which knows this module

    return opened.unasked(query)


def input_title(query: Query) -> str:
    """What people call the input of a query; of an opened file its text, or else the file's name."""
    if query.source != "file":
        return kind().input_title(query)
    from xattn_viz.app import opened  # which knows this module

    return opened.text_of(query)


#: The choice that opens a field for a model of one's own.
OTHER = ""
#: How wide a search can be asked to be.
_BEAMS = (1, 2, 3, 4, 5, 8, 16)
# The cards of models that were loaded, shared by all visitors; a list of choices shows only what its own visitor named.
_LOADED: dict[str, ModelCard] = {}


def choices(current: str) -> list[str]:
    """What the visitor may choose: the listed models, those loaded or asked for in this visit, and `OTHER`."""
    page, agreed = kind(), visit().agreed
    named = page.models()
    cards = {name: card_of(name) for name in agreed if name not in named}
    own = [name for name, card in cards.items() if card is not None and page.has(card)]
    return [*named, *dict.fromkeys([*own, *([] if current in named else [current])]), OTHER]


def title(name: str) -> str:
    """A model as the list shows it: what it does, its licence, and what has to be downloaded first."""
    if name == OTHER:
        return "Another model …"
    card = next((card for card in registry.cards() if card.name == name), None)
    if card is None:
        return visible_text(name)
    if card.download_mb is None:
        return card.title
    size = f"{card.download_mb} MB" if card.download_mb < 1000 else f"{card.download_mb / 1000:.1f} GB"
    return f"{card.title} · {card.licence} · downloads {size}"


def card_of(name: str) -> ModelCard | None:
    """The card of a model that is listed or has been loaded; only a loaded one knows all of its options."""
    return _LOADED.get(name) or next((card for card in registry.cards() if card.name == name), None)


def languages_of(trace: Trace) -> tuple[str, str]:
    """What a trace reads and what it writes, by name, as its model's card says; "" where no card does."""
    card = card_of(trace.model)
    chosen = tuple((name, str(value)) for name, value in trace.settings.items() if name.endswith("_language"))
    return ("", "") if card is None else _languages(card, chosen)


@lru_cache(maxsize=256)
def _languages(card: ModelCard, chosen: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    read, written = card.language("source", dict(chosen)), card.language("target", dict(chosen))
    return LANGUAGES.get(read or "", ""), LANGUAGES.get(written or "", "")


def knows_shapes(name: str) -> bool:
    """Whether a model learned nothing but coloured shapes, so that what is right is known."""
    return (card := card_of(name)) is not None and card.knows == "shapes"


def asks(name: str) -> bool:
    """Whether a model answers a question about what it reads."""
    return (card := card_of(name)) is not None and any(option.name == QUESTION for option in card.options)


def options_of(name: str) -> tuple[Option, ...]:
    """What can be chosen for a model: its own options, how wide it searches, and which attention it shows."""
    card = card_of(name)
    if card is None:
        return ()
    offered = [option for option in card.options if option.name != CROP]
    if card.most_beams > 1:
        choices = tuple(str(beams) for beams in _BEAMS if beams <= card.most_beams)
        offered.append(
            Option(BEAMS, "Beams", "1", "With two or more you can look at each output of the search.", choices)
        )
    if set(card.kinds) > set(card.at_once):
        offered.append(
            Option(SELF_ATTENTION, "Self-attention too", False, "How a text reads itself, beside cross-attention.")
        )
    return tuple(offered)


def cleaned(typed: str) -> str:
    """A hub name or a folder as it was typed or pasted; a folder always has a slash, which tells it from a word."""
    name = hub.name_in(typed.strip().strip("\"'"))
    is_known = any(card.name == name for card in registry.cards()) or may_be_named(name)
    return name if is_known or not name else f"./{name}"


def is_agreed(name: str) -> bool:
    """Whether this visitor chose a model: an address alone loads only the listed ones."""
    return name in kind().models() or name in visit().agreed


def agree(name: str) -> None:
    """The visitor chose this model."""
    agreed = visit().agreed
    if name not in agreed:
        agreed.append(name)


def allow_weights(name: str) -> None:
    """The visitor allows a model's weights to be read from a `.bin` file, as data only."""
    visit().weights_allowed.add(name)


def was_loaded(name: str) -> bool:
    """Whether a model has been loaded for a page before."""
    return name in _LOADED


def keep_card(name: str, card: ModelCard) -> None:
    """Keep the card of a model that was loaded by this name."""
    _LOADED.update({name: card, card.name: card})
