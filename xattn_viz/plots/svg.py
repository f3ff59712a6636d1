"""Maps on paper: a sheet of rectangles, lines, pixels and text that becomes SVG, and one map with its labels on it.

Vectors only, no script, no network. `plots.paper` draws the other figures, and writes a sheet as TikZ.
"""

from __future__ import annotations

import base64
import io
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import short_label
from xattn_viz.core.view import Rows, Scale, SelectedMap, select
from xattn_viz.plots import colours

#: The type of drawings: what is there of these.
FONTS = "Inter, 'Noto Sans', 'Segoe UI', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
# Other writing has letters in other fonts. A browser looks for them by itself; other readers take the first that holds
# them, bold or narrow or with serifs. Names of scripts as Unicode's names of letters begin.
_OF_SCRIPTS = {
    "HEBREW": "'Noto Sans Hebrew', 'Segoe UI', Arial, 'DejaVu Sans', sans-serif",
    "ARABIC": "'Noto Sans Arabic', 'Segoe UI', Arial, 'DejaVu Sans', sans-serif",
    "DEVANAGARI": "'Noto Sans Devanagari', 'Nirmala UI', 'Kohinoor Devanagari', sans-serif",
    "HIRAGANA": "'Noto Sans CJK JP', 'Noto Sans JP', 'Yu Gothic', 'Hiragino Sans', sans-serif",
    "KATAKANA": "'Noto Sans CJK JP', 'Noto Sans JP', 'Yu Gothic', 'Hiragino Sans', sans-serif",
    "HANGUL": "'Noto Sans CJK KR', 'Noto Sans KR', 'Malgun Gothic', 'Apple SD Gothic Neo', sans-serif",
    "CJK": "'Noto Sans CJK SC', 'Noto Sans CJK JP', 'Noto Sans SC', 'Microsoft YaHei', 'PingFang SC', sans-serif",
    "BENGALI": "'Noto Sans Bengali', 'Nirmala UI', sans-serif",
    "TAMIL": "'Noto Sans Tamil', 'Nirmala UI', sans-serif",
    "THAI": "'Noto Sans Thai', 'Leelawadee UI', Thonburi, sans-serif",
    "SIGN": "'DejaVu Sans', 'Segoe UI Symbol', 'Apple Symbols', 'Noto Sans Math', sans-serif",
}
#: The colours of type and ground.
INK, GROUND = "#1d1b18", "#ffffff"
#: The colour of frames around linked words, which no colour map holds.
LINKED = "#21d4fd"
# What a cell without a counterpart has for a colour, and of how many each is struck out besides.
_NO_COUNTERPART, _MOST_STRUCK = "#dcd8cf", 2000
_SLANT = 50  # degrees that the labels of columns are turned by
_RISE, _RUN = math.sin(math.radians(_SLANT)), math.cos(math.radians(_SLANT))
#: Takes the marks off that keep the direction of a label apart.
ISOLATES = {0x2068: None, 0x2069: None}


@dataclass(frozen=True)
class Box:
    """A rectangle, filled, framed, or both."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    stroke: str = ""
    thickness: float = 0.0


@dataclass(frozen=True)
class Line:
    """Straight lines from point to point."""

    points: tuple[tuple[float, float], ...]
    stroke: str
    thickness: float
    opacity: float = 1.0


@dataclass(frozen=True, eq=False)
class Cells:
    """Levels 0 … 255 `[row, column]` in the colours of a table, from (x, y) on, each cell `width` × `height`."""

    levels: NDArray[np.int_]
    table: Sequence[str]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Bar:
    """The colours of a table from the first, at the foot, to the last."""

    table: Sequence[str]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels `[row, column, 3]` of uint8 in a rectangle; where `is_sharp` each is a square of one colour."""

    pixels: NDArray[np.uint8]
    x: float
    y: float
    width: float
    height: float
    is_sharp: bool = False


