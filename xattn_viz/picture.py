"""A map as an SVG picture with its labels, for papers and slides: vectors only, no script, no network."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from xattn_viz import colours
from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps
from xattn_viz.selection import Rows, Scale, choose, thinned
from xattn_viz.tokens import short_label

_FONT = 13  # pixels
_MARGIN = 16
_INK, _GROUND = "#1d1b18", "#ffffff"
_SLANT = 50  # degrees that the labels of columns are turned by


@dataclass(frozen=True)
class _Grid:
    """Where the cells lie, in pixels: the map's upper left corner and the size of a cell."""

    left: float
    top: float
    width: float
    height: float


def svg(
    maps: AttentionMaps,
    layer: int = -1,
    head: int | None = 0,
    *,
    rows: Rows = "predicted",
    scale: Scale = "head",
    colour_map: colours.ColourMap = "magma",
) -> str:
    """The weights of one head as a picture on a light ground: labels, title, and a colour bar that names its scale.

    `layer` and `head` count from 0 (`head=None`: the mean over the layer's heads), the title counts from 1 and says so.
    Weights are drawn in 256 colours, at most 0.002 of the scale's end from the weight. Where labels would overlap, only
    every second, third, … is drawn. Raises ValueError for a layer, head or option that is not there.
    """
    chosen = choose(maps, layer, head, scale=scale, rows=rows)
    table = [f"#{bytes(colour).hex()}" for colour in colours.table(colour_map, dark=False)]
    grid = _placed(chosen.queries, chosen.keys)
    right, bottom = grid.left + grid.width * len(chosen.keys), grid.top + grid.height * len(chosen.queries)
    bottom = max(bottom, grid.top + 128)
    size = (max(right + 90, 480), bottom + 2 * (_FONT + _MARGIN) + 6)
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img", direction="ltr")
    root.set("width", f"{size[0]:.0f}")
    root.set("height", f"{size[1]:.0f}")
    root.set("viewBox", f"0 0 {size[0]:.0f} {size[1]:.0f}")
    root.set("font-family", "Inter, 'Noto Sans', 'Segoe UI', Helvetica, Arial, sans-serif")
    root.set("font-size", str(_FONT))
    root.set("fill", _INK)
    ET.SubElement(root, "title").text = chosen.title
    ET.SubElement(root, "rect", width="100%", height="100%", fill=_GROUND)
    _write(root, chosen.title, _MARGIN, _MARGIN + _FONT, weight="600")
    _cells(root, chosen.weights, chosen.top, table, grid)
    _row_labels(root, chosen.queries, grid)
    _column_labels(root, chosen.keys, grid)
    _write(root, f"Rows: {chosen.rows_title}. Columns: {chosen.keys_title}.", _MARGIN, bottom + _FONT + _MARGIN)
    _colour_bar(root, table, chosen.top, right + 24, grid.top)
    _write(root, f"weight: {colour_map}, reversed, {chosen.scale_name}", _MARGIN, bottom + 2 * (_FONT + _MARGIN) - 8)
    return ET.tostring(root, encoding="unicode")


def _placed(queries: Axis, keys: Axis) -> _Grid:
    """Cells as large as fits 900 × 700 pixels, at most 32 wide and high, beside the labels that they need."""
    longest = [
        max((_text_width(short_label(axis.name(i))) for i in range(len(axis))), default=0.0) for axis in (queries, keys)
    ]
    rise = longest[1] * np.sin(np.radians(_SLANT))
    return _Grid(
        left=_MARGIN + longest[0] + 8,
        top=2 * _MARGIN + _FONT + float(rise) + 14,
        width=min(32.0, 900 / max(1, len(keys))),
        height=min(32.0, 700 / max(1, len(queries))),
    )


def _text_width(text: str) -> float:
    """Roughly how wide a text is in pixels: nothing here can measure a font, so wide scripts count double."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    unseen = sum(unicodedata.category(c) in ("Cf", "Mn") for c in text)
    return _FONT * (0.58 * (len(text) - wide - unseen) + wide)


def _cells(root: ET.Element, weights: NDArray[np.floating], top: float, table: list[str], grid: _Grid) -> None:
    """One path a colour; neighbours of one colour in a row share a rectangle."""
    levels = np.rint(np.clip(weights.astype(np.float64) / top, 0, 1) * 255).astype(int)
    drawn: dict[int, list[str]] = defaultdict(list)
    for row, line in enumerate(levels.tolist()):
        column = 0
        for level, run in groupby(line):
            length = len(list(run))
            drawn[level].append(f"M{column} {row}h{length}v1h-{length}z")
            column += length
    cells = ET.SubElement(root, "g", transform=_transform(grid))
    cells.set("shape-rendering", "crispEdges")
    for level in sorted(drawn):
        ET.SubElement(cells, "path", fill=table[level], d="".join(drawn[level]))


def _transform(grid: _Grid) -> str:
    return f"translate({grid.left:.1f} {grid.top:.1f}) scale({grid.width:.4f} {grid.height:.4f})"


def _row_labels(root: ET.Element, axis: Axis, grid: _Grid) -> None:
    for i in thinned(len(axis), most=max(1, int(len(axis) * grid.height / (_FONT + 2)))):
        y = grid.top + (i + 0.5) * grid.height + 0.35 * _FONT
        _write(root, short_label(axis.name(i)), grid.left - 8, y, anchor="end")


def _column_labels(root: ET.Element, axis: Axis, grid: _Grid) -> None:
    for i in thinned(len(axis), most=max(1, int(len(axis) * grid.width / (_FONT + 4)))):
        x, y = grid.left + (i + 0.5) * grid.width + 4, grid.top - 8
        _write(root, short_label(axis.name(i)), x, y, turn=-_SLANT)


def _colour_bar(root: ET.Element, table: list[str], top: float, left: float, upper: float) -> None:
    """The colours from 0 (below) to `top`, with three weights beside them."""
    step = 0.5  # pixels a colour: 128 in all
    bar = ET.SubElement(root, "g")
    bar.set("shape-rendering", "crispEdges")
    for i, colour in enumerate(reversed(table)):
        ET.SubElement(bar, "rect", x=f"{left:.1f}", y=f"{upper + i * step:.1f}", width="12", height="1", fill=colour)
    for share in (0.0, 0.5, 1.0):
        y = upper + (1 - share) * len(table) * step + 0.35 * _FONT
        _write(root, f"{top * share:.2f}", left + 18, y)


def _write(
    root: ET.Element, text: str, x: float, y: float, *, anchor: str = "start", weight: str = "400", turn: float = 0
) -> None:
    element = ET.SubElement(root, "text", x=f"{x:.1f}", y=f"{y:.1f}")
    element.set("text-anchor", anchor)
    element.set("font-weight", weight)
    if turn:
        element.set("transform", f"rotate({turn} {x:.1f} {y:.1f})")
    element.text = text
