"""The figures of a paper besides one map: small maps of heads, words with lines between them, sound, pictures, numbers.

Each is drawn on a `plots.svg.Sheet` of a given width in type of one size; what does not fit is left out and said in the
notes of the sheet, or refused (`TooNarrowError`). `tikz` writes a sheet for LaTeX.
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.core.evidence import Alignment, Word
from xattn_viz.core.tokens import short_label, visible
from xattn_viz.core.trace import HeadGrid
from xattn_viz.core.view import SelectedMap
from xattn_viz.plots import colours
from xattn_viz.plots.svg import (
    INK,
    Bar,
    Box,
    Cells,
    Grid,
    Line,
    Mark,
    Picture,
    Sheet,
    Style,
    Text,
    TooNarrowError,
    bar_width,
    colour_bar,
    column_labels,
    columns_title,
    ink_on,
    longest,
    map_sheet,
    paint,
    row_labels,
    runs,
    short_decimal,
    text_width,
    weight_levels,
    wrapped,
)

_QUIET = "#8a857b"
_BELOW, _ABOVE = "#00639e", "#a34a00"  # what is less than nothing, and more
_RISE = math.sin(math.radians(50))  # of labels that are turned


@dataclass(frozen=True)
class _Room:
    """What is left of a sheet for small pictures beside labels and a colour bar."""

    left: float
    top: float
    width: float


def _begun(style: Style, title: str, left: float = 0.0) -> tuple[Sheet, _Room]:
    """A sheet with its title, and the room below it and between what stands `left` and the colour bar."""
    f, width = style.size, style.width or 72 * style.size
    sheet = Sheet(width, ground=style.ground, title=title)
    top = style.margin
    if style.title:
        sheet.add(Text(title, style.margin, top + f, f, is_bold=True))
        top += 1.6 * f
    left += style.margin
    return sheet, _Room(left, top, width - left - style.margin - bar_width(style))


def heads_sheet(ones: Sequence[SelectedMap], titles: Sequence[str], style: Style, *, title: str) -> Sheet:
    """Maps between the same rows and columns beside and below each other, each under its title, all on one scale.

    Rows are named before the first map of a line, columns above the first line. Raises TooNarrowError where a map would
    be less than 8 ems wide.
    """
    f, first = style.size, ones[0]
    sheet, room = _begun(style, title, 1.7 * f + longest(first.queries, f) + 0.6 * f)
    gap = 0.8 * f
    across = min(
        len(ones), max(1, int((room.width + gap) / (max(8.5 * f, *(text_width(one, f) for one in titles)) + gap)))
    )
    width = (room.width - gap * (across - 1)) / across
    if width < 8 * f:
        raise TooNarrowError("The labels leave no room for the maps", sheet.width - width + 8 * f)
    rows, columns = len(first.queries), len(first.keys)
    cell = Grid(0.0, 0.0, width / columns, min(max(width / columns, min(1.2 * f, 18 * f / rows)), 3 * f))
    rise = 1.2 * f if first.keys.is_timed else longest(first.keys, f) * _RISE + 0.8 * f
    top, high = room.top, cell.height * rows
    for begin in range(0, len(ones), across):
        top += 1.4 * f + (rise if not begin else 0.5 * f)
        for place, (one, name) in enumerate(
            zip(ones[begin : begin + across], titles[begin : begin + across], strict=True)
        ):
            grid = replace(cell, left=room.left + place * (width + gap), top=top)
            sheet.add(Text(name, grid.left, top - (rise + 0.4 * f if not begin else 0.5 * f), f, is_bold=True))
            paint(sheet, one, style, grid)
            if not begin:
                column_labels(sheet, one.keys, grid, f)
            if not place:
                row_labels(sheet, one.queries, grid, f)
        top += high + 0.6 * f
    sheet.notes[:] = list(dict.fromkeys(sheet.notes))
    _axis_title(sheet, first.rows_title, style, room.top, top)
    said = wrapped(first.keys_title, sheet.width - 2 * style.margin, f)
    columns_title(sheet, said, style, (room.left, room.left + room.width), top)
    sheet.height = top + (0.3 + 1.3 * len(said)) * f + style.margin
    if style.bar:
        beside = room.left + room.width + f
        colour_bar(
            sheet, style, (0.0, first.top), first.what, beside, room.top + 1.8 * f + rise, min(max(high, 6 * f), 10 * f)
        )
    return sheet


def _axis_title(sheet: Sheet, said: str, style: Style, top: float, bottom: float) -> None:
    """What rows are, upwards at the left."""
    sheet.add(Text(said, style.margin + style.size, (top + bottom) / 2, style.size, "middle", turn=-90))


def grid_sheet(layers: Sequence[int], ones: Sequence[Sequence[SelectedMap]], style: Style, *, title: str) -> Sheet:
    """The maps of all heads, small and without labels: a line a layer, numbered from 1, a column a head."""
    f, first = style.size, ones[0][0]
    sheet, room = _begun(style, title, 3.6 * f)
    count, gap = max(map(len, ones)), 0.25 * f
    width = (room.width - gap * (count - 1)) / count
    if width < 0.8 * f:
        raise TooNarrowError(f"{count} heads beside each other have no room", sheet.width + count * (0.8 * f - width))
    high = width * min(max(len(first.queries) / len(first.keys), 0.5), 1.5)
    top = _number_heads(sheet, room, style, layers, (count, width + gap, high + gap))
    for number, line in enumerate(ones):
        for head, one in enumerate(line):
            x, y = room.left + head * (width + gap), top + number * (high + gap)
            cell = width / len(one.keys), high / len(one.queries)
            sheet.add(Cells(weight_levels(one.weights, one.top), style.table, x, y, *cell))
            sheet.add(Box(x, y, width, high, stroke="#d8d3c8", thickness=0.3))
    _end_heads(sheet, room, style, (top, top + len(ones) * (high + gap)), (0.0, first.top), first.what)
    return sheet


def _number_heads(
    sheet: Sheet, room: _Room, style: Style, layers: Sequence[int], pitch: tuple[int, float, float]
) -> float:
    """Numbers of heads above columns and of layers before rows, from 1; and where the rows begin.

    `pitch` is how many heads there are, and how far it is from one to the next, across and down.
    """
    f, (count, across, down) = style.size, pitch
    top = room.top + 2.7 * f
    sheet.add(Text("head", room.left + room.width / 2, room.top + f, f, "middle"))
    for head in range(0, count, max(1, math.ceil(1.4 * f / across))):
        sheet.add(Text(str(head + 1), room.left + (head + 0.5) * across, top - 0.5 * f, f, "middle"))
    for row in range(0, len(layers), max(1, math.ceil(1.1 * f / down))):
        sheet.add(Text(str(layers[row] + 1), room.left - 0.6 * f, top + (row + 0.5) * down + 0.35 * f, f, "end"))
    return top


def _end_heads(
    sheet: Sheet,
    room: _Room,
    style: Style,
    rows: tuple[float, float],
    ends: tuple[float, float],
    what: str,
    table: Sequence[str] | None = None,
) -> None:
    """What rows are, from the first to the last, the colour bar beside them, and the end of the sheet below."""
    f, (top, bottom) = style.size, rows
    _axis_title(sheet, "layer", style, top, bottom)
    sheet.height = bottom + style.margin
    if style.bar:
        high = min(max(bottom - top, 6 * f), 10 * f)
        colour_bar(sheet, style, ends, what, room.left + room.width + f, top + 0.35 * f, high, table=table)
        sheet.height = max(sheet.height, top + high + 1.4 * f)


def links_sheet(found: Alignment, style: Style, *, title: str) -> Sheet:
    """The words of two texts with a line between those that are linked, the thicker the larger its weight.

    The source stands above the target, or where a line of words is too long, before it; a text that is written from
    right to left is. Words without a link are grey.
    """
    f = style.size
    sheet, room = _begun(replace(style, bar=False), title)
    sides = (found.source_words, found.target_words)
    lengths = [sum(text_width(word.text, f) + f for word in side) - f for side in sides]
    is_level = max(lengths) <= room.width
    places = [_in_line(side, room, f) for side in sides] if is_level else _in_columns(sides, room, f, sheet)
    y = room.top + f
    far = y + 6.5 * f
    linked = [{link[i] for link in found.links} for i in (0, 1)]
    for link in found.links:
        (x0, y0), (x1, y1) = places[0][link.source_index], places[1][link.target_index]
        share = min(max(link.weight, 0.0), 1.0)
        if is_level:
            ends = ((x0, y + 0.45 * f), (x1, far - 0.95 * f))
        else:
            ends = ((x0 + 0.5 * f, y0 - 0.3 * f), (x1 - 0.5 * f, y1 - 0.3 * f))
        sheet.add(Line(ends, _ABOVE, round((0.05 + 0.12 * share) * f, 3), 0.35 + 0.65 * share))
    for number, (side, spots) in enumerate(zip(sides, places, strict=True)):
        for at, (word, (x, down)) in enumerate(zip(side, spots, strict=True)):
            place = (x, (y, far)[number], f, "middle") if is_level else (x, down, f, ("end", "start")[number])
            label = short_label(word.text, 60 if is_level else 28)
            sheet.add(Text(label, *place, ink=INK if at in linked[number] else _QUIET))
    lowest = far if is_level else max(down for spots in places for _, down in spots)
    sheet.height = lowest + 0.4 * f + style.margin
    return sheet


def _is_leftward(words: Sequence[Word]) -> bool:
    """Whether a text is written from right to left: more of its letters are than not."""
    kinds = [unicodedata.bidirectional(c) for word in words for c in word.text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def _in_line(words: Sequence[Word], room: _Room, size: float) -> list[tuple[float, float]]:
    """The middles of words beside each other, in their direction, in the middle of the room."""
    widths = [text_width(word.text, size) for word in words]
    x, found = room.left + (room.width - sum(widths) - size * (len(words) - 1)) / 2, []
    for width in widths:
        found.append((x + width / 2, 0.0))
        x += width + size
    mirrored = 2 * room.left + room.width
    return [(mirrored - x, y) for x, y in found] if _is_leftward(words) else found


def _in_columns(
    sides: Sequence[Sequence[Word]], room: _Room, size: float, sheet: Sheet
) -> list[list[tuple[float, float]]]:
    """The inner ends of words below each other, one text at each side, both as long."""
    wide = [max((text_width(short_label(word.text, 28), size) for word in side), default=0.0) for side in sides]
    if sum(wide) + 6 * size > room.width:
        raise TooNarrowError("The words leave no room for lines", sheet.width - room.width + sum(wide) + 6 * size)
    most = max(map(len, sides))
    middle, between = room.left + room.width / 2, min(room.width - sum(wide), 16 * size)
    ends = middle + (wide[0] - wide[1] - between) / 2, middle + (wide[0] - wide[1] + between) / 2
    step = [1.5 * size * (most - 1) / max(len(side) - 1, 1) for side in sides]
    return [
        [(end, room.top + size + i * down) for i in range(len(side))]
        for end, down, side in zip(ends, step, sides, strict=True)
    ]


def sound_sheet(
    one: SelectedMap, sound: NDArray[Any], words: Sequence[tuple[str, float, float]], style: Style, *, title: str
) -> Sheet:
    """A map over sound, below the sound itself on the same seconds and the words where they were spoken.

    `sound` is a log-mel spectrogram `[mel, frame]` or samples `[sample]` of what the columns of the map last; `words`
    are (text, start, end) in seconds. Words that would lie over each other are left out.
    """
    f = style.size
    strip, line = 6 * f, 3 * f if words else 0.4 * f
    sheet = map_sheet(replace(one, title=title), style, above=strip + line)
    grid = next(mark for mark in sheet.marks if isinstance(mark, Cells))
    top, width = grid.y - strip - line, grid.width * len(one.keys)
    if sound.ndim == 2:
        sheet.add(Picture(_grey(sound), grid.x, top, width, strip))
    else:
        parts = np.array_split(
            np.abs(np.nan_to_num(sound.astype(np.float64), posinf=0, neginf=0)),
            min(len(sound), max(1, round(2 * width))),
        )
        loudest = np.array([part.max(initial=0.0) for part in parts])
        loudest *= 0.5 * strip / (loudest.max(initial=0.0) or 1.0)
        xs = grid.x + (np.arange(len(parts)) + 0.5) * width / len(parts)
        middle = top + strip / 2
        points = zip(np.repeat(xs, 2), np.stack([middle - loudest, middle + loudest], 1).ravel(), strict=True)
        sheet.add(Line(tuple((float(x), float(y)) for x, y in points), INK, 0.04 * f))
    times = one.keys.times or ()
    start, seconds = times[0][0], times[-1][1] - times[0][0] or 1.0
    free, hidden = [grid.x, grid.x], 0  # where each of two lines has room
    for text, begin, end in words:
        x0, x1 = (grid.x + min(max((each - start) / seconds, 0), 1) * width for each in (begin, end))
        label = short_label(text, 16)
        half = text_width(label, f) / 2
        middle = min(max((x0 + x1) / 2, grid.x + half), grid.x + width - half)
        y = grid.y - line + 0.35 * f
        sheet.add(Line(((x0 + 0.08 * f, y), (max(x1 - 0.08 * f, x0 + 0.1 * f), y)), _ABOVE, 0.15 * f))
        at = next((at for at in (0, 1) if middle - half >= free[at]), None)
        if at is None:
            hidden += 1
            continue
        sheet.add(Text(label, middle, grid.y - line + (1.3 + 1.15 * at) * f, f, "middle"))
        free[at] = middle + half + 0.4 * f
    if hidden:
        sheet.notes.append(f"{hidden} of {len(words)} words have no room for their name.")
    return sheet


def _grey(mel: NDArray[Any]) -> NDArray[np.uint8]:
    """A spectrogram `[mel, frame]` as grey pixels, low notes below, the loud dark; at most 1,200 columns."""
    finite = mel[np.isfinite(mel)]
    known = np.where(np.isfinite(mel), mel, finite.min() if finite.size else 0.0).astype(np.float64)
    size = -(-mel.shape[1] // 1200)
    firsts = np.arange(0, mel.shape[1], size)
    means = np.add.reduceat(known, firsts, axis=1) / np.diff([*firsts, mel.shape[1]])
    levels = np.rint(255 * (means - means.min()) / (np.ptp(means) or 1.0)).astype(int)
    grey: NDArray[np.uint8] = colours.table("grey", dark=False)[levels[::-1]]
    return grey


def region_sheet(
    pictures: Sequence[tuple[str, NDArray[np.uint8]]],
    parts: Sequence[tuple[str, NDArray[Any]]],
    top: float,
    style: Style,
    *,
    title: str,
    what: str,
    apart: bool = False,
) -> Sheet:
    """Named pictures `[row, column, 3]`, and beside them the last once for each word with its weights over it.

    Weights are `[row, column]`, their colours run up to `top`, over the picture by `colours.OPACITY`; those of
    differences (`apart`) from -`top` on. All pictures are as high as the last.
    """
    f = style.size
    sheet, room = _begun(style, title)
    picture = pictures[-1][1]
    gap, count = 0.8 * f, len(parts) + len(pictures)
    across = min(count, max(2, int((room.width + gap) / (9 * f + gap))))
    width = (room.width - gap * (across - 1)) / across
    high = width * picture.shape[0] / picture.shape[1]
    for place, (name, shown) in enumerate([*pictures, *parts]):
        x = room.left + place % across * (width + gap)
        y = room.top + 1.5 * f + place // across * (high + 2 * f)
        if name:
            letters = max(3, int(width / (0.58 * f)))
            sheet.add(Text(short_label(name, letters), x + width / 2, y - 0.5 * f, f, "middle"))
        if place < len(pictures):
            sheet.add(Picture(shown, x, y, width, high, is_sharp=max(shown.shape) < 128))
        else:
            over = colours.overlay(picture, shown, top, side=400, name=style.colour_map, apart=apart)
            sheet.add(Picture(over, x, y, width, high))
    sheet.height = room.top + -(-count // across) * (high + 2 * f) + style.margin - 0.5 * f
    if style.bar:
        table = colours.diverging(dark=True) if apart else colours.table(style.colour_map, dark=True)
        over_picture = [f"#{bytes(colour).hex()}" for colour in table]
        tall = min(max(high, 6 * f), 10 * f)
        ends, left = (-top if apart else 0.0, top), room.left + room.width + f
        colour_bar(sheet, style, ends, what, left, room.top + 1.8 * f, tall, table=over_picture)
        sheet.height = max(sheet.height, room.top + tall + 3 * f)
    return sheet


def evidence_sheet(found: HeadGrid, style: Style, *, title: str) -> Sheet:
    """One number for each head, a line a layer, both numbered from 1: in colour, and as large as fits, in digits.

    Where some are below 0, colours run both ways from it; a head without a number has a dash.
    """
    f, values = style.size, found.values.astype(np.float64)
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    reach = max(-low, high) or 1.0
    ends = (-reach, reach) if low < 0 else (0.0, reach)
    table = _two_sided() if low < 0 else style.table
    sheet, room = _begun(style, title, 3.6 * f)
    rows, columns = values.shape
    width = room.width / columns
    if width < 0.8 * f:
        raise TooNarrowError(
            f"{columns} heads beside each other have no room", sheet.width + columns * (0.8 * f - width)
        )
    tall = min(max(min(width, 2.4 * f), 1.3 * f), 80 * f / rows)
    top = _number_heads(sheet, room, style, found.layers, (columns, width, tall))
    shares = (np.nan_to_num(values) - ends[0]) / (ends[1] - ends[0])
    levels = weight_levels(shares, 1.0)
    sheet.add(Cells(levels, table, room.left, top, width, tall))
    said = [[short_decimal(value, reach) if np.isfinite(value) else "–" for value in row] for row in values.tolist()]
    fits = max(text_width(one, f) for row in said for one in row) + 0.4 * f <= width and tall >= 1.1 * f
    for row, column in np.ndindex(rows, columns):
        x, y, text = room.left + (column + 0.5) * width, top + (row + 0.5) * tall + 0.35 * f, said[row][column]
        if text == "–":
            sheet.add(Box(room.left + column * width, top + row * tall, width, tall, style.ground or "#ffffff"))
        if fits or text == "–":
            sheet.add(Text(text, x, y, f, "middle", ink=ink_on(table[levels[row, column]]) if text != "–" else _QUIET))
    if not fits:
        sheet.notes.append("Cells are too small for their numbers.")
    _end_heads(sheet, room, style, (top, top + rows * tall), ends, visible(found.unit), table)
    return sheet


def _two_sided() -> list[str]:
    """256 colours from less than nothing over white to more."""
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (_BELOW, "#ffffff", _ABOVE)]
    mixed = np.stack([np.interp(np.linspace(0, 2, 256), range(3), channel) for channel in zip(*ends, strict=True)], 1)
    return [f"#{bytes(colour).hex()}" for colour in np.rint(mixed).astype(np.uint8)]


# What LaTeX reads as a command, or sets as something else in one of its fonts, and how it is written.
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "-": "{-}",
    "`": r"\textasciigrave{}",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "\u2212": "$-$",
    "…": r"\ldots{}",
    "×": r"$\times$",
    "\u2068": "",
    "\u2069": "",
}
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tex_text(text: str) -> str:
    """A text for LaTeX, in which nothing acts as a command."""
    return "".join(_TEX.get(character, character) for character in text)


def tikz(sheet: Sheet, stem: str) -> tuple[str, dict[str, bytes]]:
    r"""A sheet in points as a `tikzpicture`, and the PNG pictures that it includes by their file names, "STEM-1.png".

    Text is LaTeX's own, in its font; it needs `\usepackage{tikz}`, and for other writing than Latin XeLaTeX or LuaLaTeX
    with a font that has its letters.
    """
    names_of: dict[str, str] = {}
    pictures: dict[str, bytes] = {}

    def colour(code: str) -> str:
        digits = code[1:] if len(code) == 7 else "".join(2 * digit for digit in code[1:])
        return names_of.setdefault(digits.upper(), f"xv{len(names_of)}")

    body: list[str] = []
    if sheet.ground is not None:
        body.append(rf"\fill[{colour(sheet.ground)}](0,0)rectangle({sheet.width:.3f},{sheet.height:.3f});")
    for mark in sheet.marks:
        if isinstance(mark, Picture):
            name = f"{stem}-{len(pictures) + 1}.png"
            out = io.BytesIO()
            Image.fromarray(mark.pixels).save(out, "PNG", optimize=True)
            pictures[name] = out.getvalue()
            shown = rf"\includegraphics[width={mark.width:.3f}bp,height={mark.height:.3f}bp]{{{name}}}"
            body.append(rf"\node[anchor=north west] at ({mark.x:.3f},{mark.y:.3f}) {{{shown}}};")
        else:
            body += _tikz_lines(mark, colour)
    head = [
        r"\begin{tikzpicture}[x=1bp,y=-1bp,every node/.style={inner sep=0pt,outer sep=0pt}]",
        rf"\path[use as bounding box](0,0)rectangle({sheet.width:.3f},{sheet.height:.3f});",
        *(rf"\definecolor{{{name}}}{{HTML}}{{{code}}}" for code, name in names_of.items()),
    ]
    return "\n".join([*head, *body, r"\end{tikzpicture}", ""]), pictures


def _tikz_lines(mark: Mark, colour: Any) -> list[str]:
    def box(x: float, y: float, width: float, height: float) -> str:
        return f"({x:.3f},{y:.3f})rectangle({x + width:.3f},{y + height:.3f})"

    if isinstance(mark, Text):
        turned = f",rotate={-mark.turn:g}" if mark.turn else ""
        font = rf"\fontsize{{{mark.size:g}bp}}{{{1.2 * mark.size:g}bp}}\selectfont" + r"\bfseries" * mark.is_bold
        said = f"anchor={_ANCHORS[mark.anchor]},text={colour(mark.ink)},font={font}{turned}"
        return [rf"\node[{said}] at ({mark.x:.3f},{mark.y:.3f}) {{{tex_text(mark.text)}}};"]
    if isinstance(mark, Cells):
        return [
            rf"\fill[{colour(mark.table[level])}]"
            + box(mark.x + column * mark.width, mark.y + row * mark.height, length * mark.width, mark.height)
            + ";"
            for level, row, column, length in runs(mark.levels)
        ]
    if isinstance(mark, Bar):
        step, low = mark.height / len(mark.table), mark.y + mark.height  # each reaches to the foot, below the next
        return [
            rf"\fill[{colour(code)}]{box(mark.x, (y := mark.y + i * step), mark.width, low - y)};"
            for i, code in enumerate(reversed(mark.table))
        ]
    if isinstance(mark, Line):
        points = "--".join(f"({x:.3f},{y:.3f})" for x, y in mark.points)
        return [rf"\draw[{colour(mark.stroke)},line width={mark.thickness:g}bp,opacity={mark.opacity:.3f}]{points};"]
    assert isinstance(mark, Box)  # noqa: S101 - pictures are written by `tikz`
    said = box(mark.x, mark.y, mark.width, mark.height)
    filled = [rf"\fill[{colour(mark.fill)}]{said};"] if mark.fill != "none" else []
    framed = [rf"\draw[{colour(mark.stroke)},line width={mark.thickness:g}bp]{said};"] if mark.stroke else []
    return filled + framed