@dataclass(frozen=True)
class Text:
    """A line of text from, before or about (x, y) on its baseline, turned about that point by degrees."""

    text: str
    x: float
    y: float
    size: float
    anchor: str = "start"
    is_bold: bool = False
    turn: float = 0.0
    ink: str = INK


Mark = Box | Line | Cells | Bar | Picture | Text


@dataclass(eq=False)
class Sheet:
    """What is drawn, in order, on a ground of `width` × `height`; `ground` None is none. Nothing is turned into pixels.

    `notes` say in sentences what is not drawn.
    """

    width: float = 0.0
    height: float = 0.0
    ground: str | None = GROUND
    title: str = ""
    marks: list[Mark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        """Draw more, above what is there."""
        self.marks += marks

    def frame(self, x: float, y: float, width: float, height: float, light: str = "#fff", scale: float = 1.0) -> None:
        """A frame that shows on every colour: a light line on a dark one."""
        for thickness, ink in ((3.0, "#000"), (1.5, light)):
            self.add(Box(x, y, width, height, stroke=ink, thickness=thickness * scale))

    @property
    def smallest(self) -> float:
        """The size of the smallest type on it."""
        return min((mark.size for mark in self.marks if isinstance(mark, Text)), default=math.inf)

    def svg(self, *, unit: str = "", texts: bool = True) -> str:
        """The sheet as SVG, its own units being of `unit`: "" for pixels, "pt". `texts` False leaves all type out."""
        root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img", direction="ltr")
        for name, value in (("width", self.width), ("height", self.height)):
            root.set(name, f"{_number(value)}{unit}")
        root.set("viewBox", f"0 0 {_number(self.width)} {_number(self.height)}")
        root.set("font-family", FONTS)
        root.set("fill", INK)
        ET.SubElement(root, "title").text = self.title
        if self.ground is not None:
            ET.SubElement(root, "rect", width="100%", height="100%", fill=self.ground)
        for mark in self.marks:
            if texts or not isinstance(mark, Text):
                _draw(root, mark)
        return ET.tostring(root, encoding="unicode")


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _draw(root: ET.Element, mark: Mark) -> None:
    if isinstance(mark, Text):
        _write(root, mark)
    elif isinstance(mark, Cells):
        move = f"translate({mark.x:.2f} {mark.y:.2f}) scale({mark.width:.4f} {mark.height:.4f})"
        _paths(root, mark.levels, mark.table, move)
    elif isinstance(mark, Bar):
        bar = ET.SubElement(root, "g")
        bar.set("shape-rendering", "crispEdges")
        step = mark.height / len(mark.table)
        for i, colour in enumerate(reversed(mark.table)):  # each reaches below the next: no ground between them
            high = min(2 * step, mark.height - i * step)
            sides = {"x": mark.x, "y": mark.y + i * step, "width": mark.width, "height": high}
            ET.SubElement(bar, "rect", {name: _number(side) for name, side in sides.items()}, fill=colour)
    elif isinstance(mark, Line):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in mark.points)
        made = ET.SubElement(root, "polyline", points=points, fill="none", stroke=mark.stroke)
        made.set("stroke-width", f"{mark.thickness:g}")
        if mark.opacity < 1:
            made.set("stroke-opacity", f"{mark.opacity:.3f}")
    else:
        place = {name: f"{getattr(mark, name):.2f}" for name in ("x", "y", "width", "height")}
        if isinstance(mark, Picture):
            made = ET.SubElement(root, "image", place, href=png(mark.pixels), preserveAspectRatio="none")
            made.set("image-rendering", "optimizeSpeed" if mark.is_sharp else "auto")
            return
        made = ET.SubElement(root, "rect", place, fill=mark.fill)
        if mark.stroke:
            made.set("stroke", mark.stroke)
            made.set("stroke-width", f"{mark.thickness:g}")


