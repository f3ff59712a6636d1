"""Why there is nothing to show, or nothing to trust, in a sentence.

A run that failed or was stopped, a model that nobody agreed to or that does not do what it should.
"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import actions, page_state
from xattn_viz.app.page import literal
from xattn_viz.app.runner import Failed, Stopped
from xattn_viz.inputs import InputError
from xattn_viz.models.base import ModelError, NeedsConsent

_FAULT = "This could not be traced: the program has a fault. The server\u2019s log says more."
_BIN = (
    "has its weights only in PyTorch\u2019s older format (.bin). They are read as data, and no code in them is run. "
    "Load them only if you trust their authors."
)


def wants_consent(error: Exception) -> bool:
    """Whether a model could be loaded if the visitor allowed its `.bin` weights to be read."""
    return isinstance(error, NeedsConsent)


class NotAgreed(ModelError):  # noqa: N818 - nothing is wrong: the visitor has to say so
    """A model that an address asks for and that is not on the list; its message is the sentence about it."""

    def __init__(self, model: str) -> None:
        super().__init__(f"This address asks for the model {model}, which is not on the list.")


def explain(outcome: Failed | Stopped, place: DeltaGenerator) -> None:
    """Say why a task is not done in its place on the page, with a button where the visitor's consent would help."""
    if isinstance(outcome, Stopped):
        kind, count = page_state.kind(), len(outcome.traces)
        done = f" after {count} {kind.segment}{'s' if count > 1 else ''}" if count else ""
        place.info(f"Stopped{done}. Press {kind.action} to start again.")
        return
    error, model = outcome.error, outcome.task.query.model
    with place.container():
        if isinstance(error, NotAgreed):
            st.info(literal(str(error)))
            st.button(f"Load {literal(model)}", on_click=actions.agree)
        elif wants_consent(error):
            st.error(literal(f"{model} {_BIN}"))
            st.button("Load it anyway (weights only)", on_click=actions.allow_weights)
        else:
            st.error(literal(str(error) if isinstance(error, InputError | ModelError) else _FAULT))
