"""Curves over one axis: how a number moves with another one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go

from xattn_viz.plots.look import LARGE, colour, heading, template


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
    figure.update_layout(
        template=template(dark),
        height=height,
        margin={"l": 20, "r": 20, "t": 20, "b": 20},
        font={"size": LARGE},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        showlegend=len(curves) > 1,
    )
    if mark is not None:
        figure.add_vline(mark, line={"width": 2, "dash": "dot", "color": "#999999"})
    figure.update_xaxes(title={"text": heading(x)}, type="log" if log_x else "linear", automargin=True)
    figure.update_yaxes(title={"text": heading(y)}, type="log" if log_y else "linear", automargin=True)
    return figure
