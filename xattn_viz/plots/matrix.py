"""One small matrix with its numbers in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.look import LARGE, colour_scale, heading, template

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
    figure.update_layout(
        template=template(dark),
        title={"text": heading(title), "font": {"size": LARGE}},
        font={"size": LARGE},
        height=height or min(640, 34 * len(rows) + (150 if title else 110)),
        margin={"l": 20, "r": 20, "t": 50 if title else 20, "b": 20},
    )
    for update, labels, name in (
        (figure.update_xaxes, columns, column_title),
        (figure.update_yaxes, rows, row_title),
    ):
        update(
            tickmode="array",
            tickvals=list(range(len(labels))),
            ticktext=[plotly_label(label) for label in labels],
            title={"text": heading(name)},
            automargin=True,
            showgrid=False,
            zeroline=False,
        )
    figure.update_yaxes(autorange="reversed")
    return figure
