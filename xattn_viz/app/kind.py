"""What the models of a page read, and the words in which the page speaks of it.

Pages share their widgets, their state and everything below; when the visitor turns to another page, what belongs to
the one before is laid aside and found again on the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Literal, ParamSpec

import streamlit as st

from xattn_viz.models.base import ModelCard

_P = ParamSpec("_P")
#: What `st.session_state` holds for one page and not for the other.
_OF_A_PAGE = ("request", "segment", "output", "typed", "run", "stopped", "failed", "shown", "shown_for", "made", "news")


@dataclass(frozen=True)
class Kind:
    """What models read and make, what one segment of the input is called, and what a run does with it.

    `own` names an output that the visitor types (empty where none can be), `refusal` says why a model of another kind
    has no place here.
    """

    name: Literal["text", "audio", "image", "prompt"]
    reads: Literal["text", "audio", "image"]
    makes: Literal["text", "image"]
    segment: str
    action: str
    own: str
    refusal: str

    def has(self, card: ModelCard) -> bool:
        """Whether a model belongs on the page."""
        return (card.input_kind, card.output_kind) == (self.reads, self.makes)


TEXT = Kind(
    "text",
    reads="text",
    makes="text",
    segment="sentence",
    action="Translate",
    own="An output of your own",
    refusal="does not read text and write text: this page is for models that do.",
)
AUDIO = Kind(
    "audio",
    reads="audio",
    makes="text",
    segment="window",
    action="Transcribe",
    own="A transcript of your own",
    refusal="does not hear: this page is for models that do.",
)
IMAGE = Kind(
    "image",
    reads="image",
    makes="text",
    segment="picture",
    action="Read",
    own="A caption of your own",
    refusal="does not read pictures: this page is for models that do.",
)
PROMPT = Kind(
    "prompt",
    reads="text",
    makes="image",
    segment="prompt",
    action="Draw",
    own="",
    refusal="does not draw pictures: this page is for models that do.",
)


def current() -> Kind:
    """The kind of the page that runs, or of the last one that had a kind."""
    kind: Kind = st.session_state.get("kind", TEXT)
    return kind


def enter(kind: Kind | None) -> None:
    """Make this the page's kind, None where it is about no model's input.

    `entered` in the state says that the visitor comes from another page, `away` that the page has no kind.
    """
    state = st.session_state
    was_away, state.away = state.get("away", False), kind is None
    if kind is None:
        return
    before: Kind | None = state.get("kind")
    state.kind = kind
    if before is None or (before == kind and not was_away):
        return
    if before != kind:
        kept = state.setdefault("kept", {})
        kept[before.name] = {name: state.pop(name) for name in _OF_A_PAGE if name in state}
        for name, value in kept.pop(kind.name, {}).items():
            state[name] = value
    state.entered = True


def while_here(callback: Callable[_P, None]) -> Callable[_P, None]:
    """A callback that does nothing once the visitor has turned to a page without a kind.

    What a page’s controls say may still come when another page is there already.
    """

    @wraps(callback)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> None:
        if not st.session_state.get("away"):
            callback(*args, **kwargs)

    return called
