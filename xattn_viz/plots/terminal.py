"""A map as text for a terminal: a block a cell, in colour where it is wanted, with the weight where there is room."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import SelectedMap
from xattn_viz.plots import colours

_SHADES = " ░▒▓█"
_WIDEST, _WITH_VALUE = 6, 4  # characters a cell
_LEAST = 0.05  # of a weight that is written out
_LABELS = 0.25  # of the width, at most, for the labels of rows
_RESET = "\x1b[0m"


def text_map(chosen: SelectedMap, *, width: int = 80, coloured: bool = True) -> list[str]:
    """A map in lines of at most `width` characters: its title, its columns by number, and below what they stand for.

    With `coloured` each cell has its colour of magma as ground (24-bit ANSI escapes) and its weight in it where there
    is room; else it is its weight, or one of five shades. Of differences the colours have 0 in their middle and numbers
    their sign, and a cell that one of the two does not have is a dot. Where there are more columns than characters,
    neighbours share one, which shows the largest of them; of sound the line above says seconds. Labels are made
    visible, so that no token steers the terminal.
    """
    names = [visible(chosen.queries.name(row)) for row in range(len(chosen.queries))]
    most = max(int(_LABELS * width), 4)
    beside = min(max(map(_wide, names), default=0), most)
    room = max(width - beside - 1, 1)
    together = -(-len(chosen.keys) // room)
    weights = _pooled(chosen.weights, together)
    cell = max(min(room // max(weights.shape[1], 1), _WIDEST), 1)
    span = f"−{chosen.top:.2f}" if chosen.apart else "0"
    lines = [chosen.title, f"↓ {chosen.rows_title}, → {chosen.keys_title}; {chosen.what} {span} to {chosen.top:.2f}"]
    lines.append(" " * (beside + 1) + _above(chosen.keys, weights.shape[1], cell, together))
    table = colours.diverging(dark=True) if chosen.apart else colours.table("magma", dark=True)
    draw = _difference if chosen.apart else _cell
    for name, row in zip(names, weights, strict=True):
        label = _cut(name, beside)
        cells = "".join(draw(float(value), chosen.top, cell, table if coloured else None) for value in row)
        lines.append(" " * (beside - _wide(label)) + label + " " + cells + (_RESET if coloured else ""))
    return [_cut(line, width) for line in lines[:3]] + lines[3:] + _legend(chosen.keys, width)


def _pooled(weights: NDArray[np.floating], together: int) -> NDArray[np.floating]:
    """The largest, above or below 0, of each so many neighbours, `[query, group]`."""
    if together <= 1:
        return weights
    groups = np.arange(0, weights.shape[1], together)
    high, low = (largest.reduceat(weights, groups, axis=1) for largest in (np.fmax, np.fmin))
    return np.where(-low > high, low, high)


def _cell(value: float, top: float, wide: int, table: NDArray[np.uint8] | None) -> str:
    share = min(max(value / (top or 1.0), 0.0), 1.0)
    said = f"{value:.2f}".removeprefix("0") if wide >= _WITH_VALUE and value >= _LEAST else ""
    if table is None:
        return said.center(wide) if said else _SHADES[round(share * (len(_SHADES) - 1))] * wide
    return _on(table[round(share * 255)], said.center(wide))


def _difference(value: float, top: float, wide: int, table: NDArray[np.uint8] | None) -> str:
    if math.isnan(value):
        return ("" if table is None else _RESET) + "·".center(wide)
    share = min(max(value / (top or 1.0), -1.0), 1.0)
    said = ""
    if wide > _WITH_VALUE and abs(value) >= _LEAST:
        said = f"{value:+.2f}".replace("0.", ".", 1).replace("-", "−")
    if table is None:
        shade = _SHADES[round(abs(share) * (len(_SHADES) - 1))]
        return said.center(wide) if said else ("−" if value < 0 and shade != " " else shade) * wide
    return _on(table[round((share + 1) / 2 * 255)], said.center(wide))


def _on(colour: NDArray[np.uint8], said: str) -> str:
    """What is said in a cell, on its colour."""
    ground = [int(channel) for channel in colour]
    ink = 255 if colours.takes_white(*ground) else 0
    return f"\x1b[38;2;{ink};{ink};{ink};48;2;{';'.join(map(str, ground))}m{said}"


def _above(keys: Axis, count: int, cell: int, together: int) -> str:
    """Numbers over the columns, from 1, as many as have room; seconds of sound."""
    said = {column: str(column * together + 1) for column in range(count)}
    if keys.times is not None:
        starts = [start for start, _ in keys.times]
        seconds = range(math.ceil(starts[0]), math.floor(starts[-1]) + 1)
        said = {bisect_left(starts, second - 1e-6) // together: str(second) for second in seconds}
    line = ""
    for column, number in said.items():
        if len(line) <= column * cell:
            line = line.ljust(column * cell) + number.center(cell).rstrip() + " "
    return line.rstrip()


def _legend(keys: Axis, width: int) -> list[str]:
    """Which column stands for what, in lines."""
    if keys.times is not None:
        return []
    lines = [""]
    for number in range(len(keys)):
        said = _cut(f"{number + 1} {visible(keys.name(number))}", width)
        if lines[-1] and _wide(lines[-1]) + 2 + _wide(said) > width:
            lines.append("")
        lines[-1] += ("  " if lines[-1] else "") + said
    return lines


def _wide(text: str) -> int:
    """How many places of a terminal a text takes."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _cut(text: str, width: int) -> str:
    if _wide(text) <= width:
        return text
    cut: Sequence[str] = text
    while cut and _wide("".join(cut)) > width - 1:
        cut = cut[:-1]
    return "".join(cut) + "…"
