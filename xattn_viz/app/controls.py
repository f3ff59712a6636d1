"""The few widgets above the explorer: model, examples, options, and what the model is to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from xattn_viz.app import address, asking, giving, inputs, kind, models, turning
from xattn_viz.app.address import Request
from xattn_viz.app.page import PAGES, literal
from xattn_viz.core.tokens import visible_text
from xattn_viz.examples import SCENES, clips
from xattn_viz.models.base import Option
from xattn_viz.shapes import caption

_Choice = TypeVar("_Choice")
_WHOLE_HELP = "Trace the text as one segment instead of sentence by sentence: for a summary, say."
_CAPTIONS = {example.slug: caption(example.scene).capitalize() for example in SCENES}
_LIVE_HELP = "The map grows while the model works. It then takes a little longer."


def request() -> Request:
    """The widgets, and what they ask for. What the visitor had traced is kept for each model."""
    current = asking.current()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        if kind.current() in (kind.IMAGE, kind.PROMPT):
            _two_ways()
        _model(current)
        with st.container(
            key="beside-model", width="content"
        ):  # there with or without content: what follows keeps its place
            _examples_or_name(current)
        _options(current)
        inputs.show(current)
    address.follow(asking.show_address)
    return current


def _two_ways() -> None:
    """The two pages about pictures, which share a place in the header."""
    with st.container(horizontal=True, gap=None, width="content", key="two-ways"):
        st.page_link(PAGES / "images.py", label="Read a picture")
        st.page_link(PAGES / "draw.py", label="Draw from a prompt")


def _model(current: Request) -> None:
    st.selectbox(
        "Model",
        models.choices(current.model),
        format_func=models.title,
        key="direction",
        on_change=turning.turn,
        label_visibility="collapsed",
        width=160 if kind.current() == kind.IMAGE else 185,
    )


def _examples_or_name(current: Request) -> None:
    """The model's examples, or the field for another model's name."""
    shown = [] if current.named else asking.examples_of(current.model)
    if st.session_state.direction == models.OTHER:
        st.text_input(
            "Name or folder of a model",
            key="other",
            placeholder="Hub name or folder",
            on_change=turning.take_other,
            label_visibility="collapsed",
            width=240,
        )
    elif kind.current() == kind.IMAGE:
        _list("Scenes", [example.slug for example in SCENES], _caption, "picture", giving.take_picture, width=115)
    elif current.sound:
        _list("Clips", [clip.slug for clip in clips.CLIPS], _spoken, "clip", giving.take_clip)
    elif shown:
        _list("Examples", range(len(shown)), lambda i: shown[i].text, "example", asking.take_example)


def _list(
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


def _caption(slug: str) -> str:
    return _CAPTIONS.get(slug, "")


def _spoken(slug: str) -> str:
    return clips.find(slug).text or slug.capitalize()


def _options(current: Request) -> None:
    """What the model's card offers, behind one button."""
    chosen = dict(current.options)
    with st.popover("Options", key="options"):
        for option in models.options_of(current.model):
            if option.name != inputs.SEED and not inputs.is_text(option):
                _option(option, chosen.get(option.name, option.default))
        if kind.current() == kind.TEXT:
            st.session_state.whole = current.whole
            st.checkbox("Whole text", key="whole", help=_WHOLE_HELP, on_change=asking.take_whole)
        drawn = kind.current() == kind.PROMPT
        st.checkbox("Watch it form" if drawn else "Watch it being written", key="live", help=_LIVE_HELP)


def _option(option: Option, value: str | bool) -> None:
    key = asking.option_key(option.name)
    title, help_text = literal(option.title), literal(option.help) or None
    # The request is what counts, the widget only shows it: an address can say anything, also what no switch can show.
    is_switch = isinstance(option.default, bool)
    shown = address.written(value) if not is_switch else value if isinstance(value, bool) else option.default
    st.session_state[key] = shown
    if is_switch:
        st.checkbox(title, key=key, help=help_text, on_change=asking.take_option, args=(option.name,))
        return
    # A value that the address made up stays visible, beside the sentence that says what there is.
    offered = option.choices if shown in option.choices else (*option.choices, str(shown))
    st.selectbox(
        title,
        offered,
        format_func=lambda choice: visible_text(choice) or "(none)",
        key=key,
        help=help_text,
        on_change=asking.take_option,
        args=(option.name,),
    )
