"""What the sections share: how a claim, its numbers, a figure and its notebook code stand on the page."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from xattn_viz.app.page import literal


def claim(text: str) -> None:
    """The one thing that a section shows, in a sentence, large. `text` is shown as it is."""
    st.markdown(f"### {literal(text)}")


def finding(text: str) -> None:
    """What the numbers in view say, in a sentence. `text` is shown as it is."""
    st.markdown(literal(text))


def is_dark() -> bool:
    """Whether the page stands on a dark ground."""
    return st.context.theme.type != "light"


def figure(shown: go.Figure, key: str) -> None:
    """A Plotly figure in the width of its place, as the figure itself looks."""
    shown.update_layout(paper_bgcolor="rgba(0, 0, 0, 0)", plot_bgcolor="rgba(0, 0, 0, 0)")
    st.plotly_chart(shown, key=key, theme=None, config={"displayModeBar": False})


def in_a_notebook(code: str, key: str) -> None:
    """The section's setting as a script of at most 15 lines, to be copied."""
    shown = st.expander("In a notebook", key=f"notebook-{key}", on_change="rerun")
    if shown.open:
        shown.code(code, language="python")
