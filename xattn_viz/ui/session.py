"""From a request to its traces: shipped, remembered or traced now, with progress, a stop button and clear errors."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import streamlit as st

from xattn_viz import examples
from xattn_viz.models import registry
from xattn_viz.models.base import InputError, ModelError
from xattn_viz.trace import Trace
from xattn_viz.ui.address import Request
from xattn_viz.ui.page import literal

Traces = tuple[Trace, ...]

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


def traces(request: Request) -> Traces | None:
    """The traces of a request. Where there are none a sentence on the page says why, and the last ones stay in view."""
    state = st.session_state
    found = _remembered().get(request) or _shipped(request)
    if found is None and state.get("stopped") != request:
        found = _traced(request)
        if found is not None:
            _remembered().put(request, found)
    elif found is None:
        st.info("Stopped. Press Translate to start again.")
    if found is not None:
        state.shown = found
    shown: Traces | None = state.get("shown")
    return shown


def _shipped(request: Request) -> Traces | None:
    for example in examples.EXAMPLES:
        if (example.model, example.text) == (request.model, request.text):
            trace = examples.load(example.slug)
            return None if trace is None else (trace,)
    return None


def _traced(request: Request) -> Traces | None:
    place = st.empty()
    with place.container():
        progress, stop = st.columns([8, 1], vertical_alignment="center")
        bar = progress.progress(0.0, text="Loading the model …")
        stop.button("Stop", on_click=_stop, args=(request,), width="stretch")
    try:
        model = registry.load(request.model)
        return tuple(
            model.traces(request.text, whole_text=request.whole, keep_projections=True, on_step=_progress(bar.progress))
        )
    except (InputError, ModelError) as error:
        st.error(literal(str(error)))
        return None
    finally:
        place.empty()


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
    return sum(maps.weights.nbytes for trace in traces for maps in trace.maps)
