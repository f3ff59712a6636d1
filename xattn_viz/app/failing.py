"""Why there is nothing to show, or nothing to trust, in a sentence.

A run that failed, one that was stopped, a model that nobody agreed to or that does not do what it should.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import kind, turning
from xattn_viz.app.page import literal
from xattn_viz.app.runs import Asked
from xattn_viz.core.trace import Trace
from xattn_viz.models.base import InputError, ModelError, NeedsConsent

_LOG = logging.getLogger(__name__)

_FAULT = "This could not be traced: the program has a fault. The server\u2019s log says more."
_WORDLESS = "The model wrote no words here."
_NOBODY = (
    "Nobody seems to speak here, so no words were written. “Write even where nothing is said”, among the options, "
    "shows what the model would write."
)
_BIN = (
    "has its weights only in PyTorch\u2019s older format (.bin). They are read as data, and no code in them is run. "
    "Load them only if you trust their authors."
)


@dataclass(frozen=True)
class Failure:
    """Why there are no traces: a sentence, and whether the visitor's consent to `.bin` weights would help."""

    asked: Asked
    sentence: str
    consent: bool = False


def stopped_after(count: int) -> str:
    """That the visitor stopped the run after so many segments, and how to start again."""
    now = kind.current()
    done = f" after {count} {now.segment}{'s' if count > 1 else ''}" if count else ""
    return f"Stopped{done}. Press {now.action} to start again."


def explain(failure: Failure, problem: DeltaGenerator) -> None:
    """Say it in its place on the page, with a button where consent would help."""
    with problem.container():
        st.error(literal(failure.sentence))
        if failure.consent:
            st.button("Load it anyway (weights only)", on_click=turning.allow_weights)


def doubt(fault: str | None, told: str = "") -> None:
    """Say above a map what is wrong with the model that it is of, if anything is; else what is told of it, if it is."""
    place = st.empty()  # there or not, what follows stays where it is
    if fault is not None:
        place.error(literal(fault))
    elif told:
        place.info(literal(told))


def wordless(trace: Trace) -> str:
    """That there are no words in a trace of sound, and what to do about it; empty where there are."""
    if trace.cross.keys.kind != "audio" or trace.output:
        return ""
    return _NOBODY if trace.note("silence") else _WORDLESS


def ask_first(model: str, problem: DeltaGenerator) -> None:
    """Say which model the address asks for, and load it only when the visitor says so."""
    with problem.container():
        st.info(literal(f"This address asks for the model {model}, which is not on the list."))
        st.button(f"Load {literal(model)}", on_click=turning.agree)


def of(asked: Asked, error: Exception) -> Failure:
    """What an error of a run is to the visitor; one that is a fault of the program goes to the log."""
    if isinstance(error, NeedsConsent):
        return Failure(asked, f"{asked.request.model} {_BIN}", consent=True)
    if isinstance(error, InputError | ModelError):
        return Failure(asked, str(error))
    _LOG.error("Tracing failed", exc_info=error)
    return Failure(asked, _FAULT)
