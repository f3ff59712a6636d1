"""A trace that grows on the page while the model writes."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import explorer, failing, kind, session
from xattn_viz.app.page import literal
from xattn_viz.app.runs import Run, so_far

_LOOK_SECONDS = 0.3


def goes_on() -> bool:
    """Whether a run goes on that this visitor watches."""
    return st.session_state.get("run") is not None


@st.fragment(run_every=_LOOK_SECONDS)
def show() -> None:
    """What is written so far, with a button to stop; at the end the page runs again and finds the traces."""
    run: Run | None = st.session_state.get("run")
    if run is None:
        return
    trace = run.look()
    if run.outcome is not None:
        session.settle(run)
        st.rerun()
    segment = kind.current().segment.capitalize()
    with st.container(horizontal=True, vertical_alignment="center", key="writing"):
        st.markdown(
            literal(f"{segment} {len(run.made) + 1}: {so_far(run.model, *run.steps)}"),
            width="content",
        )
        st.button("Stop", key="stop-writing", on_click=session.stop, args=(run.asked,))
    if trace is not None:
        failing.doubt(trace.fault)
        explorer.draw(trace, {}, growing=True)
