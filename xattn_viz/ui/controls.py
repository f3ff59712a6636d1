"""The few widgets above the explorer: direction, examples, the sentence, and which sentence of a long text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from xattn_viz.examples import EXAMPLES, Example
from xattn_viz.models import registry
from xattn_viz.trace import Trace
from xattn_viz.ui import address
from xattn_viz.ui.address import Request
from xattn_viz.ui.page import literal

_WHOLE_HELP = (
    "Translate the text as one segment instead of sentence by sentence. These models were trained on single sentences: "
    "on longer input they may skip or merge sentences."
)


def request() -> Request:
    """The widgets, and what they ask for. What the visitor typed is kept for each direction."""
    state = st.session_state
    titles = {card.name: card.title for card in registry.cards() if card.input_kind == "text"}
    if "request" not in state:
        state.request = address.read(list(titles), _of(EXAMPLES[0]))
        state.typed = {}
    current: Request = state.request
    state.setdefault("direction", current.model)
    state.setdefault("text", current.text)
    state.setdefault("whole", current.whole)
    shown = _examples(current.model)
    direction, example, rest = st.columns([2, 2.4, 8], vertical_alignment="bottom", gap="small")
    direction.selectbox("Direction", list(titles), format_func=titles.__getitem__, key="direction", on_change=_turn)
    example.selectbox(
        "Examples",
        range(len(shown)),
        format_func=lambda i: shown[i].text,
        index=None,
        placeholder="Examples",
        key="example",
        on_change=_take_example,
    )
    with rest.form("translate", enter_to_submit=True):
        field, whole, button = st.columns([8, 2, 1.6], vertical_alignment="bottom", gap="small")
        field.text_input("Sentence", key="text", placeholder="Type a sentence and press Enter", max_chars=None)
        whole.checkbox("Whole text", key="whole", help=_WHOLE_HELP)
        button.form_submit_button("Translate", type="primary", on_click=_translate, width="stretch")
    _say_what_to_notice(state.request)
    return current


def sentence_of(traces: Sequence[Trace]) -> Trace:
    """The trace to show: the only one, or the one that the visitor pages to."""
    if len(traces) == 1:
        return traces[0]
    state = st.session_state
    state.setdefault("sentence", 1)
    state.sentence = min(state.sentence, len(traces))
    back, forth, where = st.columns([0.6, 0.6, 12], vertical_alignment="center", gap="small")
    back.button("◀", key="previous", disabled=state.sentence <= 1, on_click=_page, args=(-1,), help="Sentence before")
    forth.button(
        "▶", key="next", disabled=state.sentence >= len(traces), on_click=_page, args=(1,), help="Next sentence"
    )
    where.caption(f"Sentence {state.sentence} of {len(traces)}")
    chosen: int = state.sentence - 1
    return traces[chosen]


def _examples(model: str) -> list[Example]:
    return [example for example in EXAMPLES if example.model == model]


def _of(example: Example) -> Request:
    """An example as a request, with the head to look at as the address counts it: from 1."""
    return Request(example.model, example.text, select={"head": f"{example.layer + 1}.{example.head + 1}"})


def _ask(request: Request, *, fresh_view: bool = False) -> None:
    """Change what is shown. Callbacks only: they run before the page does."""
    st.session_state.request = request
    st.session_state.sentence = 1
    address.write(request, fresh_view=fresh_view)


def _turn() -> None:
    state = st.session_state
    state.typed[state.request.model] = state.text
    first = _of(_examples(state.direction)[0])
    typed = state.typed.get(state.direction)
    wanted = first if typed in (None, first.text) else replace(first, text=typed, select={})
    state.text = wanted.text
    state.example = None
    _ask(wanted, fresh_view=True)


def _take_example() -> None:
    state = st.session_state
    if state.example is None:
        return
    wanted = _of(_examples(state.request.model)[state.example])
    state.text, state.whole = wanted.text, False
    _ask(wanted, fresh_view=True)


def _translate() -> None:
    state = st.session_state
    _ask(Request(state.direction, state.text, state.whole))


def _page(step: int) -> None:
    st.session_state.sentence += step


def _say_what_to_notice(request: Request) -> None:
    for example in EXAMPLES:
        if request == _of(example):
            st.caption(literal(f"Layer {example.layer + 1}, head {example.head + 1}. {example.notice}"))
