"""From a request to its traces: shipped, remembered or traced now, with progress, a stop button and clear errors."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import examples
from xattn_viz.maps import AttentionMaps
from xattn_viz.models.base import Adapter, InputError, ModelError
from xattn_viz.models.gate import share_cores
from xattn_viz.trace import Trace
from xattn_viz.ui import asking, models
from xattn_viz.ui.address import Request
from xattn_viz.ui.page import literal

Traces = tuple[Trace, ...]
_LOG = logging.getLogger(__name__)

REMEMBERED_BYTES = 256_000_000
_FAULT = "This text could not be traced: the program has a fault. The server\u2019s log says more."
_BIN = (
    "has its weights only in PyTorch\u2019s older format (.bin). They are read as data, and no code in them is run. "
    "Load them only if you trust their authors."
)


@dataclass(frozen=True)
class Failure:
    """Why a request has no traces: a sentence, and whether the visitor's consent to `.bin` weights would help."""

    request: Request
    sentence: str
    consent: bool = False


class Remembered:
    """Traces by request, shared by all visitors; the least recently used go first. Safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Request, Traces] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, request: Request) -> Traces | None:
        """The traces of a request, if they are still here."""
        with self._lock:
            if request in self._kept:
                self._kept.move_to_end(request)
            return self._kept.get(request)

    def put(self, request: Request, traces: Traces) -> None:
        """Keep the traces of a request, and drop the oldest beyond the limit."""
        with self._lock:
            self._kept[request] = traces
            while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > self._limit:
                self._kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _remembered() -> Remembered:
    return Remembered(REMEMBERED_BYTES)


def traces(request: Request, line: DeltaGenerator) -> Traces | None:
    """The traces of a request; `line` shows the progress of a run.

    Where there are none a sentence on the page says why, and the last ones stay in view.
    """
    state = st.session_state
    problem = st.empty()
    found = _remembered().get(request) or _shipped(request)
    if found is None and state.get("stopped") == request:
        problem.info("Stopped. Press Translate to start again.")
    elif found is None and not models.is_agreed(request.model):
        _ask_first(request.model, problem)
    elif found is None:
        found = _found(request, line, problem)
    if found is not None:
        _remembered().put(request, found)
        state.shown = found
    shown: Traces | None = state.get("shown")
    return shown


def _found(request: Request, line: DeltaGenerator, problem: DeltaGenerator) -> Traces | None:
    """The traces of a run, or a sentence about why there are none. What failed runs again only when asked again."""
    state = st.session_state
    failure: Failure | None = state.get("failed")
    if failure is None or failure.request != request:
        outcome, has_news = _traced(request, line)
        if not isinstance(outcome, Failure):
            _remembered().put(request, outcome)
        state.failed = outcome if isinstance(outcome, Failure) else None
        if has_news:
            st.rerun()  # the controls above were drawn before the model's options were known
        if not isinstance(outcome, Failure):
            return outcome
        failure = outcome
    _explain(failure, problem)
    return None


def _explain(failure: Failure, problem: DeltaGenerator) -> None:
    with problem.container():
        st.error(literal(failure.sentence))
        if failure.consent:
            st.button("Load it anyway (weights only)", on_click=asking.allow_weights)


def _ask_first(model: str, problem: DeltaGenerator) -> None:
    with problem.container():
        st.info(literal(f"This address asks for the model {model}, which is not on the list."))
        st.button(f"Load {literal(model)}", on_click=asking.agree)


def _shipped(request: Request) -> Traces | None:
    for example in examples.EXAMPLES:
        if (example.model, example.text) == (request.model, request.text) and not request.options:
            try:
                trace = examples.load(example.slug)
            except ValueError as error:
                _LOG.warning("The shipped trace of %s is traced anew: %s", example.slug, error)
                return None
            return None if trace is None else (trace,)
    return None


def _traced(request: Request, line: DeltaGenerator) -> tuple[Traces | Failure, bool]:
    """A run, or why it failed; and whether the model turned out to have options that the page has not shown."""
    with line.container(horizontal=True, vertical_alignment="center", key="progress"):
        bar = st.progress(0.0, text="Loading the model …")
        st.button("Stop", on_click=_stop, args=(request,))
    has_news = False
    try:
        share_cores()
        model, has_news = models.load(request.model, bar.progress)
        settings = _settings(model, request)
        return tuple(model.traces(request.text, **settings, on_step=_progress(bar.progress))), has_news
    except (InputError, ModelError) as error:
        if models.wants_consent(error):
            return Failure(request, f"{request.model} {_BIN}", consent=True), has_news
        return Failure(request, str(error)), has_news
    except Exception:
        _LOG.exception("Tracing failed")
        return Failure(request, _FAULT), has_news
    finally:
        line.empty()


def _settings(model: Adapter, request: Request) -> dict[str, Any]:
    """The keywords of `traces`. An address can name any option: only those that the model declares count."""
    declared = {option.name for option in model.card.options}
    options = {name: value for name, value in request.options if name in declared}
    # A few architectures run with the library's own attention only, which does not hand out q and k.
    native = getattr(getattr(model, "runner", None), "native", False)
    return {**options, "whole_text": request.whole, "keep_projections": not native}


def _progress(draw: Callable[..., object]) -> Callable[[int, int], bool]:
    """Reports steps on the page. Drawing is also where Streamlit ends a run that was stopped or asked anew."""
    last, sentence = 0.0, 0

    def on_step(done: int, total: int) -> bool:
        nonlocal last, sentence
        sentence += done == 0 and total > 0
        if time.monotonic() - last > models.PROGRESS_SECONDS:
            last = time.monotonic()
            draw(min(done / max(total, 1), 1.0), text=f"Sentence {sentence}: {done} tokens written")
        return True

    return on_step


def _stop(request: Request) -> None:
    st.session_state.stopped = request


def _size(traces: Traces) -> int:
    return sum(_bytes(maps) for trace in traces for maps in trace.maps)


def _bytes(maps: AttentionMaps) -> int:
    kept = maps.projections
    return maps.weights.nbytes + (kept.queries.nbytes + kept.keys.nbytes if kept else 0)