def png(pixels: NDArray[np.uint8]) -> str:
    """Pixels `[row, column, 3]` as the address of a PNG picture that holds them."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=pixels.size < 100_000)  # which takes long of large ones
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def _write(root: ET.Element, mark: Text) -> None:
    made = ET.SubElement(root, "text", x=f"{mark.x:.2f}", y=f"{mark.y:.2f}")
    made.set("font-size", f"{mark.size:g}")
    made.set("text-anchor", mark.anchor)
    made.set("font-weight", "600" if mark.is_bold else "400")
    if mark.ink != INK:
        made.set("fill", mark.ink)
    if mark.turn:
        made.set("transform", f"rotate({mark.turn:g} {mark.x:.2f} {mark.y:.2f})")
    if family := _family(mark.text):
        made.set("font-family", family)
    made.text = mark.text


def _family(text: str) -> str:
    """The fonts of a text that has letters which `FONTS` lack; "" where those have all."""
    scripts = _scripts(text)
    return _OF_SCRIPTS[scripts[0]] if scripts else ""


def _scripts(text: str) -> list[str]:
    """Those of its scripts that have fonts of their own, in the order of `_OF_SCRIPTS`."""
    found = {_script(character) for character in text if unicodedata.category(character)[0] in "LMS"}
    return [script for script in _OF_SCRIPTS if script in found]


def font_names(text: str) -> list[str]:
    """The fonts that a text is written in, for a writer that looks for each letter in the next one."""
    names = [FONTS.split(","), *(_OF_SCRIPTS[script].split(",") for script in _scripts(text))]
    first, *others = [[name.strip(" '") for name in some if "sans-serif" not in name] for some in names]
    return [*first[:2], *(name for some in others for name in some), *first[2:]]


def _script(character: str) -> str | None:
    """The script of a letter or sign; None of a mark that goes with any."""
    if character < "\u0250":
        return ""
    if unicodedata.category(character)[0] == "S":
        return "SIGN" if "\u2190" <= character <= "\u2bff" else ""
    name = unicodedata.name(character, "").split(" ", 1)[0]
    return name if name in _OF_SCRIPTS else None if name == "COMBINING" else ""


@dataclass(frozen=True)
class Style:
    """How a figure is drawn, in units of its sheet.

    `size` is that of all type; `width` that of the sheet, None for as wide as cells and labels come to. `title`, `bar`
    and `values` say whether it has a title, a colour bar, and its number in each cell.
    """

    size: float = 13.0
    width: float | None = None
    ground: str | None = GROUND
    colour_map: colours.ColourMap = "magma"
    title: bool = True
    bar: bool = True
    values: bool = False

    @property
    def table(self) -> list[str]:
        """The 256 colours, from weight 0 on, for a light ground."""
        return [f"#{bytes(colour).hex()}" for colour in colours.table(self.colour_map, dark=False)]

    @property
    def margin(self) -> float:
        """What is left free around: little where others set the page."""
        return (1.23 if self.width is None else 0.25) * self.size


@dataclass(frozen=True)
class Grid:
    """Where the cells lie: the map's upper left corner and the size of a cell."""

    left: float
    top: float
    width: float
    height: float


class TooNarrowError(ValueError):
    """That what has to be drawn does not fit, in words, with the width that it needs in units of the sheet."""

    def __init__(self, what: str, needed: float) -> None:
        super().__init__(what)
        self.needed = needed


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
    style = Style(colour_map=colour_map)
    sheet = map_sheet(chosen, style, row=row, column=column, linked=linked)
    lines = [*(said or [f"Rows: {chosen.rows_title}. Columns: {chosen.keys_title}."])]
    colour = "blue below 0, red above" if chosen.apart else f"{colour_map}, reversed"
    lines.append(f"{chosen.what}: {colour}, {chosen.scale_name}")
    write_below(sheet, lines, style)
    return sheet.svg()


def write_below(sheet: Sheet, lines: Iterable[str], style: Style) -> None:
    """Text below all that is there, in lines that fit."""
    high, top, room = 1.6 * style.size, sheet.height, sheet.width - 2 * style.margin
    for number, part in enumerate(part for line in lines for part in wrapped(line, room, style.size)):
        sheet.add(Text(part, style.margin, top + number * high + 0.6 * style.size, style.size))
        sheet.height = top + (number + 1) * high + 0.5 * style.size


