"""Bar, line and pie charts whose truth is known: what they hold, charts at random, and how they are drawn.

A drawing says of each pixel to which part of the chart it belongs: a bar, a point, a slice, a label, a word of the
title. Pictures are small, 128 × 128 pixels, so that a small model can read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from xattn_viz.shapes.scene import COLOURS

ChartKind = Literal["bar", "line", "pie"]
#: What a pixel can belong to.
PartKind = Literal["bar", "line", "point", "slice", "label", "title", "tick", "shape"]

CHART_KINDS: tuple[ChartKind, ...] = ("bar", "line", "pie")
#: What a chart of each kind is made of.
MARKS: dict[ChartKind, PartKind] = {"bar": "bar", "line": "point", "pie": "slice"}
#: Rows and columns of a drawing.
PIXELS = 128
#: The labels that a mark can have, in groups that stand together in many charts.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OTHERS = ("Tea", "Oak", "Fig", "Cat", "Bus", "Car", "Ice", "Sea", "Sky", "Ann", "Ben", "Eva", "Leo", "Zoe")
LABELS = (*MONTHS, *DAYS, *OTHERS)
#: A title is one of the second, or one of the first before it.
TITLE_STARTS = ("daily", "monthly", "total", "mean", "new")
TITLE_ENDS = (
    "sales",
    "rain",
    "costs",
    "visits",
    "trains",
    "births",
    "prices",
    "wind",
    "snow",
    "power",
    "sugar",
    "books",
)
#: The highest number of an axis. Values are whole tenths of it, those of a pie tenths of 100.
TOPS = (10, 20, 50, 100)
TENTHS = 10
FEWEST_MARKS, MOST_MARKS = 2, 5

_INK, _PALE, _PAPERS = (
    (45, 45, 50),
    (214, 214, 214),
    ((255, 255, 255), (250, 248, 240), (243, 246, 250), (246, 246, 246)),
)
_FINER = 4  # drawn so many times as large and averaged, which smooths the edges
_LETTERS = 10  # the size of the letters
_DOT = 3.5  # the radius of a point
_TWO_WORDS = 0.5  # how often a title has two
_ALL_ALIKE = 0.3  # how often bars share one colour
_IN_ORDER = 0.5  # how often labels are months or days as they follow each other


@dataclass(frozen=True)
class Mark:
    """A bar, point or slice: its label, its value in tenths of the axis or of the pie, and its colour."""

    label: str
    tenths: int
    colour: str


@dataclass(frozen=True)
class Layout:
    """Where things stand, in pixels: the plot's edges, how much of its place a bar fills, from which turn a pie begins.

    Of a pie `left` and `top` are its middle and `right` its radius; `turn` is in radians, clockwise from the right.
    """

    left: int
    top: int
    right: int
    bottom: int
    fill: float = 0.7
    turn: float = 0.0
    has_grid: bool = True


@dataclass(frozen=True)
class Chart:
    """What a chart shows. `top` is the number at the end of its axis, 100 of a pie."""

    kind: ChartKind
    title: tuple[str, ...]
    marks: tuple[Mark, ...]
    top: int
    layout: Layout
    paper: tuple[int, int, int] = (255, 255, 255)

    def value(self, mark: Mark) -> int:
        """The number that a mark stands for; per cent of a pie."""
        return mark.tenths * self.top // TENTHS


@dataclass(frozen=True)
class Part:
    """A part of a drawing: what it is, the number of the mark or thing that it belongs to, and its text if it has."""

    kind: PartKind
    mark: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Drawing:
    """A picture `[row, column, 3]`, its parts, and for each pixel `[row, column]` the number of its part, -1 for none.

    Text owns the box around it.
    """

    picture: NDArray[np.uint8]
    parts: tuple[Part, ...]
    owner: NDArray[np.int16]

    def mask(self, parts: Iterable[int]) -> NDArray[np.bool_]:
        """Which pixels `[row, column]` belong to parts, given by their numbers."""
        return np.isin(self.owner, list(parts))

    def numbers(self, kinds: Iterable[PartKind], mark: int | None = None) -> tuple[int, ...]:
        """The numbers of the parts of some kinds, of all marks or of one."""
        wanted = set(kinds)
        return tuple(i for i, p in enumerate(self.parts) if p.kind in wanted and (mark is None or p.mark == mark))


def random_chart(chance: np.random.Generator, kind: ChartKind | None = None, most: int = MOST_MARKS) -> Chart:
    """A chart at random, with at most so many marks; one is the highest, and one the lowest."""
    kind = kind or CHART_KINDS[chance.integers(len(CHART_KINDS))]
    count = int(chance.integers(FEWEST_MARKS, most + 1))
    tenths = _shares(chance, count) if kind == "pie" else _heights(chance, count, kind)
    marks = tuple(map(Mark, _labels(chance, count), tenths, _colours(chance, count, kind)))
    end = TITLE_ENDS[chance.integers(len(TITLE_ENDS))]
    title = (TITLE_STARTS[chance.integers(len(TITLE_STARTS))], end) if chance.random() < _TWO_WORDS else (end,)
    top = 100 if kind == "pie" else TOPS[chance.integers(len(TOPS))]
    return Chart(kind, title, marks, top, _layout(chance, kind), _PAPERS[chance.integers(len(_PAPERS))])


def _heights(chance: np.random.Generator, count: int, kind: ChartKind) -> list[int]:
    """Values in tenths, of which one is the highest and one the lowest; a third of lines rise and a third fall."""
    while True:
        found = sorted(chance.integers(1, TENTHS + 1, count).tolist())
        if found[0] < found[1] and found[-2] < found[-1]:
            break
    way = chance.random() * 3 if kind == "line" else 0.0
    if way < 1:
        chance.shuffle(found)
    elif way < 2:
        found.reverse()
    return found


def _shares(chance: np.random.Generator, count: int) -> list[int]:
    """Shares of a pie in tenths, of which one is the largest and one the smallest."""
    while True:
        cuts = sorted(chance.choice(np.arange(1, TENTHS), count - 1, replace=False).tolist())
        found = np.diff([0, *cuts, TENTHS]).tolist()
        ordered = sorted(found)
        if ordered[0] < ordered[1] and ordered[-2] < ordered[-1]:
            return [int(share) for share in found]


def _labels(chance: np.random.Generator, count: int) -> list[str]:
    if chance.random() < _IN_ORDER:
        group = (MONTHS, DAYS)[chance.integers(2)]
        first = int(chance.integers(len(group)))
        return [group[(first + number) % len(group)] for number in range(count)]
    return [LABELS[number] for number in chance.choice(len(LABELS), count, replace=False)]


def _colours(chance: np.random.Generator, count: int, kind: ChartKind) -> list[str]:
    names = list(COLOURS)
    if kind == "line" or (kind == "bar" and chance.random() < _ALL_ALIKE):
        return [names[chance.integers(len(names))]] * count
    return [names[number] for number in chance.choice(len(names), count, replace=False)]


def _layout(chance: np.random.Generator, kind: ChartKind) -> Layout:
    def between(low: int, high: int) -> int:
        return int(chance.integers(low, high + 1))

    if kind == "pie":
        radius = between(28, 34)
        return Layout(
            between(61, 67), between(29 + radius, 112 - radius), radius, 0, turn=float(chance.random() * 2 * pi)
        )
    fill, has_grid = float(chance.uniform(0.5, 0.85)), bool(chance.random() < 0.7)
    return Layout(between(20, 24), between(18, 26), between(122, 127), between(106, 114), fill, has_grid=has_grid)


class _Pen:
    """Draws a part, and notes which pixels are its own."""

    def __init__(self, paper: tuple[int, int, int]) -> None:
        self._image = Image.new("RGB", (PIXELS * _FINER, PIXELS * _FINER), paper)
        self._owner = Image.new("L", (PIXELS, PIXELS), 0)  # the part's number and 1
        self.fine, self.own = ImageDraw.Draw(self._image), ImageDraw.Draw(self._owner)
        self.parts: list[Part] = []
        self._texts: list[tuple[int, int, str]] = []

    def begin(self, kind: PartKind, mark: int | None = None, text: str = "") -> int:
        """A new part; returns what its pixels are marked with."""
        self.parts.append(Part(kind, mark, text))
        return len(self.parts)

    def box(self, left: int, top: int, right: int, bottom: int, ink: tuple[int, int, int], number: int = 0) -> None:
        """A filled rectangle, its right and bottom edges left out."""
        f = _FINER
        self.fine.rectangle((left * f, top * f, right * f - 1, bottom * f - 1), fill=ink)
        if number:
            self.own.rectangle((left, top, right - 1, bottom - 1), fill=number)

    def text(self, x: float, y: float, text: str, part: Part, anchor: Literal["middle", "end"] = "middle") -> int:
        """Text around a middle `x`, or up to it, with `y` the middle of its letters. Returns its left edge."""
        left, top, right, bottom = _extent(text)
        width = right - left
        at = round(x - width / 2 if anchor == "middle" else x - width)
        up = round(y) - _LETTERS // 2
        number = self.begin(part.kind, part.mark, part.text)
        self.own.rectangle((at, up, at + width - 1, up + max(_LETTERS, bottom - top) - 1), fill=number)
        self._texts.append((at - left, up - 2, text))
        return at

    def done(self) -> Drawing:
        """The drawing, its text on top."""
        image = self._image.reduce(_FINER)
        pen = ImageDraw.Draw(image)
        for x, y, text in self._texts:
            pen.text((x, y), text, font=_font(), fill=_INK)
        owner = np.asarray(self._owner).astype(np.int16) - 1
        return Drawing(np.asarray(image), tuple(self.parts), owner)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """Pillow's own font, the same everywhere."""
    font = ImageFont.load_default(_LETTERS)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Charts need a Pillow that was built with FreeType.")
    return font


