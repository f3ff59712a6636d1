"""The causal mask on and off while one token changes: part of the section on masks."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import plots
from xattn_viz.app.layer import offline, parts
from xattn_viz.lessons import masking
from xattn_viz.lessons.masking import Changed, changed


def show(text: str, columns: Sequence[DeltaGenerator]) -> None:
    """The map, and how far each output moves when one token changes. The controls stand in `columns` 2 to 4."""
    tokens = offline.asked(masking.tokens, text)
    if tokens is None:
        return
    head: int = columns[2].selectbox("Head", range(1, offline.HEADS + 1), 3, key="causal-head", bind="query-params") - 1
    words = [place for place, token in enumerate(tokens) if token.isalpha()]
    position = words[-1] if words else len(tokens) - 1
    if len(tokens) > 1:
        position = (
            columns[3].slider(
                f"Token that becomes “{masking.REPLACEMENT}”",
                1,
                len(tokens),
                position + 1,
                key="changed-token",
                bind="query-params",
            )
            - 1
        )
    causal: bool = columns[4].toggle("Mask", value=True, key="causal-mask", bind="query-params")
    shown = changed(text, position, causal)
    left, right = st.columns(2)
    with left:
        figure = plots.matrix(
            shown.weights[head],
            rows=shown.before,
            columns=shown.before,
            row_title="query",
            column_title="key",
            dark=parts.is_dark(),
        )
        parts.figure(figure, "causal-map")
    with right:
        figure = plots.bars(
            shown.moved.tolist(),
            labels=shown.after,
            y="output moved, of its norm",
            lit=[position],
            top=None,
            dark=parts.is_dark(),
            height=360,
        )
        parts.figure(figure, "causal-moved")
    parts.finding(_said_of_a_change(shown, position, causal))
    parts.in_a_notebook(masking.causal_snippet(text, position, causal), "causal")


def _said_of_a_change(shown: Changed, position: int, causal: bool) -> str:
    moved = int((shown.moved > 0).sum())
    before = int((shown.moved[:position] > 0).sum())
    masked = "With the mask" if causal else "Without the mask"
    return (
        f"Token {position + 1}, “{shown.before[position]}”, becomes “{shown.after[position]}”. {masked} {moved} of "
        f"{len(shown.moved)} outputs move, {before} of them before that token. The layer is the first self-attention "
        "of the offline model’s encoder, which was trained without such a mask: the model’s decoder is recurrent and "
        "has no self-attention of its own."
    )