def map_sheet(
    chosen: SelectedMap,
    style: Style,
    *,
    row: int | None = None,
    column: int | None = None,
    linked: Iterable[tuple[int, int]] = (),
    above: float = 0.0,
) -> Sheet:
    """One map with its labels, axis titles and colour bar, `above` left free between its labels and its cells.

    Raises TooNarrowError where none fits.
    """
    f = style.size
    sheet = Sheet(style.width or 0.0, ground=style.ground, title=chosen.title)
    grid, lines = _placed(sheet, chosen, style, above)
    right, bottom = grid.left + grid.width * len(chosen.keys), grid.top + grid.height * len(chosen.queries)
    title = wrapped(chosen.title, sheet.width - 2 * style.margin, f) if style.title else []
    for number, line in enumerate(title):
        sheet.add(Text(line, style.margin, style.margin + (1 + 1.4 * number) * f, f, is_bold=True))
    down = style.margin + 1.4 * f * len(title)
    columns_title(sheet, lines, style, (grid.left, right), down)
    _row_title(sheet, chosen, style, grid, bottom)
    paint(sheet, chosen, style, grid)
    for at_row, at_column in linked:
        x, y = grid.left + at_column * grid.width, grid.top + at_row * grid.height
        scale = min(1.0, f / 13, min(grid.width, grid.height) / 16)
        edge = 1.5 * scale
        sheet.frame(x + edge, y + edge, grid.width - 2 * edge, grid.height - 2 * edge, LINKED, scale)
    if row is not None:
        sheet.frame(grid.left, grid.top + row * grid.height, right - grid.left, grid.height, scale=min(1.0, f / 13))
    if column is not None:
        sheet.frame(grid.left + column * grid.width, grid.top, grid.width, bottom - grid.top, scale=min(1.0, f / 13))
    row_labels(sheet, chosen.queries, grid, f)
    column_labels(sheet, chosen.keys, replace(grid, top=grid.top - above), f)
    high = min(max(bottom - grid.top, 6 * f), 10 * f)
    if style.bar:
        low, table = (-chosen.top, diverging_table()) if chosen.apart else (0.0, None)
        colour_bar(sheet, style, (low, chosen.top), chosen.what, right + f, grid.top + 0.35 * f, high, table=table)
        bottom = max(bottom, grid.top + high + f)
    sheet.height = bottom + style.margin
    return sheet


def _placed(sheet: Sheet, chosen: SelectedMap, style: Style, above: float) -> tuple[Grid, list[str]]:
    """Where cells go, with the lines of the columns' title above them; sets the width of a sheet that has none.

    Cells fill the width, at most 3 ems high; on a sheet without one they take 69 × 54 ems at most, 2.5 each. There a
    frame of sound is a unit at least: thinner ones would be lost on a screen. `above` is left free over the cells.
    """
    f, queries, keys = style.size, chosen.queries, chosen.keys
    n = max(1, len(keys))
    left = style.margin + 1.7 * f + longest(queries, f) + 0.6 * f
    right = bar_width(style) + style.margin
    if style.width is None:
        width = max(1.0 if keys.is_timed else 0.0, min(2.46 * f, 69 * f / n))
        right = max(right, _overhang(keys, width, f) + style.margin)
        sheet.width = max(left + n * width + right, 37 * f, text_width(chosen.title, f) + 2.1 * style.margin)
    else:
        width = (style.width - left - right) / n
        over = _overhang(keys, width, f) + style.margin
        width = (style.width - left - max(right, over)) / n
        if n * width < min(8 * f, 2 * f * n):
            needed = left + max(right, over) + min(8 * f, 2 * f * n)
            raise TooNarrowError("The labels leave no room for the map", needed)
    rows = max(1, len(queries))
    if style.width is None:
        height = min(2.46 * f, 54 * f / rows)
    else:  # rows get room for their labels as long as a page has it
        height = min(max(min(width, 3 * f), 1.2 * f), 80 * f / rows)
        height = n * width / rows if queries.is_timed else height
    if style.values:
        least = 1.9 * f
        if width < least or height < 1.1 * f:
            raise TooNarrowError("Its cells are too small for their values", left + right + n * least)
    lines = wrapped(chosen.keys_title, sheet.width - 2 * style.margin - (left - style.margin) / 3, f)
    titles = len(wrapped(chosen.title, sheet.width - 2 * style.margin, f)) * 1.4 if style.title else 0
    rise = 0.9 * f if keys.is_timed else longest(keys, f) * _RISE + 0.4 * f
    return Grid(left, style.margin + f * (titles + 1.3 * len(lines) + 1.1) + rise + above, width, height), lines


