"""Traces that files hold, on the pages: saved traces and visits, what other programs saved, what a server started with.

An opened file is shown as it is, nothing of it is run again. What more can be asked of its model is asked only where
that is a model of the page, by its name and its weights.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from xattn_viz.app import page_state, pictures, runner
from xattn_viz.app.page_state import OPEN, Own, PageState, Seen, Shown
from xattn_viz.app.runner import BEAMS, MASK, SELF_ATTENTION, START, STRENGTH, Done, Query, Task, Traces
from xattn_viz.core import store
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.inputs import InputError
from xattn_viz.models.base import ModelError
from xattn_viz.models.provenance import Identity
from xattn_viz.web import explorer
from xattn_viz.web.explorer.beside import check_beside

_LOG = logging.getLogger(__name__)
#: A saved visit is a ZIP of traces as `core.store` writes them, and of a JSON object of this name that lists them.
LIST, FORMAT, VERSION = "visit.json", "xattn_viz visit", 1
#: What is opened on a page may unpack to so many bytes, a list of traces to so many.
MOST_BYTES, _MOST_LISTED = 256_000_000, 4_000_000
_MOST_TRACES = 1000
# The other traces of an entry of that list: an output that is not the model's best, what it is compared with.
_OUTPUT, _SECOND = "output", "second"
# What ZIP raises on damage.
_DAMAGE = (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)
_UNSHOWN = "holds a trace that cannot be shown"
_PICKLED = (
    "is a pickle, which can run any program when it is opened, so it is not. Where it was made, load it and save what "
    "is in it: xv.save(xv.from_attention(…), “trace.npz”)."
)


@dataclass(frozen=True)
class Opened:
    """What a file held that was opened: its name, the page that it belongs on, and its traces by what they stand for.

    `query` stands for it on that page: its `input` is a digest of the file.
    """

    title: str
    page: str
    query: Query
    made: Mapping[Task, Traces]

    @property
    def traces(self) -> Traces:
        """Those of its segments."""
        return self.made[Task(self.query)]


def environment(paths: Sequence[str | Path]) -> dict[str, str]:
    """The environment in which a server starts with these files open, each a saved trace or a saved visit.

    Every visit then begins with the first of them, and its history holds the others. Raises InputError, in a sentence,
    for a file that is not there or cannot be shown.
    """
    if not paths:
        raise InputError(
            "Name the file to open: a saved trace (.npz), a saved visit (.zip), or one of another program."
        )
    for path in paths:
        if os.pathsep in str(path):
            raise InputError(f"{quoted(str(path))} cannot be opened: its name holds {os.pathsep!r}.")
        _read_path(Path(path))
    return {OPEN: os.pathsep.join(str(Path(path).absolute()) for path in paths)}


@cache
def served() -> tuple[Seen, ...]:
    """What the files hold that this server was started with; one that cannot be read now is told in the log."""
    found = list[Seen]()
    for path in os.environ.get(OPEN, "").split(os.pathsep):
        try:
            found += _read_path(Path(path)) if path else []
        except InputError as error:
            _LOG.warning("Not opened: %s", error)
    return tuple(found)


def _read_path(path: Path) -> list[Seen]:
    try:
        return read(path.read_bytes(), path.name)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{quoted(str(path))} cannot be opened: {said}.") from error


def take(data: bytes, title: str) -> None:
    """Show what a file holds, on the page of its kind; of one that cannot be shown say why, and change nothing."""
    from xattn_viz.app import actions

    here = page_state.visit()
    try:
        found = read(data, title)
    except InputError as error:
        here.fault = page_state.current().asked, str(error)
        return
    for one in reversed(found):
        here.keep_named(*one.given)
        page_state.remember(one.page, one.state)
    actions.return_to(found[0])


def read(data: bytes, title: str) -> list[Seen]:
    """What a file of this name holds, each as it is to be looked at first: one trace, or those of a saved visit.

    The trace is one that was saved here, or made of what another program saved (`foreign.attention_files`).

    Nothing in it is run, and at most `MOST_BYTES` are unpacked. Raises InputError in one sentence that names the file.
    """
    from xattn_viz.foreign import attention_files  # of other programs: nobody else waits for it

    if attention_files.is_pickle(data):
        raise InputError(f"{quoted(title)} {_PICKLED}")
    if attention_files.is_foreign(data):
        if len(data) > MOST_BYTES:
            raise InputError(f"{quoted(title)} has more than the {MOST_BYTES:,} bytes that are opened at once.")
        trace = attention_files.read_attention(data, title, max_bytes=MOST_BYTES)
        return [_seen(title, _Saved(data, (trace,)))]
    if not data.startswith(b"PK"):
        raise InputError(f"{quoted(title)} is no saved trace (.npz) and no saved visit (.zip).")
    try:
        saved = _listed(data)
        if saved is None:
            trace = store.load_trace(data, max_bytes=MOST_BYTES)
            return [_seen(title, _Saved(data, (trace,)))]
        return [_seen(title, one) for one in saved]
    except ValueError as error:
        said = str(error).replace("These bytes cannot", f"{quoted(title)} cannot", 1)
        raise InputError(said if said.startswith(quoted(title)) else f"{quoted(title)} {said}") from error


@dataclass(frozen=True)
class _Saved:
    """A trace of a file: its bytes, by which it is known, its segments, another output, what an address said of it.

    `second` is what it was compared with.
    """

    data: bytes
    traces: Traces
    other: Trace | None = None
    second: Trace | None = None
    said: Mapping[str, str] = field(default_factory=dict)


def _listed(data: bytes) -> list[_Saved] | None:
    """What a saved visit holds; None for a file of another kind. Raises ValueError where it is damaged."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGE:
        return None  # no visit, and `load_trace` says what is wrong with it as a trace
    if LIST not in archive.namelist():
        return None
    try:
        if archive.getinfo(LIST).file_size > _MOST_LISTED:
            raise ValueError("holds a list that is too long.")
        said = json.loads(archive.read(LIST).decode(errors="replace"))
        if said["format"] != FORMAT or said["version"] != VERSION:
            raise ValueError(f"is a saved visit of version {said['version']!r}: this program reads version {VERSION}.")
        left, found = MOST_BYTES, list[_Saved]()
        for entry in said["traces"][: page_state.MOST_SEEN]:
            found.append(_read_entry(archive, entry, left))
            left -= runner.size((*found[-1].traces, *filter(None, [found[-1].other, found[-1].second])))
    except json.JSONDecodeError as error:
        raise ValueError("is a saved visit whose list is damaged.") from error
    except (KeyError, TypeError, AttributeError, *_DAMAGE) as error:
        raise ValueError(f"is a saved visit that is damaged: {error}.") from error
    if not found:
        raise ValueError("is a saved visit that holds no trace.")
    return found


