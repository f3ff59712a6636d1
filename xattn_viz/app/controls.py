"""The row of controls above the explorer: the model, examples, options, and what the model is to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from xattn_viz.app import actions, address, models, page_state, query
from xattn_viz.app.page import literal
from xattn_viz.app.query import Query
from xattn_viz.core.tokens import visible_text
from xattn_viz.models.base import Option

#: The option of a model that draws which has a field of its own.
SEED = "seed"
_Choice = TypeVar("_Choice")
_WHOLE_HELP = "Trace the text as one segment instead of sentence by sentence: for a summary, say."
_STREAM_HELP = "The map grows while the model works. It then takes a little longer."


def show() -> None:
    """The widgets, which hold what is asked for."""
    kind, asked, visit = page_state.kind(), page_state.current().query, page_state.visit()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        kind.before()
        st.selectbox(
            "Model",
            models.choices(asked.model),
            format_func=models.title,
            key="direction",
            on_change=actions.choose_model,
            label_visibility="collapsed",
            width=160 if kind.reads == "image" else 185,
        )
        # There with or without content: what follows keeps its place.
        with st.container(key="beside-model", width="content"):
            if st.session_state.direction == models.OTHER:
                _name_of_another()
            else:
                kind.choice(asked)
        with st.popover("Options", key="options"):
            for option in models.options_of(asked.model):
                if option.name != SEED and not is_text(option):
                    _option(option, dict(asked.options).get(option.name, option.default))
            if (kind.reads, kind.makes) == ("text", "text"):
                st.session_state.whole = asked.whole
                st.checkbox("Whole text", key="whole", help=_WHOLE_HELP, on_change=actions.take_whole)
            st.checkbox("Stream the result", key="live", help=_STREAM_HELP)
        kind.inputs(asked)
    address.follow(actions.go_to, page_state.current().query.address(), visit.address)


def choose_from(
    name: str,
    choices: Sequence[_Choice],
    said: Callable[[_Choice], str],
    key: str,
    take: Callable[[], None],
    *,
    width: int = 135,
) -> None:
    """A list to choose one from, which says its own name and not what was chosen."""
    st.selectbox(
        name,
        choices,
        format_func=said,
        index=None,
        placeholder=name,
        key=key,
        on_change=take,
        label_visibility="collapsed",
        width=width,
    )


def choose_example(asked: Query) -> None:
    """The examples of a model, by their texts."""
    texts = [page_state.query_of(one).input for one in page_state.kind().examples if one.model == asked.model]
    if texts:
        choose_from("Examples", range(len(texts)), texts.__getitem__, "example", actions.take_example)


def text_field(name: str, placeholder: str, *, most: int | None = None) -> None:
    """The field of a text and the button that asks for it."""
    with (
        st.form("translate", enter_to_submit=True, border=False),
        st.container(horizontal=True, vertical_alignment="center", gap="small"),
    ):
        st.text_input(name, key="text", placeholder=placeholder, max_chars=most, label_visibility="collapsed")
        st.form_submit_button(page_state.kind().action, type="primary", on_click=actions.submit_text)


def is_text(option: Option) -> bool:
    """Whether an option is a text, which has a field of its own beside what the model reads."""
    return not option.choices and isinstance(option.default, str)


def _name_of_another() -> None:
    st.text_input(
        "Name or folder of a model",
        key="other",
        placeholder="Hub name or folder",
        on_change=actions.name_model,
        label_visibility="collapsed",
        width=240,
    )


def _option(option: Option, value: str | bool) -> None:
    key = actions.option_key(option.name)
    title, help_text = literal(option.title), literal(option.help) or None
    # The query is what counts, the widget only shows it: an address can say anything, also what no switch can show.
    is_switch = isinstance(option.default, bool)
    shown = query.written(value) if not is_switch else value if isinstance(value, bool) else option.default
    st.session_state[key] = shown
    if is_switch:
        st.checkbox(title, key=key, help=help_text, on_change=actions.take_option, args=(option.name,))
        return
    # A value that the address made up stays visible, beside the sentence that says what there is.
    offered = option.choices if shown in option.choices else (*option.choices, str(shown))
    st.selectbox(
        title,
        offered,
        format_func=lambda choice: visible_text(choice) or "(none)",
        key=key,
        help=help_text,
        on_change=actions.take_option,
        args=(option.name,),
    )
