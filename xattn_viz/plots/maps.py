"""A map as a Plotly figure, for notebooks and the panel of a chosen head, and tensors as rectangles to scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import plotly_label
from xattn_viz.core.view import Rows, Scale, SelectedMap, select
from xattn_viz.inputs.audio import MEL_RATE, RATE
from xattn_viz.plots.colours import LARGE, ColourMap, colour, colour_scale, template
from xattn_viz.plots.svg import pooled, thinned

#: Above this many cells a hover has Plotly's own words: a sentence a cell would weigh more than the map.
MAX_SENTENCES = 10_000
#: The most labels that an axis gets; beyond it every second, third, … position is labelled.
MAX_TICKS = 60
#: The most columns that frames of sound get. Plotly leaves out columns thinner than a pixel, peaks and all.
MAX_FRAMES = 400
_SOUND_HEIGHT = 110  # pixels


def heatmap(
    maps: AttentionMaps,
    layer: int = -1,
    head: int | None = 0,
    *,
    rows: Rows = "predicted",
    scale: Scale = "head",
    colour_map: ColourMap = "magma",
    dark: bool = True,
    sound: NDArray[Any] | str | None = None,
) -> go.Figure:
    """The weights of one head as a heatmap: rows are queries, from the top, columns keys; `head=None` is the mean.

    `layer` and `head` count from 0, the title counts them from 1 and says so. `rows` names rows for the token predicted
    or for the input token, `scale` ends the colours at this map's maximum ("head") or at that of all heads ("common").
    `dark` picks the ground. Hovering says the weight in words. Labels cannot act as tags.

    Frames of sound lie on an axis in seconds, without padding. Above `MAX_FRAMES` a column is the largest of two,
    three, … frames, so that no peak is lost, and the axis says so. `sound` is the `input` of the trace of speech, to be
    drawn above the map on the same axis: a log-mel spectrogram `[mel, frame]`, or samples `[sample]`, of which the
    loudest in each frame is drawn.

    Raises ValueError for a layer, head or option that is not there, and for `sound` where keys are no frames of it.
    """
    chosen = _drawable(select(maps, layer, head, scale=scale, rows=rows))
    height = min(1000, max(320, 22 * len(chosen.queries) + 190))
    figure = go.Figure(
        go.Heatmap(
            z=chosen.weights.astype(np.float32, copy=False),  # Plotly writes halves out digit by digit
            x=_places(chosen.keys),
            y=_places(chosen.queries),
            zmin=0,
            zmax=chosen.top,
            colorscale=colour_scale(colour_map, dark),
            colorbar={"title": {"text": f"{chosen.what} ({colour_map},<br>{chosen.scale_name})"}, "tickformat": ".2f"},
            **_hover(chosen),
        )
    )
    figure.update_layout(
        title={"text": chosen.title},
        template=template(dark),
        height=height + (0 if sound is None else _SOUND_HEIGHT),
        margin={"l": 20, "r": 20, "t": 60, "b": 20},
    )
    figure.update_xaxes(**_axis(chosen.keys, chosen.keys_title))
    figure.update_yaxes(**_axis(chosen.queries, chosen.rows_title), autorange=False)
    figure.update_yaxes(range=figure.layout.yaxis.range[::-1])  # the first row on top
    if not chosen.keys.is_timed:
        figure.update_xaxes(tickangle=-50)
    if sound is not None:
        _draw_sound(figure, sound, chosen.keys, _SOUND_HEIGHT / (height + _SOUND_HEIGHT), dark=dark)
    return figure


def _drawable(chosen: SelectedMap) -> SelectedMap:
    """The same with columns that are wide enough to be drawn, each the largest of some frames."""
    drawn = pooled(chosen, MAX_FRAMES)
    if drawn is chosen:
        return chosen
    size = -(-len(chosen.keys) // MAX_FRAMES)
    return replace(drawn, keys_title=f"{chosen.keys_title}; a column is the largest of {size} frames")


def _seconds(axis: Axis) -> NDArray[np.float64]:
    """The start and end of each frame, `[frame, 2]`."""
    return np.array(axis.times, np.float64).reshape(-1, 2)


def _places(axis: Axis) -> NDArray[np.float64] | None:
    """The middle of each frame in seconds; None for whole numbers from 0."""
    return _seconds(axis).mean(axis=1).round(6) if axis.is_timed else None


def _draw_sound(figure: go.Figure, sound: Any, keys: Axis, share: float, *, dark: bool) -> None:
    """The sound in the upper `share` of the figure, on the axis of the keys."""
    if isinstance(sound, str) or np.ndim(sound) not in (1, 2) or not keys.is_timed:
        wanted = "a log-mel spectrogram [mel, frame] or samples [sample]"
        raise ValueError(f"`sound` is {wanted}, above a map whose keys are frames of it, as in a trace of speech.")
    times = _seconds(keys)
    drawn = _log_mel(sound, times, dark=dark) if sound.ndim == 2 else _loudest(sound, times)
    figure.add_trace(drawn.update(hoverinfo="skip", yaxis="y2"))
    title = "log-mel" if sound.ndim == 2 else "loudest"
    figure.update_layout(
        yaxis={"domain": [0, 1 - share]},
        yaxis2={"domain": [1.02 - share, 1], "title": {"text": title}, "showticklabels": False, "showgrid": False},
    )


def _log_mel(sound: NDArray[Any], times: NDArray[np.float64], *, dark: bool) -> go.Heatmap:
    shown = sound[:, : round((times[-1, 1] - times[0, 0]) * MEL_RATE)].astype(np.float32)
    size = -(-shown.shape[1] // (2 * MAX_FRAMES))  # the mean of some: also wide enough to be drawn
    firsts = np.arange(0, shown.shape[1], size)
    counts = np.diff([*firsts, shown.shape[1]])
    means = np.add.reduceat(shown, firsts, axis=1) / counts
    floor = means.min()
    levels = (means - floor) / max(means.max() - floor, 1e-9) * 255  # 256 of them: a quarter of the bytes
    seconds = times[0, 0] + (firsts + counts / 2) / MEL_RATE
    grey = colour_scale("grey", dark)
    return go.Heatmap(z=np.rint(levels).astype(np.uint8), x=seconds.round(6), colorscale=grey, showscale=False)


def _loudest(sound: NDArray[Any], times: NDArray[np.float64]) -> go.Scatter:
    starts = np.rint((times[:, 0] - times[0, 0]) * RATE).astype(int)
    peaks = np.maximum.reduceat(np.abs(sound), starts[starts < len(sound)])
    return go.Scatter(x=times.mean(axis=1)[: len(peaks)].round(6), y=peaks, fill="tozeroy", mode="none")


def _axis(axis: Axis, title: str) -> dict[str, Any]:
    """Positions as integers with labels beside them: Plotly would merge equal labels on an axis of categories.

    Frames of sound are placed by their seconds, which Plotly counts by itself.
    """
    common = {"title": {"text": title}, "automargin": True, "showgrid": False, "zeroline": False}
    if axis.is_timed:
        times = axis.times or ()
        return {**common, "range": [times[0][0], times[-1][1]]}
    shown = thinned(len(axis), MAX_TICKS)
    return {
        **common,
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": [plotly_label(axis.name(i)) for i in shown],
        "range": [-0.5, len(axis) - 0.5],
    }


def _hover(chosen: SelectedMap) -> dict[str, Any]:
    if chosen.weights.size > MAX_SENTENCES or chosen.keys.is_timed:
        said = chosen.sentence(_hovered(chosen.queries, "y", "row"), _hovered(chosen.keys, "x", "column"), "%{z:.2f}")
        return {"hovertemplate": said + "<extra></extra>"}
    queries, keys = ([plotly_label(axis.name(i)) for i in range(len(axis))] for axis in (chosen.queries, chosen.keys))
    text = [
        [chosen.sentence(query, key, f"{weight:.2f}") for key, weight in zip(keys, row, strict=True)]
        for query, row in zip(queries, chosen.weights.tolist(), strict=True)
    ]
    return {"hovertext": text, "hoverinfo": "text"}


def _hovered(axis: Axis, letter: str, place: str) -> str:
    """Plotly's own words for the position under the pointer: its label, where every position has one."""
    if axis.is_timed:
        return f"%{{{letter}:.2f}} s"
    return f"%{{{letter}}}" if len(axis) <= MAX_TICKS else f"{place} %{{{letter}}}"


