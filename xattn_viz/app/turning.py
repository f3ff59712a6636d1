"""Which model the visitor turns to: the callbacks of the list of models and of what it asks back."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import asking, kind, models
from xattn_viz.app.address import Request


@kind.while_here
def turn() -> None:
    """Another model was chosen: go on with what was last asked of it, or with the text that is there."""
    name, current_model = st.session_state.direction, st.session_state.request.model
    # A control of the page before may still speak: its model is none of this page.
    if name in models.choices(current_model) and name not in (current_model, models.OTHER):
        _turn_to(name)


@kind.while_here
def turn_with_text(name: str) -> None:
    """Another model is to read the text that is there."""
    state = st.session_state
    last: Request = state.request
    state.typed[last.model] = last
    usual = asking.defaults().get(name)
    wanted = Request(name, last.text, last.whole, select=usual.select if usual else {})
    asking.fill_in(wanted)
    asking.ask(wanted, same_head=False)


@kind.while_here
def take_other() -> None:
    """The name of a model, or its folder, was typed."""
    if name := models.cleaned(st.session_state.other):
        models.agree(name)
        _turn_to(name)


def agree() -> None:
    """The visitor wants the model that the address names."""
    models.agree(st.session_state.request.model)


def allow_weights() -> None:
    """The visitor allows `.bin` weights, read as data only."""
    state = st.session_state
    models.allow_weights(state.request.model)
    state.failed = None


def _turn_to(name: str) -> None:
    state = st.session_state
    last: Request = state.request
    state.typed[last.model] = last
    typed, default = state.typed.get(name), asking.defaults().get(name)
    wanted = typed or default
    if last.named:
        # One hears the other model hear the same, and sees it look at the same. Of an example, options are its own.
        select = wanted.select if wanted else {}
        options = wanted.options if wanted and (typed or wanted.named == last.named) else ()
        wanted = Request(name, options=options, select=select).reading(**last.named)
    elif wanted is None:
        wanted = Request(name, state.get("text", "") or last.text, last.whole)
    asking.fill_in(wanted)
    asking.ask(wanted, same_head=False)
