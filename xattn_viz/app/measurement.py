"""Asking something about the heads of a trace on a page: a button that says what it costs, how far it is, the answer.

What is asked runs in a thread of its own (`runner.Measurement`), is kept beside its trace, and is shown for that trace
only. What was found is drawn by the script of `web.evidence`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.app import actions, page_state, runner
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import PageState, Shown
from xattn_viz.app.runner import Measurement, Question, Task, Whose, Work
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import View
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled, ModelCard, ModelError
from xattn_viz.web import evidence as pack

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.3
#: What one run of a model over an output takes, in seconds, before one was timed here: of text, and of sound.
_RUN_SECONDS = {"text": 0.006, "audio": 0.09, "image": 0.02}
_ROUND_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300)
_FAULT = "This could not be measured: the program has a fault. The server\u2019s log says more."
#: Loads the model of what is on screen, in any thread.
Load = Callable[[runner.Report], Adapter]
_timed: dict[tuple[str, str], float] = {}  # seconds a run, by model and what was asked


@dataclass(frozen=True)
class About:
    """What the tab speaks of: what is on screen, whose trace it is, what is looked at, and what is being measured."""

    shown: Shown
    whose: Whose
    view: View
    card: ModelCard
    measurement: Measurement | None
    load: Load

    @property
    def trace(self) -> Trace:
        """The trace in view."""
        return self.shown.trace

    @property
    def is_busy(self) -> bool:
        """Whether something is being measured."""
        return self.measurement is not None and self.measurement.outcome is None

    @property
    def is_head(self) -> bool:
        """Whether a head of cross-attention is looked at."""
        return self.view.kind == "cross" and self.view.is_head

    @property
    def heads(self) -> list[tuple[int, int]]:
        """The heads of cross-attention, as (layer, head) from 0."""
        maps = self.trace.cross
        return [(layer, head) for layer in maps.layers for head in range(maps.n_heads)]

    def found(self, *question: str) -> Any:
        """What was found for a question; None where it was not asked."""
        return runner.measured(self.whose, question)


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_evidence", html='<div class="xv"></div>', css=web.css("evidence"), js=web.script("evidence")
    )


def whose_of(shown: Shown, state: PageState) -> Whose:
    """Which trace is in view."""
    content = registry.content(shown.query.model)
    if shown.trace is shown.best:
        return Whose(Task(shown.query.best), state.segment, content)
    return Whose(Task.of_output(shown.query, shown.best), 0, content)


def ask(about: About, label: str, question: Question, runs: int, work: Work, *, is_first: bool = False) -> Any:
    """What was found for a question; without an answer yet a button to ask, how far it is, or why there is none."""
    found, asked = runner.measured(about.whose, question), about.measurement
    if found is not None:
        return found
    is_asked = asked is not None and (asked.whose, asked.question) == (about.whose, question)
    if is_asked and asked is not None:
        if asked.outcome is None and not asked.look(0.1):
            follow(asked)
            return None
        if not isinstance(asked.outcome, Exception):
            _settle(asked)  # it ended just now
            st.rerun()
        explain(asked.outcome)
    st.button(
        literal(f"{label} · {_cost(about.card, question[0], runs)}"),
        key=f"ask-{'-'.join(question[:1])}",
        type="primary" if is_first else "secondary",
        disabled=about.is_busy and not is_asked,
        on_click=_begin,
        args=(about, question, runs, work),
    )
    return None


def _begin(about: About, question: Question, runs: int, work: Work) -> None:
    actions.measure(Measurement(about.whose, question, runs, about.load, work))


@st.fragment(run_every=_LOOK_SECONDS)
def follow(measurement: Measurement) -> None:
    """How far a measurement is, with a button to stop; at the end the page runs again and finds what was measured."""
    if measurement.look():
        _settle(measurement)
        st.rerun()
    share, said = measurement.progress
    with st.container(horizontal=True, vertical_alignment="center", key="progress-evidence"):
        st.progress(share, text=literal(said))
        st.button("Stop", key="stop-measuring", on_click=actions.stop_measuring)


def _settle(measurement: Measurement) -> None:
    """What was measured is of the trace that the page has; the next time it is known what it takes."""
    if measurement.seconds:
        name = measurement.whose.task.query.model
        _timed[name, measurement.question[0]] = measurement.seconds / max(measurement.runs, 1)
    page_state.put(page_state.current().with_measured(measurement))


def explain(error: Exception) -> None:
    """Say why there is no answer."""
    if isinstance(error, Cancelled):
        st.info("Stopped: nothing was measured.")
    elif isinstance(error, InputError | ModelError):
        st.error(literal(str(error)))
    else:
        _LOG.error("Measuring failed", exc_info=error)
        st.error(_FAULT)


def _cost(card: ModelCard, name: str, runs: int) -> str:
    """What a question costs in words, by what it took here before, or by how many runs it takes."""
    seconds = runs * (_timed.get((card.name, name)) or _RUN_SECONDS[card.input_kind])
    least = next((one for one in _ROUND_SECONDS if seconds <= one), _ROUND_SECONDS[-1])
    said = f"about {least} s" if least < 60 else f"about {least // 60} min"
    is_loaded = any(card.name == loaded for loaded, _ in registry.loaded())
    return said if is_loaded else f"{said} once the model is loaded"


def draw(data: dict[str, Any], key: str) -> None:
    """A figure; a click on a cell of a grid of heads chooses that head."""
    layers = data.pop("layers", ())

    def chosen() -> None:
        told: Any = (st.session_state.get(key) or {}).get("chosen")
        is_cell = isinstance(told, list | tuple) and len(told) == 2 and all(type(one) is int for one in told)
        if is_cell and 0 <= told[0] < len(layers) and 0 <= told[1] < len(data["columns"]):
            actions.choose_head(layers[told[0]], told[1])

    _component()(data=data, key=key, on_chosen_change=chosen)


def draw_heads(about: About, grid: HeadGrid, key: str, **more: Any) -> None:
    """The numbers of heads, with the one in view in a frame; `more` as in `web.evidence.head_grid`."""
    view = (about.view.layer, about.view.head) if about.view.kind == grid.kind else (None, None)
    draw(pack.head_grid(grid, view, **more) | {"layers": grid.layers}, key)


def heading(name: str, help_text: str) -> None:
    """What a card is about, and what its number does and does not show."""
    st.markdown(f"**{name}**", help=help_text)


def headline(text: str) -> None:
    """The number of a card, to be read from a distance."""
    st.markdown(f"#### {literal(text)}")


def key_of(about: About, name: str) -> str:
    """The key of a control that belongs to one trace."""
    return f"{name}-{hash(about.whose)}"
