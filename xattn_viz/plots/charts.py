"""Small figures whose every number can be read: a matrix, a row of bars, curves, marks over them, a layer in steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.colours import LARGE, colour, colour_scale, heading, template

if TYPE_CHECKING:
    from xattn_viz.analysis.profiles import LayerMeans
    from xattn_viz.lessons.steps import Setting

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


#: What a figure of depth shows, of those that were measured: whether layers align, how wide they look, what they cost.
OF_DEPTH = ("alignment", "speech", "entropy-share", "mean-cost")


def layer_means(
    means: Sequence[LayerMeans],
    *,
    measures: Collection[str] = OF_DEPTH,
    dark: bool = True,
    height: int | None = None,
) -> go.Figure:
    """Means over the heads of each layer with their 95 % intervals, layers counted from 1, a panel a measure.

    `means` are those of `HeadProfiles.layer_means`, of which those in `measures` are drawn; `height` is in pixels.
    Raises ValueError where none of them is there.
    """
    drawn = [one for one in means if one.name in measures]
    if not drawn:
        raise ValueError(f"None of {', '.join(measures)} is among these means of layers.")
    titles = [heading(one.title) for one in drawn]
    figure = make_subplots(len(drawn), 1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.3 / len(drawn))
    for number, one in enumerate(drawn, 1):
        value, low, high = one.layers.T.astype(float)
        numbers = list(range(1, len(value) + 1))
        unit = "" if one.unit == "share" else f" {heading(one.unit)}"
        figure.add_scatter(
            row=number,
            col=1,
            x=numbers,
            y=value.tolist(),
            error_y={"type": "data", "array": (high - value).tolist(), "arrayminus": (value - low).tolist()},
            mode="lines+markers",
            line={"width": 3, "color": colour(number - 1, dark)},
            marker={"size": 9},
            hovertemplate=f"layer %{{x}}: %{{y:.3f}}{unit}<extra></extra>",
        )
        is_share = one.unit in ("share", "F1")
        figure.update_yaxes(row=number, col=1, rangemode="tozero", automargin=True, range=[0, 1] if is_share else None)
        figure.update_xaxes(row=number, col=1, tickvals=numbers, range=[0.5, len(value) + 0.5])
    _dress(figure, "", height or 60 + 150 * len(drawn), 40, dark).update_layout(showlegend=False)
    figure.update_annotations(font={"size": LARGE})
    figure.update_xaxes(row=len(drawn), col=1, title={"text": "layer"}, automargin=True)
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


_COLUMNS = 5
_POSITIVE, _NEGATIVE = "#ffb000", "#4aa8ff"


class _Plate(NamedTuple):
    title: str
    shape: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]


def steps(setting: Setting, head: int = 0, *, dark: bool = True) -> go.Figure:
    """Every matrix of a setting from its inputs to its output, in the order of the computation, with shapes by name.

    `head` counts from 0; weights, queries, keys and values are those of this head. Colours run to the largest number
    of each matrix, amber for positive and blue for negative ones. Raises ValueError for a head that is not there.
    """
    from xattn_viz.lessons.steps import steps as compute  # brings in PyTorch, which other figures do without

    if not 0 <= head < setting.n_heads:
        raise ValueError(f"There is no head {head}: this layer has heads 0 to {setting.n_heads - 1}.")
    shown = compute(setting)
    part = slice(head * setting.d_k, (head + 1) * setting.d_k)
    queries, keys = setting.queries, setting.keys
    wide, other, narrow = (_counted(n) for n in (setting.d_model, setting.d_context, setting.d_k))
    joined = shown.heads.transpose(1, 0, 2).reshape(len(queries), -1)
    plates = [
        _Plate("x", "query × d_model", queries, wide, setting.x),
        _Plate("W_Q", "d_model × d_k", wide, narrow, setting.w_q[:, part]),
        _Plate("Q", "query × d_k", queries, narrow, shown.q[head]),
        _Plate("scores QKᵀ", "query × key", queries, keys, shown.scores[head]),
        _Plate("scaled", "query × key", queries, keys, shown.scaled[head]),
        _Plate("context", "key × d_context", keys, other, setting.context),
        _Plate("W_K", "d_context × d_k", other, narrow, setting.w_k[:, part]),
        _Plate("K", "key × d_k", keys, narrow, shown.k[head]),
        _Plate("masked", "query × key", queries, keys, shown.masked[head]),
        _Plate("weights", "query × key", queries, keys, shown.weights[head]),
        _Plate("W_V", "d_context × d_k", other, narrow, setting.w_v[:, part]),
        _Plate("V", "key × d_k", keys, narrow, shown.v[head]),
        _Plate("heads", "query × head·d_k", queries, wide, joined),
        _Plate("W_O", "head·d_k × d_model", wide, wide, setting.w_o),
        _Plate("output", "query × d_model", queries, wide, shown.output),
    ]
    return _drawn(plates, dark)


def _drawn(plates: list[_Plate], dark: bool) -> go.Figure:
    rows = -(-len(plates) // _COLUMNS)
    titles = [f"<b>{p.title}</b>  {p.shape}  {p.values.shape[0]} × {p.values.shape[1]}" for p in plates]
    figure = make_subplots(rows, _COLUMNS, subplot_titles=titles, horizontal_spacing=0.06, vertical_spacing=0.12)
    ground = "rgb(14, 15, 19)" if dark else "rgb(251, 250, 247)"
    scale = [(0, _NEGATIVE), (0.5, ground), (1, _POSITIVE)]
    for number, plate in enumerate(plates):
        place = {"row": number // _COLUMNS + 1, "col": number % _COLUMNS + 1}
        finite = np.isfinite(plate.values)
        top = max(float(np.abs(plate.values[finite]).max(initial=0)), 1e-12)
        text = [[_written(value) for value in row] for row in plate.values.tolist()]
        drawn = {"z": np.where(finite, plate.values, 0.0), "text": text, "texttemplate": "%{text}"}
        drawn["textfont"] = {"size": LARGE - 2}
        look = {"zmin": -top, "zmax": top, "colorscale": scale, "showscale": False, "xgap": 1, "ygap": 1}
        figure.add_trace(go.Heatmap(**drawn, **look, name=plate.title, hoverinfo="skip"), **place)
        figure.update_xaxes(**_step_labels(plate.columns), side="top", **place)
        figure.update_yaxes(**_step_labels(plate.rows), autorange="reversed", **place)
    figure.update_annotations(font={"size": LARGE - 2}, yshift=18)
    height = sum(_height(plates[i : i + _COLUMNS]) for i in range(0, len(plates), _COLUMNS))
    figure.update_layout(template=template(dark), height=height, margin={"l": 20, "r": 20, "t": 70, "b": 20})
    return figure


def _written(value: float) -> str:
    """Two decimals, without a minus before zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−") if np.isfinite(value) else "−∞"


def _height(line: list[_Plate]) -> int:
    return 110 + 34 * max(len(plate.rows) for plate in line)


def _step_labels(labels: tuple[str, ...]) -> dict[str, object]:
    ticks = {"tickvals": list(range(len(labels))), "ticktext": [plotly_label(label) for label in labels]}
    return {"tickmode": "array", **ticks, "showgrid": False, "zeroline": False, "automargin": True}


def _counted(count: int) -> tuple[str, ...]:
    return tuple(str(i + 1) for i in range(count))
