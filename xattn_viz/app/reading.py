"""All of a page about models that read something, text, sound or pictures: controls, traces, explorer, panels."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import (
    controls,
    easel,
    explorer,
    failing,
    garbage,
    known,
    language,
    live,
    outputs,
    panels,
    session,
    sources,
    timing,
)
from xattn_viz.app.address import Request


def show() -> None:
    """Draw the page of the kind that was entered (`page.begin`), and run the model where that is asked for."""
    _draw()
    garbage.settle()


def _draw() -> None:
    asked = controls.request()
    line = st.empty()
    with easel.beside(asked):
        _explored(asked, line)


def _explored(asked: Request, line: DeltaGenerator) -> None:
    traces = session.traces(asked, line)
    if live.goes_on():
        live.show()
    elif traces:
        request = st.session_state.shown_for
        best = outputs.segment_of(traces)
        trace = session.output_of(request, best, st.session_state.output, line)
        if live.goes_on():  # the other output is written while the visitor watches
            live.show()
            return
        beside = best if trace is not best and st.session_state.output.beside else None
        remark = outputs.show(traces, best, trace, line)
        failing.doubt(trace.fault or best.fault, failing.wordless(trace))
        told = {remark, language.notice(request), trace.fault}
        other = None
        if trace is not best and trace.pictures:
            trace, beside, other = best, None, trace
        explorer.show(
            trace,
            request.select,
            beside=beside,
            names=outputs.NAMES,
            sound=request.sound,
            things=known.things(request, trace),
            other=other,
        )
        if request.sound:
            timing.panel(traces, request.sound)
        sources.panel(trace)
        known.in_a_notebook(request)
        panels.below(trace, request.sound, told=told)
