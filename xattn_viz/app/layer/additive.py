"""Additive attention beside dot-product attention: one alignment, what each needs, and what the scale does to each."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.lessons import dot_or_additive as lesson
from xattn_viz.models.registry import share_cores

_SPREAD_OVER = [2**power for power in range(1, 10)]


@st.fragment
def show() -> None:
    """A choice of d_k, both maps, the scores' spread against d_k, and a table of what each kind needs."""
    parts.claim(
        "Dot products grow with d_k and need 1/√d_k; additive scores do not.",
        "move d_k to both ends: which of the four curves stays level, and what do both cost in the table?",
    )
    share_cores()
    left, right = st.columns([1, 2], vertical_alignment="center")
    with left:
        d_k = st.select_slider("d_k", lesson.WIDTHS, 16, key="additive_d_k", bind="query-params")
    found = {kind: lesson.learned(kind, d_k) for kind in lesson.KINDS}
    with right:
        parts.finding(_learned(found))
    columns = st.columns(3)
    for column, (kind, one) in zip(columns, found.items(), strict=False):
        with column:
            parts.figure(
                plots.matrix(
                    one.weights,
                    rows=lesson.TARGET,
                    columns=lesson.SOURCE,
                    row_title="query",
                    column_title="key",
                    title=f"{kind.capitalize()}, trained",
                    dark=parts.is_dark(),
                    height=330,
                ),
                f"additive-{kind}",
            )
    with columns[2]:
        parts.figure(_spread(d_k), "additive-spread")
    here = lesson.spread(d_k)
    parts.seen(
        "additive",
        {"d_k": str(d_k)},
        {
            "deviation of dot products": f"{here.dot:.1f}",
            "divided by √d_k": f"{here.dot_scaled:.2f}",
            "of additive scores": f"{here.additive:.2f}",
            "weight on the right word, dot product": f"{found[lesson.KINDS[0]].on_path:.2f}",
            "additive": f"{found[lesson.KINDS[1]].on_path:.2f}",
        },
    )
    parts.finding(_scale(d_k))
    st.table(_needs())
    parts.in_a_notebook(lesson.snippet(d_k), "additive")


def _learned(found: dict[str, lesson.Learned]) -> str:
    shares = " and ".join(f"{kind} {one.on_path:.2f}" for kind, one in found.items())
    before = " and ".join(f"{one.before:.2f}" for one in found.values())
    return (
        f"After {lesson.STEPS} updates on the same sentences, the share of the weight on the right word is: {shares} "
        f"(untrained {before})."
    )


def _scale(d_k: int) -> str:
    here, last = lesson.spread(d_k), lesson.spread(_SPREAD_OVER[-1])
    return (
        f"Untrained, with the same projections: from d_k {d_k} to {_SPREAD_OVER[-1]} the standard deviation of dot "
        f"products goes from {here.dot:.1f} to {last.dot:.1f}, divided by √d_k from {here.dot_scaled:.1f} to "
        f"{last.dot_scaled:.1f}; that of additive scores from {here.additive:.1f} to {last.additive:.1f}. At d_k {d_k} "
        f"none of those can be larger than ‖v‖₁ = {here.bound:.2f}; the largest of {lesson.DRAWN**2:,} is "
        f"{here.largest:.2f}."
    )


def _spread(d_k: int) -> go.Figure:
    found = [lesson.spread(d_k) for d_k in _SPREAD_OVER]
    curves = {
        "dot": (_SPREAD_OVER, [one.dot for one in found]),
        "additive": (_SPREAD_OVER, [one.additive for one in found]),
        "dot / √d_k": (_SPREAD_OVER, [one.dot_scaled for one in found]),
        "additive / √d_k": (_SPREAD_OVER, [one.additive_scaled for one in found]),
    }
    dashed = [name for name in curves if "√" in name]
    figure = plots.lines(
        curves,
        x="d_k",
        y="deviation of scores",
        log_x=True,
        log_y=True,
        dashed=dashed,
        dark=parts.is_dark(),
        height=330,
    )
    figure.update_xaxes(tickvals=_SPREAD_OVER[::2])
    figure.update_yaxes(tickvals=[0.01, 0.1, 1, 10, 100])
    here = lesson.spread(d_k)
    return plots.ring(figure, d_k, [here.dot, here.dot_scaled, here.additive], dark=parts.is_dark())


def _needs() -> dict[str, list[str]]:
    """A column for each d_k; each cell says what dot products need and what additive scores need."""
    rows = {
        "parameters": "Parameters",
        "multiplications": "Multiplications",
        "tanhs": "tanh",
        "largest": "Numbers in the largest tensor",
    }
    table = {"Dot product / additive": list(rows.values())}
    for d_k in lesson.WIDTHS:
        dot, additive = (lesson.needs(kind, d_k, len(lesson.TARGET), len(lesson.SOURCE)) for kind in lesson.KINDS)
        table[f"d_k {d_k}"] = [f"{getattr(dot, name):,} / {getattr(additive, name):,}" for name in rows]
    return table
