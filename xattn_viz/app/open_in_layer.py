"""From a weight that was clicked on a map to the same head on the page about the layer, and back.

The address of that page says which weight is meant and on which page it was, so that it outlives a reload.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import numpy as np
import streamlit as st

from xattn_viz.app import drawing_page, page_state, picture_page, runner, sound_page, text_page
from xattn_viz.app.page import PAGES, literal, shortened
from xattn_viz.app.page_state import Kind, PageState
from xattn_viz.app.runner import Task
from xattn_viz.app.trace_page import NotAgreed, load
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.lessons.real_head import RealHead, real_head
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.registry import share_cores

#: The parameters of the address: the page that a head is of with its own address, and the weight, counted from 1.
OF, CELL = "of", "cell"
_PAGES: dict[str, tuple[Kind, str]] = {
    "translate": (text_page.KIND, "Translate"),
    "speech": (sound_page.KIND, "Speech"),
    "images": (picture_page.KIND, "Images"),
    "draw": (drawing_page.KIND, "Draw"),
}
_NO_WEIGHT = "There is no such weight in this trace."
_CELL = re.compile(r"(cross|encoder|decoder)" + 4 * r"\.([1-9]\d{0,4})", re.ASCII)


@dataclass(frozen=True)
class Cell:
    """A weight of a trace: the kind of its map, the model's own number of the layer, head, row and column, from 0."""

    kind: MapKind
    layer: int
    head: int
    row: int
    column: int

    def __str__(self) -> str:
        numbers = (self.layer, self.head, self.row, self.column)
        return ".".join([self.kind, *(str(number + 1) for number in numbers)])


@dataclass(frozen=True)
class OpenedHead:
    """A head that was opened on the page about the layer.

    `said` is what the address says of it, `source` what it is of in words, `fault` what is wrong with its model.
    """

    said: tuple[str, str]
    head: RealHead
    source: str
    fault: str | None


def show(trace: Trace, told: Any) -> None:
    """Turn to that page with the head that the explorer's script tells of, or say why that cannot be had."""
    name = next(name for name, (kind, _) in _PAGES.items() if kind is page_state.kind())
    state = page_state.current()
    try:
        if state.query.source == "file":
            check_file(state, trace)
        with st.spinner("Computing this head\u2019s queries and keys \u2026"):
            cell = cell_of(trace, told)
            opened = _opened((address_of(name, state), str(cell)), state, trace, cell)
    except ModelError as error:
        st.error(literal(str(error)))
        return
    page_state.visit().opened_head = opened
    st.switch_page(PAGES / "layer.py", query_params={"section": "steps", OF: opened.said[0], CELL: opened.said[1]})


def check_file(state: PageState, trace: Trace) -> None:
    """Raise ModelError where a model would have to run that is not known to have made an opened file."""
    from xattn_viz.app import opened

    if any(maps.projections is None for maps in trace.maps) and (reason := opened.unasked(state.query)):
        raise ModelError(f"The queries and keys of this head are not in the file. {reason}")


def address_of(name: str, state: PageState) -> str:
    """The address of a page by its name; only the name where no address can say what was asked, a long text."""
    said = state.address()
    return f"{name}?{urlencode(said)}" if state.query.source in said else name


def opened_head() -> OpenedHead | None:
    """The head that the address of the page names, if it names one; its trace is made again where it is not kept.

    Raises InputError or ModelError, in a sentence, where it cannot be had.
    """
    of, cell = st.query_params.get(OF), st.query_params.get(CELL)
    if of is None or cell is None:
        return None
    here = page_state.visit()
    opened: OpenedHead | None = here.opened_head
    if opened is None or opened.said != (of, cell):
        opened = here.opened_head = _read(of, cell)
    return opened


def back() -> tuple[str, Path, dict[str, str]] | None:
    """Where the address says that a head comes from: the title of the page, its script, and its own address."""
    name, _, said = st.query_params.get(OF, "").partition("?")
    return (_PAGES[name][1], PAGES / f"{name}.py", dict(parse_qsl(said))) if name in _PAGES else None


def close() -> None:
    """The address is to name no head any more."""
    for name in (OF, CELL):
        st.query_params.pop(name, None)


