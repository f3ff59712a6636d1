"""What the models of a page read, and the words in which the page speaks of it.

Pages share their widgets, their state and everything below; when the visitor turns to another page, what belongs to
the one before is laid aside and found again on the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import streamlit as st

#: What `st.session_state` holds for one page and not for the other.
_OF_A_PAGE = ("request", "segment", "output", "typed", "run", "stopped", "failed", "shown", "shown_for", "made", "news")


@dataclass(frozen=True)
class Kind:
    """A kind of input, what one segment of it is called, and what a run does with it.

    `own` names an output that the visitor types, `refusal` says why a model of another kind has no place here.
    """

    name: Literal["text", "audio"]
    segment: str
    action: str
    own: str
    refusal: str


TEXT = Kind(
    "text",
    segment="sentence",
    action="Translate",
    own="An output of your own",
    refusal="does not read text: this page is for models that do.",
)
AUDIO = Kind(
    "audio",
    segment="window",
    action="Transcribe",
    own="A transcript of your own",
    refusal="does not hear: this page is for models that do.",
)


def current() -> Kind:
    """The kind of the page that runs."""
    kind: Kind | None = st.session_state.get("kind")
    return kind or TEXT


def enter(kind: Kind | None) -> None:
    """Make this the page's kind, None where it is about no model's input.

    `entered` in the state says that the visitor comes from a page of another kind.
    """
    state = st.session_state
    is_first, before = "kind" not in state, state.get("kind")
    state.kind = kind
    if is_first or before == kind:
        return
    kept = state.setdefault("kept", {})
    if before is not None:
        kept[before.name] = {name: state.pop(name) for name in _OF_A_PAGE if name in state}
    if kind is not None:
        for name, value in kept.pop(kind.name, {}).items():
            state[name] = value
        state.entered = True