def _read_entry(archive: zipfile.ZipFile, said: Mapping[str, Any], most: int) -> _Saved:
    further = [said[name] for name in (_OUTPUT, _SECOND) if said.get(name)]
    names = [*said["files"], *further]
    if sum(archive.getinfo(name).file_size for name in names) > most or len(names) > _MOST_TRACES:
        raise ValueError(f"unpacks to more than the {MOST_BYTES:,} bytes that are opened at once.")
    packed, read = [archive.read(name) for name in names], list[Trace]()
    for member in packed:
        read.append(store.load_trace(member, max_bytes=most))
        most -= runner.size((read[-1],))
    count = len(said["files"])
    if not count:
        raise ValueError("is a saved visit that holds an entry without a trace.")
    address = {str(name): str(value) for name, value in dict(said["address"]).items()}
    others = dict(zip(further, read[count:], strict=True))
    other, second = (others.get(said.get(name, "")) for name in (_OUTPUT, _SECOND))
    return _Saved(b"".join(packed), tuple(read[:count]), other, second, address)


def _seen(title: str, saved: _Saved) -> Seen:
    """An opened trace as it is looked at first. Raises ValueError where it cannot be shown."""
    traces, other, said = saved.traces, saved.other, saved.said
    for trace in (*traces, *filter(None, [other, saved.second])):
        _check(trace)
    name, number = hashlib.sha256(saved.data).hexdigest()[:16], said.get("sentence", said.get("window", "1"))
    query = asked = Query(traces[0].model, name, "file", _options(traces[0]))
    is_number = number.isascii() and number.isdigit() and len(number) < 5
    segment = min(max(int(number), 1) if is_number else 1, len(traces)) - 1
    best = traces[segment]
    made: dict[Task, Traces] = {Task(query): traces}
    if other is not None:
        asked = replace(query, output=runner.parse_output(said))
        made[Task.of_output(asked, best)] = (other,)
    if other is None or asked == query:
        shown = Shown(query, traces, best, best)
    else:
        shown = Shown(asked, traces, best, other, beside=best if said.get("beside") == "true" else None)
    page = _page_of(traces[0])
    given = [Own("files", name, Opened(title, page, query, made))]
    compared: Query | None = None
    if saved.second is not None:
        check_beside(shown.trace, saved.second)
        compared = Query(saved.second.model, f"{name}-second", "file", _options(saved.second))
        second = {Task(compared): (saved.second,)}
        given.append(Own("files", compared.input, Opened(title, page, compared, second)))
        shown = replace(shown, beside=saved.second, names=page_state.COMPARED)
    view = View.parse(said, _first_view(traces[0])).on(shown.trace)
    state = PageState(
        asked,
        view,
        segment,
        is_beside=shown.names == page_state.NAMES and shown.beside is not None,
        compared=compared,
        first=view,
        shown=shown,
        outcomes=tuple(Done(task, of) for own in given for task, of in own.what.made.items()),
    )
    begun = [one for trace in (traces[0], saved.second) if trace is not None for one in _begun(trace).values()]
    return Seen(0, page, state, (*given, *begun))


