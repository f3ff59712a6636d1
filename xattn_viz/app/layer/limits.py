"""Attention limited to a window or to the top k of each row, beside all of it."""

from __future__ import annotations

from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.core.view import head_title
from xattn_viz.lessons import masking
from xattn_viz.lessons.masking import Limited, LimitKind, limited

SENTENCE = "The old man sold his little red boat to my grandfather."
KINDS: dict[LimitKind, str] = {"window": "Window", "top k": "Top k"}
MOST = 8


@st.fragment
def show() -> None:
    """The map with all keys, the limited one, and what every limit of both kinds loses."""
    parts.claim(
        "A limit on the keys saves work and cuts off weight: how much of each?",
        "widen the window until little weight is lost; how many keys does top k need for the same?",
    )
    columns = st.columns([2, 4, 2, 3], vertical_alignment="bottom")
    kind: LimitKind = columns[0].segmented_control(
        "Attend to",
        list(KINDS),
        format_func=lambda kind: KINDS[kind],
        key="limit",
        default="window",
        required=True,
        bind="query-params",
    )
    text = parts.sentence_input(columns[1], SENTENCE, "limited-text")
    layer, head = parts.head_input(columns[2], "2.1", "limited-head")
    name, least = ("keys to either side", 0) if kind == "window" else ("keys of each row, k", 1)
    amount: int = columns[3].slider(name.capitalize(), least, MOST, 1, key=f"limit-{least}", bind="query-params")
    shown = parts.run_lesson(limited, text, kind, amount, layer, head)
    if shown is None:
        return
    _figures(shown, kind, partial(_limited, text, layer, head))
    parts.seen(
        "limits",
        {"sentence": text, "by": head_title(layer, head), "limit": f"{KINDS[kind].lower()} {amount}"},
        {
            "pairs kept": f"{shown.kept / shown.pairs:.0%}",
            "weight cut off": f"{shown.lost:.0%}",
            "output moved by": f"{shown.moved:.0%} of its norm",
        },
    )
    parts.finding(_said(shown, kind, amount))
    parts.in_a_notebook(masking.limit_snippet(text, kind, amount, layer, head), "limits")


def _limited(text: str, layer: int, head: int, kind: LimitKind, amount: int) -> Limited:
    return limited(text, kind, amount, layer, head)


def _figures(shown: Limited, kind: LimitKind, limit: partial[Limited]) -> None:
    left, middle, right = st.columns([5, 5, 4])
    with left:
        parts.figure(_map(shown, shown.full, "all keys"), "limits-full")
    with middle:
        parts.figure(_map(shown, shown.limited, KINDS[kind].lower()), "limits-limited")
    with right:
        parts.figure(_losses(shown, limit), "limits-lost")


def _map(shown: Limited, weights: NDArray[np.float32], title: str) -> go.Figure:
    figure = plots.matrix(
        weights, rows=shown.queries, columns=shown.keys, title=title, dark=parts.is_dark(), height=450
    )
    return figure.update_traces(texttemplate=None)


def _losses(shown: Limited, limit: partial[Limited]) -> go.Figure:
    curves = {}
    for kind, title in KINDS.items():
        tried = [limit(kind, amount) for amount in range(kind == "top k", MOST + 1)]
        curves[title.lower()] = ([one.kept / one.pairs for one in tried], [one.lost for one in tried])
    figure = plots.lines(
        curves,
        x="query–key pairs kept",
        y="weight cut off",
        mark=shown.kept / shown.pairs,
        dark=parts.is_dark(),
        height=450,
    )
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    return figure.update_yaxes(tickformat=".0%", rangemode="tozero")


def _said(shown: Limited, kind: LimitKind, amount: int) -> str:
    reach = f"A window of {amount} to either side" if kind == "window" else f"The top {amount} of each row"
    saved = (
        f"A kernel that leaves out the rest needs {shown.multiplications:,} multiplications for this head instead of "
        f"{shown.full_multiplications:,} ({shown.multiplications / shown.full_multiplications:.0%})"
    )
    all_scored = (
        f"; all {shown.pairs} scores have to be computed before the top ones are known"
        if kind == "top k"
        else "; it lies along the diagonal, so words that change places fall out of it"
    )
    return (
        f"{reach} keeps {shown.kept} of {shown.pairs} pairs of query and key. It cuts off {shown.lost:.0%} of the "
        f"weight, and the head’s output moves by {shown.moved:.0%} of its norm. {saved}{all_scored}. This page only "
        "masks, which saves nothing."
    )
