"""Tensors as rectangles to scale, each with its name and its shape by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots.colours import LARGE, colour, template

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
