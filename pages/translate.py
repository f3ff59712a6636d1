"""Translate a sentence and see which source words each output token looked at."""

from __future__ import annotations

import streamlit as st

from xattn_viz.ui import controls, explorer, kind, live, outputs, page, panels, session

page.begin(kind.TEXT)
request = controls.request()
line = st.empty()
traces = session.traces(request, line)
if traces and not live.goes_on():
    best = outputs.segment_of(traces)
    trace = session.output_of(request, best, st.session_state.output, line)
    beside = best if trace is not best and st.session_state.output.beside else None
if live.goes_on():
    live.show()
elif traces:
    outputs.show(traces, best, trace, line)
    explorer.show(trace, request.select, beside=beside, names=outputs.NAMES)
    panels.below(trace)
