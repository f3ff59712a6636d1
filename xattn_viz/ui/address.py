"""What the address says: the model and the sentence. The explorer's script writes the rest (head, view) by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

#: A longer sentence stays out of the address: browsers and chat programs cut long ones.
LONGEST_TEXT = 1000

# Written by the explorer's script (state.js). They speak of the trace that was shown, so a new example drops them.
_EXPLORER = ("head", "units", "rows", "special", "scale", "colours", "pinned", "row")
_PAGE = ("model", "text", "whole", "sentence")


@dataclass(frozen=True)
class Request:
    """What the visitor asked for: a model, a text, whole or in sentences, and what to show of it at first."""

    model: str
    text: str
    whole: bool = False
    select: Mapping[str, Any] = field(default_factory=dict)


def read(models: list[str], default: Request) -> Request:
    """The request that the address holds, or the default where it names no known model and holds no text."""
    said = st.query_params
    model = said.get("model", default.model)
    if model not in models:
        model = default.model
    text = said.get("text", "")
    if not text.strip():
        return default if model == default.model else Request(model, "")
    return Request(model, text, said.get("whole") == "true")


def write(request: Request, *, fresh_view: bool = False) -> None:
    """Make the address say the request. `fresh_view` drops what it says about the view of the trace before."""
    dropped = (*_PAGE, *_EXPLORER) if fresh_view else _PAGE
    kept = {name: value for name, value in st.query_params.items() if name not in dropped}
    said = {"model": request.model}
    if len(request.text) < LONGEST_TEXT:
        said["text"] = request.text
    if request.whole:
        said["whole"] = "true"
    st.query_params.from_dict({**kept, **said})