def _first_view(trace: Trace) -> View:
    """Its first head; of a picture all heads together, as its pages begin."""
    is_picture = any(axis.kind == "image" for axis in (trace.cross.queries, trace.cross.keys))
    return View(layer=None, head="mean") if is_picture else View(layer=trace.cross.layers[0])


def _check(trace: Trace) -> None:
    """Raise ValueError where the pages cannot show a trace."""
    try:
        trace.cross.layers[0]
        explorer.pack(trace)
    except Exception as error:  # a file can hold anything that is a trace by its parts
        _LOG.info("A file's trace cannot be shown.", exc_info=error)
        said = str(error).rstrip(".") if isinstance(error, ValueError) else type(error).__name__
        raise ValueError(f"{_UNSHOWN}: {said}.") from error


def _page_of(trace: Trace) -> str:
    """The name of the kind of page that shows such traces."""
    rows, columns = trace.cross.queries.kind, trace.cross.keys.kind
    if "audio" in (rows, columns):
        return "audio"
    if rows == "image":
        return "prompt"
    return "image" if "image" in (rows, columns) or "latent" in (rows, columns) else "text"


def _options(trace: Trace) -> tuple[tuple[str, str | bool], ...]:
    """The options that a trace was made with, as a query has them: those that differ from its model's own."""
    usual = {option.name: option.default for option in page_state.options_of(trace.model)}
    said: dict[str, Any] = {name: value for name, value in trace.settings.items() if name in usual}
    if BEAMS in said:
        said[BEAMS] = str(said[BEAMS])
    if START in trace.settings:
        said |= {name: own.name for name, own in _begun(trace).items()} | {STRENGTH: str(trace.settings.get(STRENGTH))}
    if SELF_ATTENTION in usual:
        said[SELF_ATTENTION] = any(maps.kind == "encoder" for maps in trace.maps)
    kept = {name: value for name, value in said.items() if isinstance(value, str | bool) and value != usual.get(name)}
    return tuple(sorted(kept.items()))


def _begun(trace: Trace) -> dict[str, Own]:
    """The pictures that a drawing began as, by their keywords, as ones that the visitor gave."""
    urls = {name: url for name in (START, MASK) if isinstance(url := trace.settings.get(name), str)}
    if not urls:
        return {}
    from xattn_viz.models.families.diffusion.start import data_of  # nobody else waits for it

    found = dict[str, Own]()
    for name, url in urls.items():
        with suppress(InputError):  # what is no picture is told where the drawing is run again
            data = data_of(url)
            found[name] = Own("pictures", page_state.name_of(data), pictures.Given(f"{name}.png", data))
    return found