@cache
def _extent(text: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = _font().getbbox(text)
    return int(left), int(top), int(right), int(bottom)


def draw_chart(chart: Chart) -> Drawing:
    """The chart as red, green and blue, with its parts."""
    pen = _Pen(chart.paper)
    (_draw_pie if chart.kind == "pie" else _draw_plot)(pen, chart)
    _draw_title(pen, chart)
    return pen.done()


def _draw_title(pen: _Pen, chart: Chart) -> None:
    said = [chart.title[0].capitalize(), *chart.title[1:]]
    whole = _extent(" ".join(said))
    middle = PIXELS / 2 if chart.kind == "pie" else (chart.layout.left + chart.layout.right) / 2
    at = min(middle - (whole[2] - whole[0]) / 2, PIXELS - 2 - whole[2])
    for word, name in zip(said, chart.title, strict=True):
        left, _, right, _ = _extent(word)
        width = right - left
        pen.text(at + width / 2, 8, word, Part("title", None, name))
        at += width + 4


def _draw_plot(pen: _Pen, chart: Chart) -> None:
    """Axis, grid, bars or a line with points, labels."""
    lay, f = chart.layout, _FINER
    height = lay.bottom - lay.top
    for share in (0, 1, 2):
        y = lay.bottom - height * share // 2
        if share and lay.has_grid:
            pen.box(lay.left, y, lay.right, y + 1, _PALE)
        pen.box(lay.left - 2, y, lay.left, y + 1, _INK)
        said = str(chart.top * share // 2)
        pen.text(lay.left - 3, y, said, Part("tick", None, said), "end")
    place = (lay.right - lay.left) / len(chart.marks)
    middles = [lay.left + (number + 0.5) * place for number in range(len(chart.marks))]
    levels = [lay.bottom - round(height * mark.tenths / TENTHS) for mark in chart.marks]
    if chart.kind == "line":
        ink = COLOURS[chart.marks[0].colour]
        number = pen.begin("line")
        at = list(zip(middles, levels, strict=True))
        pen.fine.line([(x * f, y * f) for x, y in at], fill=ink, width=2 * f, joint="curve")
        pen.own.line(at, fill=number, width=3)
    for number, mark in enumerate(chart.marks):
        x, y, ink = middles[number], levels[number], COLOURS[mark.colour]
        if chart.kind == "bar":
            half = place * lay.fill / 2
            own = pen.begin("bar", number)
            pen.box(round(x - half), y, round(x + half), lay.bottom, ink, own)
        else:
            own = pen.begin("point", number)
            pen.fine.ellipse(((x - _DOT) * f, (y - _DOT) * f, (x + _DOT) * f, (y + _DOT) * f), fill=ink)
            pen.own.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=own)
    pen.box(lay.left, lay.bottom, lay.right, lay.bottom + 1, _INK)
    pen.box(lay.left, lay.top - 3, lay.left + 1, lay.bottom + 1, _INK)
    for number, mark in enumerate(chart.marks):
        pen.text(middles[number], lay.bottom + 8, mark.label, Part("label", number, mark.label))


def _draw_pie(pen: _Pen, chart: Chart) -> None:
    """Slices clockwise, each with its label beside it."""
    x, y, radius, f = chart.layout.left, chart.layout.top, chart.layout.right, _FINER
    turns = chart.layout.turn + np.cumsum([0, *(mark.tenths for mark in chart.marks)]) * 2 * pi / TENTHS
    around = (x - radius, y - radius, x + radius, y + radius)
    for number, mark in enumerate(chart.marks):
        begin, end = (float(turn) * 180 / pi for turn in turns[number : number + 2])
        pen.fine.pieslice(tuple(f * value for value in around), begin, end, fill=COLOURS[mark.colour])
        pen.own.pieslice(around, begin, end, fill=pen.begin("slice", number))
    for turn in turns[:-1]:
        edge = (f * (x + radius * cos(turn)), f * (y + radius * sin(turn)))
        pen.fine.line([(f * x, f * y), edge], fill=chart.paper, width=f)
    for number, mark in enumerate(chart.marks):
        turn = (turns[number] + turns[number + 1]) / 2
        pen.text(
            x + (radius + 13) * cos(turn), y + (radius + 8) * sin(turn), mark.label, Part("label", number, mark.label)
        )
