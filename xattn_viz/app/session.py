"""From what is asked for to its traces: shipped, remembered or made now, with progress, a stop and clear errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import examples
from xattn_viz.app import asking, failing, kind, models, pictures, sounds
from xattn_viz.app.address import Output, Request
from xattn_viz.app.remembered import Traces, remembered
from xattn_viz.app.runs import Asked, Run, so_far
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.inputs.text import check_text
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled
from xattn_viz.models.resources import share_cores

_LOG = logging.getLogger(__name__)


def traces(request: Request, line: DeltaGenerator) -> Traces | None:
    """The traces of a request; `line` shows the progress of a run.

    Where there are none a sentence on the page says why, and what was shown before goes: it is of another request.
    """
    state = st.session_state
    found = _found(Asked(request), line, _shipped(request))
    state.shown, state.shown_for = found, request if found else None
    if state.pop("news", False):
        st.rerun()  # the controls above were drawn before the model's options were known
    return found


def output_of(request: Request, best: Trace, output: Output, line: DeltaGenerator) -> Trace:
    """The trace of an output of a segment. Where it cannot be had, the page says why and the model's best is shown."""
    if output.is_best:
        st.empty()  # the place where a problem would be told: what follows stays where it is
        return best
    found = _found(Asked.of(request, best, output), line)
    return found[0] if found else best


def settle(run: Run) -> None:
    """Keep what a run in its own thread came to."""
    state = st.session_state
    state.run = None
    if isinstance(run.outcome, tuple):
        remembered().put((run.asked, run.model.content), run.outcome)
    elif isinstance(run.outcome, Cancelled):
        state.stopped = run.asked
    elif run.outcome is not None:
        state.failed = failing.of(run.asked, run.outcome)


def _found(asked: Asked, line: DeltaGenerator, ready: Traces | None = None) -> Traces | None:
    problem = st.empty()
    key = (asked, registry.content(asked.request.model))  # of other files, the traces are others
    found = remembered().get(key) or ready
    if found is None:
        return _made(asked, line, problem)
    remembered().put(key, found)
    return found


def _made(asked: Asked, line: DeltaGenerator, problem: DeltaGenerator) -> Traces | None:
    """The traces of a run, or a sentence about why there are none. What failed runs again only when asked again."""
    state = st.session_state
    if (run := state.get("run")) is not None and run.asked == asked:
        return None
    if state.get("stopped") == asked:
        made = tuple(state.get("made", ())) if asked.segment is None else ()
        problem.info(failing.stopped_after(len(made)))
        return made or None
    if not models.is_agreed(asked.request.model):
        failing.ask_first(asked.request.model, problem)
        return None
    failure: failing.Failure | None = state.get("failed")
    if failure is None or failure.asked != asked:
        outcome = _run(asked, line)
        if not isinstance(outcome, failing.Failure):
            return outcome
        failure = state.failed = outcome
    failing.explain(failure, problem)
    return None


def _shipped(request: Request) -> Traces | None:
    example = None if request.options else asking.example_of(request)
    if example not in examples.ALL:
        return None  # nothing was made beforehand
    try:
        trace = examples.load(example.slug)
    except ValueError as error:
        _LOG.warning("The shipped trace of %s is traced anew: %s", example.slug, error)
        return None
    return None if trace is None else (trace,)


def _run(asked: Asked, line: DeltaGenerator) -> Traces | failing.Failure | None:
    """Run the model, or say why not; None where the run goes on in a thread of its own."""
    state = st.session_state
    made: list[Trace] = []
    if asked.segment is None:
        state.made = made
    # An address can ask for another output of a text that has to be traced first: two runs of one page.
    place = "progress" if asked.segment is None else "progress-output"
    with line.container(horizontal=True, vertical_alignment="center", key=place):
        bar = st.progress(0.0, text="Loading the model …")
        st.button("Stop", key=f"stop-{place}", on_click=stop, args=(asked,))
    has_news = False
    try:
        if not asked.request.named:
            check_text(asked.request.text)  # no model is loaded, under the old map, to be told that there is nothing
        share_cores()
        if asked.request.named and asked.given is None:
            asked = replace(asked, named=_named(asked.request))
        model, has_news = models.load(asked.request.model, bar.progress)
        if state.get("live"):
            state.run = Run(asked, model)
            return None
        made.extend(
            asked.traces(model, on_step=_progress(bar.progress, model))
        )  # one by one: a stop leaves what is done
        remembered().put((asked, model.content), tuple(made))
        return tuple(made)
    except Exception as error:  # the script's own ways to stop and start again are no Exception
        return failing.of(asked, error)
    finally:
        line.empty()
        if has_news:
            state.news = True


def _named(request: Request) -> Sound | Picture:
    """The sound or the picture that a request names. Raises InputError where it cannot be had."""
    return sounds.sound(request.sound) if request.sound else pictures.picture(request)


def _progress(draw: Callable[..., object], model: Adapter) -> Callable[[int, int], bool]:
    """Reports steps on the page. Drawing is also where Streamlit ends a run that was stopped or asked anew."""
    last, segment, now = 0.0, 0, kind.current()

    def on_step(done: int, total: int) -> bool:
        nonlocal last, segment
        segment += done == 0 and total > 0
        if time.monotonic() - last > models.PROGRESS_SECONDS:
            last = time.monotonic()
            said = so_far(model, done, total)
            draw(min(done / max(total, 1), 1.0), text=f"{now.segment.capitalize()} {segment}: {said}")
        return True

    return on_step


def stop(asked: Asked) -> None:
    """The visitor wants a run to end. What it made so far stays in view."""
    state = st.session_state
    state.stopped = asked
    if (run := state.get("run")) is not None:
        run.stop()
        state.made, state.run = list(run.made), None
