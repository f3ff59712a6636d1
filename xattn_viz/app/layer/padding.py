"""Padding behind a sentence, with a mask and without: part of the section on masks."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import plots
from xattn_viz.app.layer import offline, parts
from xattn_viz.lessons import masking
from xattn_viz.lessons.masking import Padded, padded

MOST_PADDING = 6


def show(text: str, columns: Sequence[DeltaGenerator]) -> None:
    """The map with padding behind the sentence, and how much leaks there. The controls stand in `columns` 2 to 4."""
    layer, head = offline.cross_head(columns[2], "1.7", "padding-head")
    padding: int = columns[3].slider("Padding positions", 0, MOST_PADDING, 4, key="padding", bind="query-params")
    masked: bool = columns[4].toggle("Mask", key="padding-mask", bind="query-params")
    shown = offline.asked(padded, text, padding, masked, layer)
    if shown is None:
        return
    left, right = st.columns([3, 2])
    with left:
        _padded_map(shown, padding, head)
    with right:
        _leaks(text, padding, layer, head)
    parts.finding(_said_of_padding(shown, padding, masked, layer, head))
    parts.in_a_notebook(masking.padding_snippet(text, padding, masked, layer, head), "padding")


def _padded_map(shown: Padded, padding: int, head: int) -> None:
    figure = plots.matrix(
        shown.weights[head],
        rows=shown.queries,
        columns=shown.keys,
        row_title="predicted",
        column_title="read",
        dark=parts.is_dark(),
    )
    if padding:
        plots.name_parts(figure, {"words": len(shown.keys) - padding, "padding": padding}, dark=parts.is_dark())
    parts.figure(figure, "padding-map")


def _leaks(text: str, padding: int, layer: int, head: int) -> None:
    counts = list(range(MOST_PADDING + 1))
    curves = {
        name: (counts, [float(padded(text, count, masked, layer).leaked[head]) for count in counts])
        for name, masked in (("with the mask", True), ("without", False))
    }
    figure = plots.lines(
        curves,
        x="padding positions",
        y="weight on padding, mean of rows",
        mark=padding,
        dark=parts.is_dark(),
        height=420,
    )
    figure.update_yaxes(rangemode="tozero")
    parts.figure(figure, "padding-leak")


def _said_of_padding(shown: Padded, padding: int, masked: bool, layer: int, head: int) -> str:
    place = f"Head {head + 1} of decoder layer {layer + 1} of the offline translation model"
    on = f"on {padding} padding position{'' if padding == 1 else 's'}"
    if not padding:
        return f"{place}, on the sentence alone: nothing to mask."
    if masked:
        return (
            f"{place} puts exactly {shown.leaked[head]:g} {on}. The output of the layer is that of the sentence alone, "
            f"up to the rounding of float32: it moves by {shown.moved:.0e} of its norm."
        )
    return (
        f"{place} puts {shown.leaked[head]:.0%} of its weight {on}, all heads of the layer {shown.leaked.mean():.0%}. "
        f"The output of the layer moves by {shown.moved:.0%} of its norm."
    )
