"""Hear speech written down, and see for each word the moment of sound that it came from."""

from __future__ import annotations

import streamlit as st

from xattn_viz.ui import controls, explorer, kind, live, outputs, page, panels, session, timing

page.begin(kind.AUDIO)
request = controls.request()
line = st.empty()
traces = session.traces(request, line)
if traces and not live.goes_on():
    request = st.session_state.shown_for
    best = outputs.segment_of(traces)
    trace = session.output_of(request, best, st.session_state.output, line)
    beside = best if trace is not best and st.session_state.output.beside else None
if live.goes_on():
    live.show()
elif traces:
    outputs.show(traces, best, trace, line)
    explorer.show(trace, request.select, beside=beside, names=outputs.NAMES, sound=request.sound)
    timing.panel(traces, request.sound)
    panels.below(trace, request.sound)
