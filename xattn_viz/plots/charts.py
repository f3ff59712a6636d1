"""Small figures whose every number can be read: a matrix, a row of bars, curves, and marks over them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.colours import LARGE, colour, colour_scale, heading, template

#: Above this many rows or columns no numbers are written into the cells.
MOST_NUMBERED = 16


def matrix(
    values: NDArray[Any],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_title: str = "",
    column_title: str = "",
    title: str = "",
    top: float | None = 1.0,
    dark: bool = True,
    height: int | None = None,
) -> go.Figure:
    """`values` `[row, column]` by colour and, where they are few, in figures; the first row is on top.

    Colours run from 0 to `top`, or over the matrix's own range where `top` is None. Labels cannot act as tags.
    Raises ValueError where labels and shape differ.
    """
    values = np.asarray(values, np.float64)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"{len(rows)} rows and {len(columns)} columns are named, the matrix is {values.shape}.")
    numbered = max(values.shape) <= MOST_NUMBERED
    figure = go.Figure(
        go.Heatmap(
            z=values,
            zmin=0 if top is not None else None,
            zmax=top,
            colorscale=colour_scale("magma", dark),
            showscale=False,
            texttemplate="%{z:.2f}" if numbered else None,
            textfont={"size": LARGE - 2},
            hovertemplate="row %{y}, column %{x}: %{z:.4f}<extra></extra>",
        )
    )
    _dress(figure, title, height or min(640, 34 * len(rows) + (150 if title else 110)), 50 if title else 20, dark)
    figure.update_xaxes(**_labelled(columns, column_title), showgrid=False, zeroline=False)
    figure.update_yaxes(**_labelled(rows, row_title), showgrid=False, zeroline=False, autorange="reversed")
    return figure


def bars(
    values: Sequence[float],
    *,
    labels: Sequence[str],
    x: str = "",
    y: str = "",
    title: str = "",
    lit: Collection[int] = (),
    top: float | None = 1.0,
    dark: bool = True,
    height: int = 260,
) -> go.Figure:
    """A bar a value; `lit` are the positions drawn in the accent. The axis runs from 0 to `top`, or as it needs.

    `height` is in pixels. Raises ValueError where there are not as many labels as values.
    """
    if len(values) != len(labels):
        raise ValueError(f"{len(labels)} labels were given for {len(values)} bars.")
    figure = go.Figure(
        go.Bar(
            x=list(range(len(values))),
            y=list(values),
            marker={"color": [colour(0 if i in lit else 1, dark) for i in range(len(values))]},
            hovertemplate="%{x}: %{y:.4f}<extra></extra>",
        )
    )
    _dress(figure, title, height, 40 if title else 20, dark).update_layout(bargap=0.25)
    figure.update_xaxes(**_labelled(labels, x))
    figure.update_yaxes(title={"text": heading(y)}, automargin=True)
    figure.update_yaxes(range=[0, top]) if top is not None else figure.update_yaxes(rangemode="tozero")
    return figure


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    dashed: Collection[str] = (),
    mark: float | None = None,
    dark: bool = True,
    height: int = 360,
) -> go.Figure:
    """Curves by name, each (x values, y values), over axes titled `x` and `y`.

    `dashed` names those drawn dashed, `mark` the place on the x axis that is looked at. The names stand above the
    figure; `height` is in pixels. Raises ValueError where a curve's lengths differ.
    """
    figure = go.Figure()
    for number, (name, (xs, ys)) in enumerate(curves.items()):
        if len(xs) != len(ys):
            raise ValueError(f"The curve {name!r} has {len(xs)} x values and {len(ys)} y values.")
        figure.add_scatter(
            x=list(xs),
            y=list(ys),
            name=heading(name),
            mode="lines" if len(xs) > 40 else "lines+markers",
            line={"width": 3, "color": colour(number, dark), "dash": "dash" if name in dashed else "solid"},
            marker={"size": 8},
        )
    _dress(figure, "", height, 20, dark)
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0}
    figure.update_layout(legend=legend, showlegend=len(curves) > 1)
    if mark is not None:
        figure.add_vline(mark, line={"width": 2, "dash": "dot", "color": "#999999"})
    figure.update_xaxes(title={"text": heading(x)}, type="log" if log_x else "linear", automargin=True)
    figure.update_yaxes(title={"text": heading(y)}, type="log" if log_y else "linear", automargin=True)
    return figure


def _dress(figure: go.Figure, title: str, height: int, top: int, dark: bool) -> go.Figure:
    """The ground, the type and the margins that these figures share; `top` is the upper margin in pixels."""
    return figure.update_layout(
        template=template(dark),
        title={"text": heading(title), "font": {"size": LARGE}},
        font={"size": LARGE},
        height=height,
        margin={"l": 20, "r": 20, "t": top, "b": 20},
    )


def _labelled(labels: Sequence[str], title: str) -> dict[str, Any]:
    """An axis of positions, each with its label: Plotly would merge equal labels on an axis of categories."""
    ticks = {"tickvals": list(range(len(labels))), "ticktext": [plotly_label(label) for label in labels]}
    return {"tickmode": "array", **ticks, "title": {"text": heading(title)}, "automargin": True}


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
