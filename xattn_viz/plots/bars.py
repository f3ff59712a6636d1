"""One row of numbers as bars, each over its label."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import plotly.graph_objects as go

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.look import LARGE, colour, heading, template


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
    figure.update_layout(
        template=template(dark),
        title={"text": heading(title), "font": {"size": LARGE}},
        font={"size": LARGE},
        height=height,
        margin={"l": 20, "r": 20, "t": 40 if title else 20, "b": 20},
        bargap=0.25,
    )
    figure.update_xaxes(
        tickmode="array",
        tickvals=list(range(len(labels))),
        ticktext=[plotly_label(label) for label in labels],
        title={"text": heading(x)},
        automargin=True,
    )
    figure.update_yaxes(title={"text": heading(y)}, automargin=True)
    figure.update_yaxes(range=[0, top]) if top is not None else figure.update_yaxes(rangemode="tozero")
    return figure