def columns_title(sheet: Sheet, lines: Iterable[str], style: Style, ends: tuple[float, float], top: float) -> None:
    """What columns are, in lines over the middle between two ends, or where the sheet has room for it."""
    f = style.size
    for number, line in enumerate(lines):
        half = text_width(line, f) / 2
        x = max(style.margin + half, min(sum(ends) / 2, sheet.width - style.margin - half))
        sheet.add(Text(line, x, top + (1 + 1.3 * number) * f, f, "middle"))


def _overhang(keys: Axis, width: float, size: float) -> float:
    """How far the turned labels of columns reach to the right of the last."""
    if keys.is_timed:
        return 2 * size
    ends = (i * width + text_width(label, size) * _RUN for i, label in enumerate(names(keys)))
    return max((end - len(keys) * width for end in ends), default=0.0) + size


def _row_title(sheet: Sheet, chosen: SelectedMap, style: Style, grid: Grid, bottom: float) -> None:
    """What rows are, upwards beside them."""
    f, said = style.size, chosen.rows_title
    middle = min((grid.top + bottom) / 2, bottom - text_width(said, f) / 2)
    sheet.add(Text(said, style.margin + f, max(middle, style.margin + text_width(said, f) / 2), f, "middle", turn=-90))


def paint(sheet: Sheet, chosen: SelectedMap, style: Style, grid: Grid) -> None:
    """The cells of a map, with their values where they are asked for."""
    if chosen.apart:
        table, levels = [*diverging_table(), _NO_COUNTERPART], difference_levels(chosen.weights, chosen.top)
    else:
        table, levels = style.table, weight_levels(chosen.weights, chosen.top)
    sheet.add(Cells(levels, table, grid.left, grid.top, grid.width, grid.height))
    if chosen.apart:
        _strike(sheet, levels, grid)
    if style.values:
        for (row, column), weight in np.ndenumerate(chosen.weights):
            if np.isnan(weight):
                continue
            fill = table[levels[row, column]]
            x, y = grid.left + (column + 0.5) * grid.width, grid.top + (row + 0.5) * grid.height + 0.35 * style.size
            said = short_decimal(float(weight), chosen.top)
            sheet.add(Text(said, x, y, style.size, "middle", ink=ink_on(fill)))


def weight_levels(weights: NDArray[np.floating], top: float) -> NDArray[np.int_]:
    """The colour of each weight by its number, 0 … 255, the last for `top` and what is above."""
    levels: NDArray[np.int_] = np.rint(np.clip(weights.astype(np.float64) / top, 0, 1) * 255).astype(int)
    return levels


def diverging_table() -> list[str]:
    """The 256 colours of differences, 0 in the middle, on a light ground."""
    return [f"#{bytes(colour).hex()}" for colour in colours.diverging(dark=False)]