def pack(entries: Sequence[Seen]) -> bytes:
    """A saved visit, which `read` reads back: every trace as an NPZ, and what was looked at in each, as an address."""
    said, packed = list[dict[str, Any]](), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # an NPZ is compressed already

        def put(name: str, data: bytes) -> str:
            archive.writestr(zipfile.ZipInfo(name), data)  # dated 1980, not now: equal visits give equal bytes
            return name

        for number, one in enumerate(entries, 1):
            shown = one.shown
            files = [
                put(f"{number:02}-{part:03}.npz", store.to_bytes(trace)) for part, trace in enumerate(shown.traces, 1)
            ]
            entry: dict[str, Any] = {"page": one.page, "address": one.state.address(), "files": files}
            second = shown.beside if shown.names == page_state.COMPARED else None
            for name, other in ((_OUTPUT, shown.trace if shown.trace is not shown.best else None), (_SECOND, second)):
                if other is not None:
                    entry[name] = put(f"{number:02}-{name}.npz", store.to_bytes(other))
            said.append(entry)
        put(LIST, json.dumps({"format": FORMAT, "version": VERSION, "traces": said}, indent=1).encode())
    return packed.getvalue()


def parse(said: Mapping[str, str], beginning: str = "") -> Query | None:
    """What an address asks of an opened file of this visit; None where there is no such file on this page.

    It says so in parameters whose names have this `beginning`.
    """
    named = {name.removeprefix(beginning): value for name, value in said.items() if name.startswith(beginning)}
    file = _find(named.get("file", ""))
    if file is None or file.page != page_state.kind().name:
        return None
    return replace(file.query, output=runner.parse_output(named))


def _find(name: str) -> Opened | None:
    own = page_state.visit().own
    found: Opened | None = own.get("files", {}).get(name) or own.get("served", {}).get(name)
    return found


def traces(task: Task) -> Traces | None:
    """The traces of a task that its file holds; None where it holds none, or is not here any more."""
    file = _find(task.query.input)
    return None if file is None else file.made.get(task)


def text_of(query: Query) -> str:
    """The text that an opened file is of, or else the file's name; empty where it is not here any more."""
    if (file := _find(query.input)) is None:
        return ""
    texts = [trace.input for trace in file.traces if isinstance(trace.input, str)]
    return " ".join(texts) or file.title


def title_of(query: Query) -> str:
    """The name of an opened file; empty where it is not here any more."""
    return "" if (file := _find(query.input)) is None else file.title


def remark(query: Query) -> str:
    """Which file is shown, and why nothing more can be asked of its model, where nothing can."""
    file = _find(query.input)
    return " ".join(filter(None, (f"Opened from {file.title}." if file else "", unasked(query))))


def unasked(query: Query) -> str:
    """Why nothing more can be asked of the model that made a file, in a sentence; empty where something can."""
    if (file := _find(query.input)) is None:
        return "This file is not here any more: open it again."
    trace, page = file.traces[0], page_state.kind()
    card = page_state.card_of(trace.model)
    if not trace.model and trace.cross.title:
        return "No model made it: nothing more can be asked of it."
    if not trace.model or not page_state.is_agreed(trace.model) or (card is not None and not page.has(card)):
        name = f"Made by {trace.model}, which" if trace.model else "What made it"
        return f"{name} is no model on the list: nothing more can be asked of it."
    if "weights_sha256" not in trace.provenance or not trace.settings:
        return "It does not say how it was made: nothing more can be asked of its model."
    return ""


def same(load: Callable[[runner.Report], Any], query: Query) -> Callable[[runner.Report], Any]:
    """What loads the model of a file, and raises ModelError where its weights are not those that made the file."""
    file, reason = _find(query.input), unasked(query)

    def begin(report: runner.Report) -> Any:
        if file is None or reason:
            raise ModelError(reason)
        model = load(report)
        digest, own = file.traces[0].provenance.get("weights_sha256"), _identity(model)
        if own is None or own.weights_sha256 != digest:
            raise ModelError(
                f"This file was made with other weights of {model.card.title} (sha256 {str(digest)[:12]}…): nothing "
                "more can be asked of it here."
            )
        return model

    return begin


def _identity(model: Any) -> Identity | None:
    """Which weights a loaded model has; some adapters hold that with their network."""
    found = getattr(model, "identity", None) or getattr(getattr(model, "model", None), "identity", None)
    return found if isinstance(found, Identity) else None


def asked_anew(query: Query) -> Query:
    """The same asked of the model itself: for the text of a file, or else for what the page begins with."""
    defaults = page_state.default_queries()
    usual = defaults.get(query.model, next(iter(defaults.values())))
    if page_state.kind().reads != "text":
        return usual
    return Query(usual.model if unasked(query) else query.model, text_of(query), options=query.options)
