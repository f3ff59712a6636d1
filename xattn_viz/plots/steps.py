"""Each step of one small layer as matrices in one figure, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.colours import LARGE, template

if TYPE_CHECKING:
    from xattn_viz.lessons.steps import Setting

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
        figure.update_xaxes(**_labelled(plate.columns), side="top", **place)
        figure.update_yaxes(**_labelled(plate.rows), autorange="reversed", **place)
    figure.update_annotations(font={"size": LARGE - 2}, yshift=18)
    height = sum(_height(plates[i : i + _COLUMNS]) for i in range(0, len(plates), _COLUMNS))
    figure.update_layout(template=template(dark), height=height, margin={"l": 20, "r": 20, "t": 70, "b": 20})
    return figure


def _written(value: float) -> str:
    """Two decimals, without a minus before zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−") if np.isfinite(value) else "−∞"


def _height(line: list[_Plate]) -> int:
    return 110 + 34 * max(len(plate.rows) for plate in line)


def _labelled(labels: tuple[str, ...]) -> dict[str, object]:
    ticks = {"tickvals": list(range(len(labels))), "ticktext": [plotly_label(label) for label in labels]}
    return {"tickmode": "array", **ticks, "showgrid": False, "zeroline": False, "automargin": True}


def _counted(count: int) -> tuple[str, ...]:
    return tuple(str(i + 1) for i in range(count))
