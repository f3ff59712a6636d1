"""From a request to its traces: shipped, remembered or traced now, with progress, a stop button and clear errors."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import examples
from xattn_viz.maps import AttentionMaps
from xattn_viz.models import registry
from xattn_viz.models.base import InputError, ModelError
from xattn_viz.models.gate import share_cores
from xattn_viz.trace import Trace
from xattn_viz.ui.address import Request
from xattn_viz.ui.page import literal

Traces = tuple[Trace, ...]
_LOG = logging.getLogger(__name__)

REMEMBERED_BYTES = 256_000_000
#: Between two signs of progress: drawing more often would slow the run down.
PROGRESS_SECONDS = 0.1


class Remembered:
    """Traces by request, shared by all visitors; the least recently used go first. Safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str, bool], Traces] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, request: Request) -> Traces | None:
        """The traces of a request, if they are still here."""
        with self._lock:
            key = (request.model, request.text, request.whole)
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, request: Request, traces: Traces) -> None:
        """Keep the traces of a request, and drop the oldest beyond the limit."""
        with self._lock:
            self._kept[(request.model, request.text, request.whole)] = traces
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
    elif found is None:
        found = _traced(request, line, problem)
    if found is not None:
        _remembered().put(request, found)
        state.shown = found
    shown: Traces | None = state.get("shown")
    return shown


def _shipped(request: Request) -> Traces | None:
    for example in examples.EXAMPLES:
        if (example.model, example.text) == (request.model, request.text):
            try:
                trace = examples.load(example.slug)
            except ValueError as error:
                _LOG.warning("The shipped trace of %s is traced anew: %s", example.slug, error)
                return None
            return None if trace is None else (trace,)
    return None


def _traced(request: Request, line: DeltaGenerator, problem: DeltaGenerator) -> Traces | None:
    with line.container(horizontal=True, vertical_alignment="center", key="progress"):
        bar = st.progress(0.0, text="Loading the model …")
        st.button("Stop", on_click=_stop, args=(request,))
    try:
        share_cores()
        model = registry.load(request.model)
        return tuple(
            model.traces(request.text, whole_text=request.whole, keep_projections=True, on_step=_progress(bar.progress))
        )
    except (InputError, ModelError) as error:
        problem.error(literal(str(error)))
    except Exception:
        _LOG.exception("Tracing failed")
        problem.error("This text could not be traced: the program has a fault. The server\u2019s log says more.")
    finally:
        line.empty()
    return None


def _progress(draw: Callable[..., object]) -> Callable[[int, int], bool]:
    """Reports steps on the page. Drawing is also where Streamlit ends a run that was stopped or asked anew."""
    last, sentence = 0.0, 0

    def on_step(done: int, total: int) -> bool:
        nonlocal last, sentence
        sentence += done == 0 and total > 0
        if time.monotonic() - last > PROGRESS_SECONDS:
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
