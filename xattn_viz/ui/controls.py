"""The few widgets above the explorer: model, examples, options, the text, and which sentence of a long one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.examples import EXAMPLES
from xattn_viz.models.base import Option
from xattn_viz.trace import Trace
from xattn_viz.ui import address, asking, models
from xattn_viz.ui.address import Request
from xattn_viz.ui.page import literal

_CAVEAT = "Attention weights show where a head read from. They do not show why the model chose a word."
_WHOLE_HELP = "Trace the text as one segment instead of sentence by sentence: for a summary, say."
_WHOLE_RISK = (
    "Whole text: where a model was trained on single sentences, it may skip, repeat or merge some of a longer text."
)


def request() -> Request:
    """The widgets, and what they ask for. What the visitor had traced is kept for each model."""
    current = asking.current()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        _model(current)
        _options(current)
        _text()
    address.follow(asking.show_address)
    return current


def sentence_of(traces: Sequence[Trace], line: DeltaGenerator) -> Trace:
    """The trace to show: the only one, or the one paged to. `line` says which it is, and what to notice."""
    state = st.session_state
    state.sentence = min(state.sentence, len(traces))
    with line.container(horizontal=True, vertical_alignment="center", gap="small", key="line"):
        if len(traces) > 1:
            first, last = state.sentence <= 1, state.sentence >= len(traces)
            st.button("◀ Previous", key="previous", disabled=first, on_click=asking.page, args=(-1,))
            st.button("Next ▶", key="next", disabled=last, on_click=asking.page, args=(1,))
            st.markdown(f"Sentence {state.sentence} of {len(traces)}", width="content")
        st.caption(literal(_remark(state.request)))
    chosen: int = state.sentence - 1
    return traces[chosen]


def _model(current: Request) -> None:
    """Which model, and beside it either its examples or the field for another model's name."""
    st.selectbox(
        "Model",
        models.choices(current.model),
        format_func=models.title,
        key="direction",
        on_change=asking.turn,
        label_visibility="collapsed",
        width=185,
    )
    shown = asking.examples_of(current.model)
    if st.session_state.direction == models.OTHER:
        st.text_input(
            "Name or folder of a model",
            key="other",
            placeholder="Hub name or folder",
            on_change=asking.take_other,
            label_visibility="collapsed",
            width=240,
        )
    elif shown:
        st.selectbox(
            "Examples",
            range(len(shown)),
            format_func=lambda i: shown[i].text,
            index=None,
            placeholder="Examples",
            key="example",
            on_change=asking.take_example,
            label_visibility="collapsed",
            width=135,
        )


def _options(current: Request) -> None:
    """What the model's card offers, behind one button."""
    card = models.card_of(current.model)
    if card is None or not card.options:
        return
    chosen = dict(current.options)
    with st.popover("Options", key="options"):
        for option in card.options:
            _option(option, chosen.get(option.name, option.default))


def _option(option: Option, value: str | bool) -> None:
    key = asking.option_key(option.name)
    st.session_state[key] = value  # the request is what counts; the widget only shows it
    title, help_text = literal(option.title), literal(option.help) or None
    if isinstance(option.default, bool):
        st.checkbox(title, key=key, help=help_text, on_change=asking.take_option, args=(option.name,))
        return
    # A value that the address made up stays visible, beside the sentence that says what there is.
    offered = option.choices if value in option.choices else (*option.choices, str(value))
    st.selectbox(
        title,
        offered,
        format_func=lambda choice: choice or "(none)",
        key=key,
        help=help_text,
        on_change=asking.take_option,
        args=(option.name,),
    )


def _text() -> None:
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
        st.form_submit_button("Translate", type="primary", on_click=asking.translate)


def _remark(request: Request) -> str:
    for example in EXAMPLES:
        if request == asking.example_request(example):
            return f"Layer {example.layer + 1}, head {example.head + 1}. {example.notice}"
    return _WHOLE_RISK if request.whole else _CAVEAT
