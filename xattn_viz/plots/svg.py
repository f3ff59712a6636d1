"""A map as an SVG picture with its labels, for papers and slides: vectors only, no script, no network."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import short_label
from xattn_viz.core.view import Rows, Scale, SelectedMap, select
from xattn_viz.plots import colours

#: The type of drawings: what is there of these.
FONTS = "Inter, 'Noto Sans', 'Segoe UI', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_FONT = 13  # pixels
_MARGIN = 16
_LINE = 21
_INK, _GROUND = "#1d1b18", "#ffffff"
#: The colour of frames around linked words, which no colour map holds.
LINKED = "#21d4fd"
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
    every second, third, … is drawn. Frames of sound are named by round seconds, padding is left out, and the text below
    says so. Raises ValueError for a layer, head or option that is not there.
    """
    return drawn(select(maps, layer, head, scale=scale, rows=rows), colour_map=colour_map)


def drawn(
    chosen: SelectedMap,
    *,
    colour_map: colours.ColourMap = "magma",
    said: Sequence[str] = (),
    row: int | None = None,
    column: int | None = None,
    linked: Iterable[tuple[int, int]] = (),
) -> str:
    """One map as such a picture, with a frame around a `row` and a `column` of it where they are given.

    Cells that are `linked`, (row, column) from 0, have a frame of their own.

    `said` are lines for below it, in place of the one that names rows and columns.
    """
    table = [f"#{bytes(colour).hex()}" for colour in colours.table(colour_map, dark=False)]
    grid = _placed(chosen.queries, chosen.keys)
    right, bottom = grid.left + grid.width * len(chosen.keys), grid.top + grid.height * len(chosen.queries)
    bottom = max(bottom, grid.top + 128)
    width = max(right + 90, 480)
    scale_name = f"{chosen.what}: {colour_map}, reversed, {chosen.scale_name}"
    lines = [*(said or [f"Rows: {chosen.rows_title}. Columns: {chosen.keys_title}."]), scale_name]
    wrapped = [part for line in lines for part in _wrapped(line, width - 2 * _MARGIN)]
    size = (width, bottom + _MARGIN + len(wrapped) * _LINE + 6)
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img", direction="ltr")
    root.set("width", f"{size[0]:.0f}")
    root.set("height", f"{size[1]:.0f}")
    root.set("viewBox", f"0 0 {size[0]:.0f} {size[1]:.0f}")
    root.set("font-family", FONTS)
    root.set("font-size", str(_FONT))
    root.set("fill", _INK)
    ET.SubElement(root, "title").text = chosen.title
    ET.SubElement(root, "rect", width="100%", height="100%", fill=_GROUND)
    _write(root, chosen.title, _MARGIN, _MARGIN + _FONT, weight="600")
    _write(root, f"↓ {chosen.rows_title}   {chosen.keys_title} →", _MARGIN, _MARGIN + _FONT + _LINE)
    cells(root, chosen.weights, chosen.top, table, _transform(grid))
    for at_row, at_column in linked:
        x, y = grid.left + at_column * grid.width, grid.top + at_row * grid.height
        _frame(root, x + 1.5, y + 1.5, grid.width - 3, grid.height - 3, LINKED)
    if row is not None:
        _frame(root, grid.left, grid.top + row * grid.height, grid.width * len(chosen.keys), grid.height)
    if column is not None:
        _frame(root, grid.left + column * grid.width, grid.top, grid.width, grid.height * len(chosen.queries))
    _row_labels(root, chosen.queries, grid)
    _column_labels(root, chosen.keys, grid)
    for number, line in enumerate(wrapped, 1):
        _write(root, line, _MARGIN, bottom + _MARGIN + number * _LINE - 8)
    _colour_bar(root, table, chosen.top, right + 24, grid.top)
    return ET.tostring(root, encoding="unicode")