def difference_levels(weights: NDArray[np.floating], top: float) -> NDArray[np.int_]:
    """The colour of each difference by its number, 0 for -`top` to 255 for `top`, 256 where there is none."""
    shares = np.clip((weights.astype(np.float64) / top + 1) / 2, 0, 1)
    levels: NDArray[np.int_] = np.where(np.isnan(shares), 256, np.rint(np.nan_to_num(shares) * 255)).astype(int)
    return levels


def _strike(sheet: Sheet, levels: NDArray[np.int_], grid: Grid) -> None:
    """A line through each cell that has no counterpart; where they are too many, their colour alone says it."""
    places = np.argwhere(levels == 256).tolist()
    for row, column in places if len(places) <= _MOST_STRUCK else []:
        x, y = grid.left + column * grid.width, grid.top + row * grid.height
        sheet.add(Line(((x, y + grid.height), (x + grid.width, y)), "#8d877c", 0.5))


def ink_on(fill: str) -> str:
    """The ink, dark or light, that is read better on a colour `#rrggbb`."""
    return "#ffffff" if colours.takes_white(*bytes.fromhex(fill[1:])) else INK


def wrapped(text: str, width: float, size: float) -> list[str]:
    """A text in lines that fit a width: broken at blanks, or within a word that is longer than a line."""
    most = max(int(width / (0.58 * size)), 1)
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and text_width(f"{lines[-1]} {word}", size) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while text_width(lines[-1], size) > width:
            fits = next(n for n in range(most, 0, -1) if text_width(lines[-1][:n], size) <= width or n == 1)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return lines


def names(axis: Axis) -> list[str]:
    """The labels of an axis as a picture has them."""
    return [short_label(axis.name(i)) for i in range(len(axis))]


def longest(axis: Axis, size: float) -> float:
    """How much room its labels take beside a map."""
    if axis.is_timed:
        return text_width("0000.0", size)
    return max((text_width(name, size) for name in names(axis)), default=0.0)


