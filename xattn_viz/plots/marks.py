"""Marks over what is drawn: a row that is spoken of, where one part of the keys ends, points of a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.look import LARGE, colour


def light_row(figure: go.Figure, row: int, *, dark: bool = True) -> go.Figure:
    """Frame a row of a matrix, counted from 0 at the top, and return the figure."""
    columns = len(figure.data[0].z[0])
    frame = {"color": colour(0, dark), "width": 3}
    figure.add_shape(type="rect", x0=-0.5, x1=columns - 0.5, y0=row - 0.5, y1=row + 0.5, line=frame)
    return figure


def name_parts(figure: go.Figure, parts: Mapping[str, int], *, dark: bool = True) -> go.Figure:
    """Name stretches of a matrix's columns above it, by how many columns each has, and return the figure."""
    begin = 0
    for name, columns in parts.items():
        if begin:
            figure.add_vline(x=begin - 0.5, line={"color": colour(0, dark), "width": 4})
        figure.add_annotation(
            x=begin + (columns - 1) / 2,
            y=1,
            yref="paper",
            yanchor="bottom",
            text=plotly_label(name, limit=48),
            showarrow=False,
            font={"size": LARGE},
        )
        begin += columns
    figure.update_layout(margin={"t": max(figure.layout.margin.t or 0, 30)})
    return figure


def ring(figure: go.Figure, x: float, ys: Sequence[float], *, dark: bool = True) -> go.Figure:
    """Draw a ring around points of curves that share their x, and return the figure."""
    marker = {"symbol": "circle-open", "size": 18, "color": "#ffffff" if dark else "#000000", "line": {"width": 2}}
    figure.add_scatter(x=[x] * len(ys), y=list(ys), mode="markers", marker=marker, showlegend=False, hoverinfo="skip")
    return figure
