"""Masks on and off: padding that leaks, and a token that changes what stands before it."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app.layer import causal, offline, padding, parts

SENTENCE = "The cat sat on the mat."
_KINDS = {"padding": "Padding", "causal": "Causal"}
_CLAIMS = {
    "padding": "Padding takes weight that belongs to the words, unless a mask gives it exactly 0.",
    "causal": "A causal mask hides what comes later: a change moves no output before it.",
}


@st.fragment
def show() -> None:
    """One of the two kinds of mask, each with its switch."""
    place = st.container()
    columns = st.columns([2, 3, 2, 3, 2], vertical_alignment="bottom")
    kind = columns[0].segmented_control(
        "Mask",
        list(_KINDS),
        format_func=_KINDS.__getitem__,
        key="mask",
        default="padding",
        required=True,
        bind="query-params",
    )
    with place:
        parts.claim(_CLAIMS[kind])
    text = offline.sentence(columns[1], SENTENCE, "masked-text")
    (padding if kind == "padding" else causal).show(text, columns)