def text_width(text: str, size: float) -> float:
    """Roughly how wide a text is: nothing here can measure a font, so wide scripts count double."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    unseen = sum(unicodedata.category(c) in ("Cf", "Mn") for c in text)
    return size * (0.58 * (len(text) - wide - unseen) + wide)


def cells(root: ET.Element, weights: NDArray[np.floating], top: float, table: Sequence[str], transform: str) -> None:
    """Weights `[row, column]` in the 256 colours of a table: one path a colour, neighbours of one colour one rectangle.

    `transform` brings cells of 1 × 1 to their place.
    """
    _paths(root, weight_levels(weights, top), table, transform)


def runs(levels: NDArray[np.int_]) -> Iterator[tuple[int, int, int, int]]:
    """Neighbours of one level in a row as (level, row, column, length)."""
    for row, line in enumerate(levels.tolist()):
        column = 0
        for level, run in groupby(line):
            length = len(list(run))
            yield level, row, column, length
            column += length


def _paths(root: ET.Element, levels: NDArray[np.int_], table: Sequence[str], transform: str) -> None:
    drawn: dict[int, list[str]] = defaultdict(list)
    for level, row, column, length in runs(levels):
        drawn[level].append(f"M{column} {row}h{length}v1h-{length}z")
    group = ET.SubElement(root, "g", transform=transform)
    group.set("shape-rendering", "crispEdges")
    for level in sorted(drawn):
        ET.SubElement(group, "path", fill=table[level], d="".join(drawn[level]))


def row_labels(sheet: Sheet, axis: Axis, grid: Grid, size: float) -> None:
    """What rows are named, before them, as many as there is room for."""
    most = int(len(axis) * grid.height / (1.14 * size))
    for place, label in _labels(axis, most):
        sheet.add(Text(label, grid.left - 0.6 * size, grid.top + place * grid.height + 0.35 * size, size, "end"))
    _note(sheet, axis, most, "row")


def column_labels(sheet: Sheet, axis: Axis, grid: Grid, size: float) -> None:
    """What columns are named, above them: seconds upright at their moment, other labels turned so that they fit."""
    width, y = len(axis) * grid.width, grid.top - 0.6 * size
    if axis.is_timed:
        for place, label in _labels(axis, int(width / (4.6 * size))):
            x = grid.left + place * grid.width
            sheet.add(Text(label, x, y, size, "middle"))
            sheet.add(Box(x - size / 26, grid.top - 0.4 * size, size / 13, 0.4 * size, INK))
        return
    most = int(width / (1.3 * size))
    for place, label in _labels(axis, most):
        sheet.add(Text(label, grid.left + place * grid.width + 0.3 * size, y, size, turn=-_SLANT))
    _note(sheet, axis, most, "column")


def _note(sheet: Sheet, axis: Axis, most: int, what: str) -> None:
    """Say so where labels were left out: type does not shrink."""
    if not axis.is_timed and len(axis) > max(1, most):
        step = thinned(len(axis), max(1, most))
        every = "Only the first" if len(step) < 2 else f"Every {_ordinal(step[1])}"
        sheet.notes.append(f"{every} {what} is labelled.")


def _ordinal(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"


def _labels(axis: Axis, most: int) -> list[tuple[float, str]]:
    """What stands beside an axis with room for `most` labels: (place, label), places counted in positions."""
    most = max(1, most)
    if not axis.is_timed:
        return [(i + 0.5, short_label(axis.name(i))) for i in thinned(len(axis), most)]
    times = axis.times or ()
    (start, _), (_, end) = times[0], times[-1]
    frame = (end - start) / len(times) or 1.0  # frames that last no time lie all at one moment
    return [((second - start) / frame, f"{second:g}") for second in round_seconds(start, end, most)]


def bar_width(style: Style) -> float:
    """How much room a colour bar takes beside a map."""
    return 6.9 * style.size if style.bar else 0.0


def colour_bar(
    sheet: Sheet,
    style: Style,
    ends: tuple[float, float],
    what: str,
    left: float,
    top: float,
    height: float,
    *,
    table: Sequence[str] | None = None,
) -> None:
    """The colours between two numbers, the lower below, with three of them beside it and upwards what they are.

    `table` are other colours than those of the style.
    """
    f = style.size
    sheet.add(Bar(table or style.table, left, top, 0.9 * f, height))
    said = [decimal(ends[0] + share * (ends[1] - ends[0]), max(map(abs, ends))) for share in (0.0, 0.5, 1.0)]
    for share, number in zip((0.0, 0.5, 1.0), said, strict=True):
        sheet.add(Text(number, left + 1.3 * f, top + (1 - share) * height + 0.35 * f, f))
    x = left + 1.3 * f + max(text_width(number, f) for number in said) + 1.5 * f
    middle = min(top + height / 2, top + height + 0.8 * f - text_width(what, f) / 2)
    sheet.add(Text(what, x, middle, f, "middle", turn=-90))


def decimal(value: float, largest: float) -> str:
    """A number with as many decimals as show the second digit of the largest; weights have two or more."""
    digits = min(max(2 - math.ceil(math.log10(0.99 * largest or 1.0)), 0), 5)
    said = f"{value:.{digits}f}"
    return said.replace("-", "\u2212" if float(said) else "")


def short_decimal(value: float, largest: float) -> str:
    """The same without the 0 before the point: ".83"."""
    return re.sub(r"^(\u2212?)0\.", r"\1.", decimal(value, largest))


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


def pooled(one: SelectedMap, most: int) -> SelectedMap:
    """The same with at most so many frames of sound, each the largest of some, so that no peak is lost."""
    size = -(-len(one.keys) // most)
    if size <= 1 or not one.keys.is_timed:
        return one
    firsts, times = range(0, len(one.keys), size), one.keys.times or ()
    ends = [min(first + size, len(times)) - 1 for first in firsts]
    merged = tuple((times[a][0], times[b][1]) for a, b in zip(firsts, ends, strict=True))
    weights = np.maximum.reduceat(one.weights, list(firsts), axis=1)
    return replace(one, weights=weights, keys=Axis("audio", times=merged))