def _wrapped(text: str, width: float) -> list[str]:
    """A text in lines that fit a width in pixels: broken at blanks, or within a word that is longer than a line."""
    most = max(int(width / (0.58 * _FONT)), 1)
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and text_width(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while text_width(lines[-1]) > width:
            fits = next(n for n in range(most, 0, -1) if text_width(lines[-1][:n]) <= width or n == 1)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return lines


def _placed(queries: Axis, keys: Axis) -> _Grid:
    """Cells as large as fits 900 × 700 pixels, at most 32 wide and high, beside the labels that they need.

    A frame of sound is a pixel at least: thinner ones would be lost on a screen.
    """
    rise = 0.0 if keys.is_timed else _longest(keys) * float(np.sin(np.radians(_SLANT)))
    least = 1.0 if keys.is_timed else 0.0
    return _Grid(
        left=_MARGIN + _longest(queries) + 8,
        top=2 * _MARGIN + _FONT + _LINE + rise + 14,
        width=max(least, min(32.0, 900 / max(1, len(keys)))),
        height=min(32.0, 700 / max(1, len(queries))),
    )


def _longest(axis: Axis) -> float:
    if axis.is_timed:
        return text_width("0000.0")
    return max((text_width(short_label(axis.name(i))) for i in range(len(axis))), default=0.0)


def text_width(text: str, size: float = _FONT) -> float:
    """Roughly how wide a text is in pixels: nothing here can measure a font, so wide scripts count double."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    unseen = sum(unicodedata.category(c) in ("Cf", "Mn") for c in text)
    return size * (0.58 * (len(text) - wide - unseen) + wide)


def cells(root: ET.Element, weights: NDArray[np.floating], top: float, table: Sequence[str], transform: str) -> None:
    """Weights `[row, column]` in the 256 colours of a table: one path a colour, neighbours of one colour one rectangle.

    `transform` brings cells of 1 × 1 to their place.
    """
    levels = np.rint(np.clip(weights.astype(np.float64) / top, 0, 1) * 255).astype(int)
    drawn: dict[int, list[str]] = defaultdict(list)
    for row, line in enumerate(levels.tolist()):
        column = 0
        for level, run in groupby(line):
            length = len(list(run))
            drawn[level].append(f"M{column} {row}h{length}v1h-{length}z")
            column += length
    group = ET.SubElement(root, "g", transform=transform)
    group.set("shape-rendering", "crispEdges")
    for level in sorted(drawn):
        ET.SubElement(group, "path", fill=table[level], d="".join(drawn[level]))


def _frame(root: ET.Element, x: float, y: float, width: float, height: float, light: str = "#fff") -> None:
    """A light line on a dark one shows on every colour."""
    for thickness, ink in ((3.0, "#000"), (1.5, light)):
        frame = ET.SubElement(root, "rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}")
        for name, value in (("fill", "none"), ("stroke", ink), ("stroke-width", str(thickness))):
            frame.set(name, value)


def _transform(grid: _Grid) -> str:
    return f"translate({grid.left:.1f} {grid.top:.1f}) scale({grid.width:.4f} {grid.height:.4f})"


def _row_labels(root: ET.Element, axis: Axis, grid: _Grid) -> None:
    for place, label in _labels(axis, most=int(len(axis) * grid.height / (_FONT + 2))):
        _write(root, label, grid.left - 8, grid.top + place * grid.height + 0.35 * _FONT, anchor="end")


def _column_labels(root: ET.Element, axis: Axis, grid: _Grid) -> None:
    """Seconds stand upright above their moment, other labels are turned so that they fit."""
    width, y = len(axis) * grid.width, grid.top - 8
    if axis.is_timed:
        for place, label in _labels(axis, most=int(width / 60)):
            x = grid.left + place * grid.width
            _write(root, label, x, y, anchor="middle")
            ET.SubElement(root, "rect", x=f"{x - 0.5:.1f}", y=f"{grid.top - 5:.1f}", width="1", height="5", fill=_INK)
    else:
        for place, label in _labels(axis, most=int(width / (_FONT + 4))):
            _write(root, label, grid.left + place * grid.width + 4, y, turn=-_SLANT)


def _labels(axis: Axis, most: int) -> list[tuple[float, str]]:
    """What stands beside an axis with room for `most` labels: (place, label), places counted in positions."""
    most = max(1, most)
    if not axis.is_timed:
        return [(i + 0.5, short_label(axis.name(i))) for i in thinned(len(axis), most)]
    times = axis.times or ()
    (start, _), (_, end) = times[0], times[-1]
    frame = (end - start) / len(times) or 1.0  # frames that last no time lie all at one moment
    return [((second - start) / frame, f"{second:g}") for second in round_seconds(start, end, most)]


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


def thinned(count: int, most: int) -> list[int]:
    """The positions to label where there is room for `most` of `count`: evenly spaced, the first always among them."""
    return list(range(0, count, max(1, -(-count // most))))


def round_seconds(start: float, end: float, most: int) -> list[float]:
    """The times to label from `start` to `end` where there is room for `most`: multiples of 1, 2 or 5 × 10ⁿ seconds."""
    least = max(end - start, 1e-3) / max(1, most - 1)
    unit = 10.0 ** math.floor(math.log10(least))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= least * (1 - 1e-9))
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    return [round(i * step, 6) for i in range(first, last + 1)]
