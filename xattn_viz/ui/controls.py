"""The few widgets above the explorer: direction, examples, the sentence, and which sentence of a long text."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.examples import EXAMPLES, Example
from xattn_viz.models import registry
from xattn_viz.trace import Trace
from xattn_viz.ui import address
from xattn_viz.ui.address import Request
from xattn_viz.ui.page import literal

_CAVEAT = "Attention weights show where a head read from. They do not show why the model chose a word."
_WHOLE_HELP = "Translate the text as one segment instead of sentence by sentence."
_WHOLE_RISK = (
    "Whole text: the model was trained on single sentences, so on a longer text it may skip, repeat or merge some."
)


def request() -> Request:
    """The widgets, and what they ask for. What the visitor had translated is kept for each direction."""
    state = st.session_state
    titles = {card.name: card.title for card in registry.cards() if card.name in _defaults()}
    if "request" not in state:
        state.typed = {}
        _show_address()
    current: Request = state.request
    state.setdefault("direction", current.model)
    state.setdefault("text", current.text)
    state.setdefault("whole", current.whole)
    shown = _examples(current.model)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        st.selectbox(
            "Direction",
            list(titles),
            format_func=titles.__getitem__,
            key="direction",
            on_change=_turn,
            label_visibility="collapsed",
            width=185,
        )
        st.selectbox(
            "Examples",
            range(len(shown)),
            format_func=lambda i: shown[i].text,
            index=None,
            placeholder="Examples",
            key="example",
            on_change=_take_example,
            label_visibility="collapsed",
            width=135,
        )
        with (
            st.form("translate", enter_to_submit=True, border=False),
            st.container(horizontal=True, vertical_alignment="center", gap="small"),
        ):
            st.text_input(
                "Sentence",
                key="text",
                placeholder="Type a sentence and press Enter",
                max_chars=None,
                label_visibility="collapsed",
            )
            st.checkbox("Whole text", key="whole", help=_WHOLE_HELP)
            st.form_submit_button("Translate", type="primary", on_click=_translate)
    address.follow(_show_address)
    return current


def sentence_of(traces: Sequence[Trace], line: DeltaGenerator) -> Trace:
    """The trace to show: the only one, or the one paged to. `line` says which it is, and what to notice."""
    state = st.session_state
    state.sentence = min(state.sentence, len(traces))
    with line.container(horizontal=True, vertical_alignment="center", gap="small", key="line"):
        if len(traces) > 1:
            first, last = state.sentence <= 1, state.sentence >= len(traces)
            st.button("◀ Previous", key="previous", disabled=first, on_click=_page, args=(-1,))
            st.button("Next ▶", key="next", disabled=last, on_click=_page, args=(1,))
            st.markdown(f"Sentence {state.sentence} of {len(traces)}", width="content")
        st.caption(literal(_remark(state.request)))
    chosen: int = state.sentence - 1
    return traces[chosen]


def _remark(request: Request) -> str:
    for example in EXAMPLES:
        if request == _of(example):
            return f"Layer {example.layer + 1}, head {example.head + 1}. {example.notice}"
    return _WHOLE_RISK if request.whole else _CAVEAT


def _examples(model: str) -> list[Example]:
    return [example for example in EXAMPLES if example.model == model]


def _of(example: Example) -> Request:
    """An example as a request, with the head to look at as the address counts it: from 1."""
    return Request(example.model, example.text, select={"head": f"{example.layer + 1}.{example.head + 1}"})


def _defaults() -> dict[str, Request]:
    """The first example of each model: what is shown before anything is typed."""
    defaults: dict[str, Request] = {}
    for example in EXAMPLES:
        defaults.setdefault(example.model, _of(example))
    return defaults


def _show_address() -> None:
    """Show what the address says: at first, and after a step back in the browser's history."""
    state = st.session_state
    state.request = address.read(_defaults())
    state.sentence = address.read_sentence()
    _fill_in(state.request)


def _fill_in(request: Request) -> None:
    state = st.session_state
    state.direction, state.text, state.whole, state.example = request.model, request.text, request.whole, None


def _ask(request: Request, *, same_head: bool = True) -> None:
    """Change what is shown. Callbacks only: they run before the page does."""
    state = st.session_state
    state.request, state.sentence, state.stopped = request, 1, None
    address.write(request, same_head=same_head)


def _turn() -> None:
    state = st.session_state
    state.typed[state.request.model] = state.request
    wanted = state.typed.get(state.direction, _defaults()[state.direction])
    _fill_in(wanted)
    _ask(wanted, same_head=False)


def _take_example() -> None:
    state = st.session_state
    if state.example is None:
        return
    wanted = _of(_examples(state.request.model)[state.example])
    state.text, state.whole = wanted.text, False
    _ask(wanted, same_head=False)


def _translate() -> None:
    state = st.session_state
    _ask(Request(state.direction, state.text, state.whole))


def _page(step: int) -> None:
    state = st.session_state
    state.sentence += step
    address.write(state.request, state.sentence)