def cell_of(trace: Trace, told: Any) -> Cell:
    """The weight that the explorer's script names.

    `told` holds `kind`, `layer` (the model's own number), `head`, and the positions, `rows` and `columns`, that are one
    row and one column there; the strongest pair of them is meant. Raises ModelError where there is no such weight.
    """
    try:  # what comes from a browser may be anything
        maps = trace.of_kind(told["kind"])
        layer, head = int(told["layer"]), int(told["head"])
        weights = maps.head(layer, head)
        rows, columns = np.array(told["rows"], np.intp), np.array(told["columns"], np.intp)
        among = weights[np.ix_(rows, columns)]
        row, column = np.unravel_index(among.argmax(), among.shape)
        cell = Cell(maps.kind, layer, head, int(rows[row]), int(columns[column]))
        if min(cell.layer, cell.head, cell.row, cell.column) < 0:
            raise IndexError("Positions are counted from the beginning.")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(_NO_WEIGHT) from error
    return cell


def head_of(trace: Trace, cell: Cell) -> tuple[RealHead, str | None]:
    """The head of a weight, and what is wrong with its model, where something is.

    The trace is run again where its queries and keys were not kept. Raises ModelError where they cannot be had.
    """
    try:
        before = trace.of_kind(cell.kind)
    except (KeyError, ValueError) as error:
        raise ModelError(_NO_WEIGHT) from error
    again = registry.with_projections(trace)
    maps = again.of_kind(cell.kind)
    if maps.queries.labels != before.queries.labels:
        raise ModelError("The model was run again for its queries and keys, and wrote something else this time.")
    try:
        return real_head(maps, cell.layer, cell.head, cell.row, cell.column), again.fault
    except ValueError as error:
        raise ModelError(_NO_WEIGHT) from error


def _opened(said: tuple[str, str], state: PageState, trace: Trace, cell: Cell) -> OpenedHead:
    head, fault = head_of(trace, cell)
    model = page_state.title(state.query.model).partition(" · ")[0]
    texts = (page_state.input_title(state.query), trace.output)
    return OpenedHead(said, head, f"{model}: {' → '.join(f'“{shortened(text)}”' for text in texts if text)}", fault)


def _read(of: str, cell: str) -> OpenedHead:
    """The head that an address names."""
    (name, _, address), found = of.partition("?"), _CELL.fullmatch(cell)
    if name not in _PAGES or found is None:
        raise InputError("This address names no head: click a weight on another page, and go on from there.")
    (kind, title), said = _PAGES[name], dict(parse_qsl(address))
    layer, head, row, column = (int(number) - 1 for number in found.groups()[1:])
    with page_state.standing_in(kind):
        state = page_state.said_by(said)
        if not state.query.address().items() <= said.items():  # a long text, or a file of another visit
            raise InputError(f"What this head is of is not here any more: open it again on {title}.")
        card = page_state.card_of(state.query.model)
        if card is not None and "project" not in card.can:  # no model runs to be told so
            raise ModelError("This model shows its weights only, not the queries and keys behind them.")
        return _opened((of, cell), state, _trace_of(state), Cell(cast(MapKind, found[1]), layer, head, row, column))


def _trace_of(state: PageState) -> Trace:
    """The trace that a state shows: kept, shipped, or made now."""
    traces, page = _traces(Task(state.query.best)), page_state.kind()
    best = traces[min(state.segment, len(traces) - 1)]
    if state.query.output.is_best or page.makes == "image":
        return best
    return _traces(Task.of_output(state.query, best))[0]


def _traces(task: Task) -> runner.Traces:
    query, kind = task.query, page_state.kind()
    content = registry.content(query.model)
    if traces := runner.kept(task, content) or runner.shipped(task):
        return traces
    if query.source == "file":
        from xattn_viz.app import opened

        if traces := opened.traces(task):
            return traces
    if not page_state.is_agreed(query.model):
        raise NotAgreed(query.model)
    line = st.empty()

    def on_step(done: int, total: int) -> bool:  # drawing is where Streamlit ends a run whose visitor has left
        line.progress(min(done / max(total, 1), 1.0), text="Running the model \u2026")
        return True

    share_cores()
    line.progress(0.0, text="Loading the model \u2026")
    adapter = load(query.model, kind, lambda share, said: None)
    task = replace(task, named=kind.named(query) if task.segment is None else None)
    traces = tuple(task.traces(adapter, on_step=on_step))
    line.empty()
    runner.keep(task, adapter.content, traces)
    return traces