Shape = Mapping[str, int]

# The figure's own units are pixels at this size; in another place all of it grows or shrinks together.
_WIDTH, _HEIGHT = 1200, 520
_GAP, _LABEL, _BETWEEN, _HEAD_GAP = 48, 50, 22, 4
_LEAST = 190  # a label needs as much
_MOST_PER_POSITION = 16.0
_SIDE = 4
# The axes whose lengths are to be followed through the computation, on a dark and on a light ground; others are grey.
_COLOURS = {
    dark: {"query": colour(0, dark), "key": colour(1, dark), "": grey}
    for dark, grey in ((True, "#b9b6ae"), (False, "#66625b"))
}


def boxes(rows: Sequence[Mapping[str, Shape]], *, dark: bool = True) -> go.Figure:
    """Rows of tensors by name, each with its shape as {axis: size}: the last two axes are drawn, to one scale.

    Where there are three, the first counts heads, which stand beside each other. Sides along the axes `query` and `key`
    have a colour of their own, so that sides of one colour are equally long.
    """
    scale, colours = _scale(rows), _COLOURS[dark]
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    top = 0.0
    for row in rows:
        left = 0.0
        for name, shape in row.items():
            notes.append(_label(name, shape, left, top, colours))
            shapes.extend(_sides(shape, left, top + _LABEL, scale, colours))
            left += max(_wide(shape, scale), _LEAST) + _GAP
        top += _LABEL + max(map(_high, row.values())) * scale + _BETWEEN
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout = {
        "template": template(dark),
        "height": round(top),
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "font": {"size": LARGE},
        "xaxis": {**axis, "range": [-_SIDE, _WIDTH], "constraintoward": "left"},
        "yaxis": {**axis, "range": [top, 0], "constraintoward": "top", "scaleanchor": "x"},
        "shapes": shapes,  # all at once: a figure that is added to shape by shape takes seconds
        "annotations": notes,
    }
    return go.Figure(go.Scatter(x=[], y=[]), layout)


