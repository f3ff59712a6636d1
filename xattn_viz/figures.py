"""Plotly figures of maps, for notebooks and the panel of a chosen head."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from xattn_viz import colours
from xattn_viz.axis import Axis
from xattn_viz.colours import ColourMap
from xattn_viz.maps import AttentionMaps
from xattn_viz.selection import Chosen, Rows, Scale, choose, thinned
from xattn_viz.tokens import plotly_label

#: Above this many cells a hover names positions instead of tokens: a sentence a cell would weigh more than the map.
MAX_SENTENCES = 10_000
#: The most labels that an axis gets; beyond it every second, third, … position is labelled.
MAX_TICKS = 60


def heatmap(
    maps: AttentionMaps,
    layer: int = -1,
    head: int | None = 0,
    *,
    rows: Rows = "predicted",
    scale: Scale = "head",
    colour_map: ColourMap = "magma",
    dark: bool = True,
) -> go.Figure:
    """The weights of one head as a heatmap: rows are queries, from the top, columns keys; `head=None` is the mean.

    `layer` and `head` count from 0, the title counts them from 1 and says so. `rows` names rows for the token predicted
    or for the input token, `scale` ends the colours at this map's maximum ("head") or at that of all heads ("common").
    `dark` picks the ground. Hovering says the weight in words. Labels cannot act as tags. Raises ValueError for a
    layer, head or option that is not there.
    """
    chosen = choose(maps, layer, head, scale=scale, rows=rows)
    figure = go.Figure(
        go.Heatmap(
            z=chosen.weights,
            zmin=0,
            zmax=chosen.top,
            colorscale=_colour_scale(colour_map, dark),
            colorbar={"title": {"text": f"weight ({colour_map},<br>{chosen.scale_name})"}, "tickformat": ".2f"},
            **_hover(chosen),
        )
    )
    figure.update_layout(
        title={"text": chosen.title},
        template="plotly_dark" if dark else "plotly_white",
        height=min(1000, max(320, 22 * len(chosen.queries) + 190)),
        margin={"l": 20, "r": 20, "t": 60, "b": 20},
    )
    figure.update_xaxes(**_axis(chosen.keys, chosen.keys_title), tickangle=-50, range=[-0.5, len(chosen.keys) - 0.5])
    figure.update_yaxes(**_axis(chosen.queries, chosen.rows_title), range=[len(chosen.queries) - 0.5, -0.5])
    return figure


def _colour_scale(colour_map: ColourMap, dark: bool) -> list[tuple[float, str]]:
    """The stops as rgb(): Streamlit repaints some near-black colours written as #00000n, magma's first among them."""
    stops = colours.stops(colour_map, dark=dark)
    channels = ([int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops)
    return [(i / (len(stops) - 1), "rgb({}, {}, {})".format(*rgb)) for i, rgb in enumerate(channels)]


def _axis(axis: Axis, title: str) -> dict[str, Any]:
    """Positions as integers with labels beside them: Plotly would merge equal labels on an axis of categories."""
    shown = thinned(len(axis), MAX_TICKS)
    return {
        "title": {"text": title},
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": [plotly_label(axis.name(i)) for i in shown],
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
    }


def _hover(chosen: Chosen) -> dict[str, Any]:
    if chosen.weights.size > MAX_SENTENCES:
        template = chosen.sentence("row %{y}", "column %{x}", "%{z:.2f}")
        return {"hovertemplate": template + "<extra></extra>"}
    queries, keys = ([plotly_label(axis.name(i)) for i in range(len(axis))] for axis in (chosen.queries, chosen.keys))
    text = [
        [chosen.sentence(query, key, f"{weight:.2f}") for key, weight in zip(keys, row, strict=True)]
        for query, row in zip(queries, chosen.weights.tolist(), strict=True)
    ]
    return {"hovertext": text, "hoverinfo": "text"}
