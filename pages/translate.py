"""Translate a sentence and see which source words each output token looked at."""

from __future__ import annotations

import streamlit as st

from xattn_viz.ui import controls, explorer, page, panels, session

page.begin()
request = controls.request()
line = st.empty()
traces = session.traces(request, line)
if traces:
    trace = controls.sentence_of(traces, line)
    explorer.show(trace, request.select)
    panels.below(trace)
