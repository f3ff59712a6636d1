"""What the sections share: how a claim, its numbers, a figure and its notebook code stand on the page.

Some run on the offline translation model: they share a sentence, a head, and what is said where that cannot be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import page
from xattn_viz.app.page import literal
from xattn_viz.core.view import head_key, head_title
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.registry import share_cores

#: The layers and heads of the offline translation model's decoder.
LAYERS, HEADS = 2, 8

_P = ParamSpec("_P")
_T = TypeVar("_T")


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


def run_lesson(lesson: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What a lesson gives for what the visitor typed, or None with a sentence on the page that says why not."""
    from xattn_viz.lessons.masking import MODEL  # imports torch

    share_cores()
    try:
        with st.spinner("Loading the model …"):
            given = lesson(*args, **kwargs)
        page.tell_fault(registry.load(MODEL).fault)
    except (InputError, ModelError) as error:
        st.error(literal(str(error)))
        return None
    return given


def sentence_input(place: DeltaGenerator, default: str, key: str) -> str:
    """The sentence that the model reads."""
    typed: str = place.text_input("English sentence", default, key=key, bind="query-params")
    return typed


def head_input(place: DeltaGenerator, default: str, key: str) -> tuple[int, int]:
    """A decoder layer and a head of its cross-attention, both from 0. `default` names them as the page does: "1.7"."""
    options = {head_key(layer, head): (layer, head) for layer in range(LAYERS) for head in range(HEADS)}
    chosen = place.selectbox(
        "Layer and head",
        list(options),
        list(options).index(default),
        lambda option: head_title(*options[option]),
        key=key,
        bind="query-params",
    )
    return options[chosen]
