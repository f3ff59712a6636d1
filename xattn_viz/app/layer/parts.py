"""What the sections share: how a claim, its numbers, a figure and its notebook code stand on the page.

Some run on the offline translation model: they share a sentence, a head, and what is said where that cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import page, page_state
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


#: The name of a number or a choice of a section, and the value that it has, as people read both.
Said = Mapping[str, str]


def claim(text: str, attempt: str = "") -> None:
    """The one thing that a section shows, in a sentence, large, and what to try in it. Both are shown as they are."""
    st.markdown(f"### {literal(text)}")
    if attempt:
        st.markdown(f"**Try:** {literal(attempt)}")


def finding(text: str) -> None:
    """What the numbers in view say, in a sentence. `text` is shown as it is."""
    st.markdown(literal(text))


def seen(section: str, chosen: Said, found: Said) -> None:
    """A line on what was just seen: what the visitor's last change in a section did to the numbers in view.

    `chosen` is what can be changed there, `found` what follows from it; both have the same names each time.
    """
    kept = page_state.visit().layer.setdefault("seen", {})
    before, now = kept.get(section, (None, None))
    if (chosen, found) != now:
        before, now = now, (chosen, found)
        kept[section] = before, now
    with st.container(key=f"seen-{section}"):
        st.markdown(f"**Just seen:** {literal(changes(before, now))}")


def changes(before: tuple[Said, Said] | None, now: tuple[Said, Said]) -> str:
    """What changed, in a sentence: of what was chosen and of what was found, as `seen` has them."""
    (chosen, found), (was, gave) = now, before or ({}, {})
    turned = ", ".join(f"{name} {was[name]} → {one}" for name, one in chosen.items() if was.get(name, one) != one)
    moved = [f"{name} {gave[name]} → {one}" for name, one in found.items() if gave.get(name, one) != one]
    stayed = [f"{name} {one}" for name, one in found.items() if gave.get(name) == one]
    if not moved and not turned:
        return f"{', '.join(f'{name} {one}' for name, one in found.items())}. Change something: this line compares."
    parts = [", ".join(moved)] if moved else ["nothing here moved"]
    if stayed:
        parts.append(f"as before: {', '.join(stayed)}")
    return f"{turned}: {'; '.join(parts)}." if turned else f"{'; '.join(parts)}."


def switched(is_on: bool) -> str:
    """A switch as a line says it."""
    return "on" if is_on else "off"


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