def _sides(shape: Shape, left: float, top: float, scale: float, colours: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The rectangle of each head of one tensor: a faint ground, and a coloured side for each axis."""
    (down, high), (across, wide) = list(shape.items())[-2:]
    bottom = top + high * scale
    for head in range(_heads(shape)):
        x0 = left + head * (wide * scale + _HEAD_GAP)
        x1 = x0 + wide * scale
        ground = {"fillcolor": _colour(down, colours), "opacity": 0.22, "line": {"width": 0}}
        yield {"type": "rect", "x0": x0, "x1": x1, "y0": top, "y1": bottom, **ground}
        for x, y, axis in ((x0, bottom, down), (x1, top, across)):
            side = {"width": _SIDE, "color": _colour(axis, colours)}
            yield {"type": "line", "x0": x0, "y0": top, "x1": x, "y1": y, "line": side}


def _label(name: str, shape: Shape, left: float, top: float, colours: Mapping[str, str]) -> dict[str, Any]:
    """Name and sizes, and below them what each size counts."""
    sizes = " × ".join(str(size) for size in shape.values())
    axes = " × ".join(f'<span style="color:{_colour(axis, colours)}">{plotly_label(axis)}</span>' for axis in shape)
    text = f"<b>{plotly_label(name)}</b>  {sizes}<br>{axes}"
    place = {"x": left, "y": top + _LABEL - 6, "xanchor": "left", "yanchor": "bottom", "xshift": -2}
    return {"text": text, "align": "left", "showarrow": False, **place}


def _scale(rows: Sequence[Mapping[str, Shape]]) -> float:
    """How many units one position is, so that every row fits the width and all of them the height."""
    across = [
        (_WIDTH - _GAP * len(row) - _HEAD_GAP * sum(map(_heads, row.values())))
        / sum(_heads(shape) * list(shape.values())[-1] for shape in row.values())
        for row in rows
    ]
    down = (_HEIGHT - len(rows) * (_LABEL + _BETWEEN)) / sum(max(map(_high, row.values())) for row in rows)
    return min(_MOST_PER_POSITION, down, *across)


def _heads(shape: Shape) -> int:
    return next(iter(shape.values())) if len(shape) == 3 else 1


def _high(shape: Shape) -> int:
    return list(shape.values())[-2]


def _wide(shape: Shape, scale: float) -> float:
    heads, wide = _heads(shape), list(shape.values())[-1]
    return heads * wide * scale + (heads - 1) * _HEAD_GAP


def _colour(axis: str, colours: Mapping[str, str]) -> str:
    return colours.get(axis, colours[""])
