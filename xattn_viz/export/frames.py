"""The frames of a moving picture, drawn once: one SVG document in which every part knows the frames that it is seen in.

`WHEN` of a part are its first and its last frame, `SHIFT` how far it is moved down in each; `still` is one frame of the
document. What is drawn is what a view means (`export.shown`), in type for the last row of a room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import short_label, visible, visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import SelectedMap, View, kind_title
from xattn_viz.export.shown import patch_weights, shown
from xattn_viz.inputs import InputError
from xattn_viz.plots import colours
from xattn_viz.plots.svg import FONTS, cells, png, pooled, round_seconds, text_width, thinned

WHEN, SHIFT = "xv-when", "xv-shift"
#: Frames at most.
MOST_FRAMES = 240
#: Heads that a tour goes through at most; of more, those of the layer in view.
MOST_HEADS = 64
_MOST_COLUMNS = 400  # of sound, whose frames are finer than pixels
_DARK = {"ground": "#0e0f13", "ink": "#ece9e2", "quiet": "#9a978f", "line": "#2b2e38"}
_LIGHT = {"ground": "#fbfaf7", "ink": "#1d1b18", "quiet": "#6b675f", "line": "#d8d3c8"}

Picture = NDArray[np.uint8]


def copied(element: ET.Element) -> ET.Element:
    """The element without its parts and without what only this module reads."""
    made = ET.Element(element.tag, {k: v for k, v in element.attrib.items() if k not in (WHEN, SHIFT)})
    made.text, made.tail = element.text, element.tail
    return made


def still(element: ET.Element, frame: int) -> ET.Element:
    """The element as it is in one frame, from 0."""
    made = copied(element)
    if (shift := element.get(SHIFT)) is not None:
        made.set("transform", f"translate(0 {shift.split()[frame]})")
    for child in element:
        first, last = map(int, child.get(WHEN, f"0 {frame}").split())
        if first <= frame <= last:
            made.append(still(child, frame))
    return made


class Stage:
    """A document to draw on: its colours, its sizes in units of a 1280 × 720 frame, and what is drawn on it."""

    def __init__(self, size: tuple[int, int], *, dark: bool) -> None:
        self.width, self.height = size
        self.unit = min(self.width / 1280, self.height / 720)
        self.dark, self.palette = dark, {**(_DARK if dark else _LIGHT), "accent": colours.colour(0, dark)}
        self.margin = 40 * self.unit
        self.root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", direction="ltr")
        for name, value in (
            ("width", str(self.width)),
            ("height", str(self.height)),
            ("viewBox", f"0 0 {self.width} {self.height}"),
            ("font-family", FONTS),
        ):
            self.root.set(name, value)
        self.rect(0, 0, self.width, self.height, self.palette["ground"])

    def table(self, name: str) -> list[str]:
        """The 256 colours of a map, from weight 0 on."""
        return [f"#{bytes(colour).hex()}" for colour in colours.table(name, dark=self.dark)]

    def mixed(self, share: float) -> str:
        """A colour from quiet to the accent, for a share from 0 to 1."""
        ends = [[int(self.palette[name][i : i + 2], 16) for i in (1, 3, 5)] for name in ("quiet", "accent")]
        return "#" + bytes(round(a + (b - a) * min(max(share, 0.0), 1.0)) for a, b in zip(*ends, strict=True)).hex()

    def put(self, tag: str, place: ET.Element | None = None, when: tuple[int, int] | None = None, **said: Any) -> Any:
        """A new element, in the root or in a `place`, seen in the frames from the first to the last of `when`."""
        named = {name.replace("_", "-"): f"{v:.2f}" if isinstance(v, float) else str(v) for name, v in said.items()}
        made = ET.SubElement(self.root if place is None else place, tag, named)
        if when is not None:
            made.set(WHEN, f"{when[0]} {when[1]}")
        return made

    def rect(self, x: float, y: float, width: float, height: float, fill: str, **more: Any) -> None:
        """A filled rectangle."""
        self.put("rect", x=float(x), y=float(y), width=float(width), height=float(height), fill=fill, **more)

    def write(self, text: str, x: float, y: float, size: float, ink: str = "ink", **more: Any) -> None:
        """A line of text whose ink is the name of a colour."""
        made = self.put("text", x=x, y=y, font_size=size, fill=self.palette[ink], **more)
        made.text = text

    def picture(self, pixels: Picture, box: tuple[float, float, float, float], **more: Any) -> None:
        """Pixels `[row, column, 3]` in a box (x, y, width, height), each a sharp square."""
        x, y, width, height = map(float, box)
        said: dict[str, Any] = {"preserveAspectRatio": "none", "image_rendering": "optimizeSpeed", "href": png(pixels)}
        self.put("image", x=x, y=y, width=width, height=height, **said, **more)


@dataclass(frozen=True)
class _Sentence:
    """A text in lines that fit, of at most two on the stage: what is written, and which position each part is of."""

    lines: tuple[tuple[tuple[str, int], ...], ...]  # (part, position or -1)
    size: float

    @classmethod
    def of(cls, stage: Stage, text: object, axis: Axis) -> _Sentence | None:
        """That of the text of an axis; None where nothing says which part of it each position is."""
        if not isinstance(text, str) or axis.spans is None:
            return None
        parts, end = [], 0
        for position, (start, stop) in enumerate(axis.spans):
            if stop > max(start, end):
                parts += [(text[end : max(start, end)], -1), (text[max(start, end) : stop], position)]
                end = stop
        parts = [(visible_text(part).replace("\n", " "), position) for part, position in (*parts, (text[end:], -1))]
        room = stage.width - 2 * stage.margin
        for size in (34, 30, 26):
            lines = _broken([part for part in parts if part[0]], room, size * stage.unit)
            if len(lines) <= 2:
                break
        return cls(tuple(map(tuple, lines)), size * stage.unit)

    @property
    def height(self) -> float:
        """How much room it takes on the stage."""
        return min(len(self.lines), 2) * 1.25 * self.size

    def write(self, stage: Stage, y: float, inks: Sequence[str | None], focus: int, **more: Any) -> None:
        """Write its lines from `y` on, each position in its ink, up to one that has none.

        The position in `focus` is bold; of more than two lines those about it are there.
        """
        at = next((i for i, line in enumerate(self.lines) if any(one == focus for _, one in line)), 0)
        first = min(max(at - 1, 0), max(len(self.lines) - 2, 0))
        ink: str | None = stage.palette["quiet"]
        for number, line in enumerate(self.lines[first : first + 2]):
            made = stage.put("text", x=stage.margin, y=y + number * 1.25 * self.size, font_size=self.size, **more)
            made.set("xml:space", "preserve")
            for part, position in line:
                ink = inks[position] if position >= 0 else ink
                if ink is None:
                    return
                span = ET.SubElement(made, "tspan", fill=ink)
                span.text = part
                if position == focus:
                    span.set("font-weight", "700")


def _broken(parts: list[tuple[str, int]], room: float, size: float) -> list[list[tuple[str, int]]]:
    """Parts in lines that are at most so wide, broken where a part is or begins with a blank."""
    lines: list[list[tuple[str, int]]] = [[]]
    word: list[tuple[str, int]] = []
    for part in [*parts, (" ", -1)]:
        if part[0][:1].isspace() and word:
            if lines[-1] and text_width("".join(p for p, _ in (*lines[-1], *word)), size) > room:
                lines.append([])
            lines[-1] += word if lines[-1] else [(word[0][0].lstrip(), word[0][1]), *word[1:]]
            word = []
        word.append(part)
    return [[part for part in line if part[0]] for line in lines if line]


@dataclass(frozen=True)
class _Plot:
    """Where a map lies on the stage, with its labels: left upper corner, a cell's width and height, and its type."""

    left: float
    top: float
    width: float
    height: float
    rows: int  # that there is room for
    font: float
    column_font: float
    is_turned: bool
    bottom: float


def _placed(stage: Stage, one: SelectedMap, above: float, *, is_long: bool) -> _Plot:
    """The place of a map below `above`: cells as large as there is room for, and labels of 22 pixels, of 12 at least.

    Where `is_long`, so many rows are there at a time as leave that room.
    """
    u, queries, keys = stage.unit, one.queries, one.keys
    bottom, font, count = stage.height - 64 * u, 22 * u, len(queries)
    left = stage.margin + max((text_width(name, font) for name in _names(queries)), default=0.0) + 14 * u
    wide = stage.width - stage.margin - 130 * u - left
    width = wide / max(1, len(keys)) if keys.is_timed else min(130 * u, wide / max(1, len(keys)))
    longest = max(text_width(name, font) for name in _names(keys))
    is_turned = not keys.is_timed and longest > width - 6 * u
    if is_turned:
        longest *= min(1.0, max(12 * u, 0.95 * width) / font)
    top = above + 26 * u + (0.77 * longest if is_turned else 0.0)
    rows = max(1, min(count, int((bottom - top) / (27 * u)))) if is_long else count
    height = min(48 * u, (bottom - top) / max(rows, 1))
    column_font = min(font, max(12 * u, 0.95 * width)) if is_turned else font
    return _Plot(left, top, width, height, rows, min(font, max(12 * u, 0.8 * height)), column_font, is_turned, bottom)


def _names(axis: Axis) -> list[str]:
    if axis.is_timed:
        return ["0000.0"]
    return [short_label(axis.name(position), 16) for position in range(len(axis))]


def _column_labels(stage: Stage, one: SelectedMap, plot: _Plot) -> None:
    keys, y, font = one.keys, plot.top - 9 * stage.unit, plot.column_font
    wide = len(keys) * plot.width
    if keys.is_timed:
        times = keys.times or ()
        (start, _), (_, end) = times[0], times[-1]
        for second in round_seconds(start, end, int(wide / (90 * stage.unit))):
            x = plot.left + (second - start) * wide / (end - start or 1.0)
            stage.write(f"{second:g} s", x, y, font, "quiet", text_anchor="middle")
        return
    for place in thinned(len(keys), max(1, int(wide / (1.05 * font)))) if plot.is_turned else range(len(keys)):
        x = plot.left + (place + 0.5) * plot.width
        how = {"transform": f"rotate(-50 {x:.1f} {y:.1f})"} if plot.is_turned else {"text_anchor": "middle"}
        stage.write(_names(keys)[place], x, y, font, **how)


def _bar(stage: Stage, one: SelectedMap, table: Sequence[str], plot: _Plot, **when: Any) -> None:
    """The colours from 0 (below) to the map's end, with three weights beside them and the name of the scale."""
    u = stage.unit
    left, high = stage.width - stage.margin - 84 * u, min(256 * u, plot.bottom - plot.top - 30 * u)
    for number, colour in enumerate(reversed(table[::4])):
        step = high / len(table[::4])
        stage.rect(left, plot.top + number * step, 16 * u, step + 0.5, colour, **when)
    for share in (0.0, 0.5, 1.0):
        stage.write(f"{one.top * share:.2f}", left + 24 * u, plot.top + (1 - share) * high + 7 * u, 20 * u, **when)
    stage.write(one.what, left, plot.top + high + 34 * u, 20 * u, "quiet", **when)


def _map_row(one: SelectedMap, plot: _Plot, table: Sequence[str], row: int, place: ET.Element) -> None:
    move = f"translate({plot.left:.2f} {plot.top + row * plot.height:.2f}) scale({plot.width:.4f} {plot.height:.4f})"
    cells(place, one.weights[row : row + 1], one.top, table, move)


def _row_label(stage: Stage, one: SelectedMap, plot: _Plot, row: int, place: Any, ink: str, **more: Any) -> None:
    made = stage.put(
        "text",
        place,
        x=plot.left - 12 * stage.unit,
        y=plot.top + (row + 0.5) * plot.height + 0.35 * plot.font,
        font_size=plot.font,
        fill=stage.palette[ink],
        text_anchor="end",
        **more,
    )
    made.text = short_label(one.queries.name(row), 16)


def draw_steps(stage: Stage, trace: Trace, view: View) -> int:
    """The map of a view row by row. Returns the number of frames. Raises InputError where rows are no steps."""
    said, u = shown(trace, view), stage.unit
    one = said.selected
    if one.queries.kind == "image":
        raise InputError("The rows of this map are places of a picture, not steps: choose denoising or heads.")
    count = _checked(len(one.queries))
    stage.write(f"{said.title}  ·  {trace.model}" if trace.model else said.title, stage.margin, 48 * u, 22 * u, "quiet")
    below = _read_and_written(stage, trace, view, one)
    if one.keys.grid is not None:
        for row in range(count):
            _beside(stage, trace, replace(view, query=row), one, below, (row, row))
    else:
        _growing(stage, trace, view, pooled(one, _MOST_COLUMNS), below)
    for row in range(count):
        _foot(stage, _sentence(one, row), (row, row))
    return count


def _read_and_written(stage: Stage, trace: Trace, view: View, one: SelectedMap) -> float:
    """The text that is read, in the colours of each row, and what is written so far; and where they end."""
    sides = {
        "encoder": (trace.input, trace.input),
        "decoder": (trace.output, trace.output),
        "text-to-image": (trace.output, trace.input),
    }
    columns, rows = sides.get(view.kind, (trace.input, trace.output))
    below, ink = 100 * stage.unit, (stage.palette["ink"], stage.palette["accent"])
    if (read := _Sentence.of(stage, columns, one.keys)) is not None:
        for row, weights in enumerate(one.weights.astype(np.float64)):
            inks = [stage.mixed(weight / one.top) for weight in weights]
            read.write(stage, below, inks, int(weights.argmax()), when=(row, row))
        below += read.height + 10 * stage.unit
    if (written := _Sentence.of(stage, rows, one.queries)) is not None:
        for row in range(len(one.queries)):
            so_far = [None if i > row else ink[i == row] for i in range(len(one.queries))]
            written.write(stage, below, so_far, row, when=(row, row))
        below += written.height + 10 * stage.unit
    return below


def _growing(stage: Stage, trace: Trace, view: View, one: SelectedMap, above: float) -> None:
    """A map below `above` that has a row more in each frame; where there is no room for all, those before move up."""
    u, count, table = stage.unit, len(one.queries), stage.table(view.colours)
    is_heard = one.keys.is_timed and not isinstance(trace.input, str) and trace.input.ndim == 2
    strip = 96 * u if is_heard else 0.0
    plot = _placed(stage, one, above + strip, is_long=True)
    if is_heard:
        _sound(stage, trace, (plot.left, above, len(one.keys) * plot.width, strip - 8 * u))
    _column_labels(stage, one, plot)
    _bar(stage, one, table, plot)
    clip = stage.put("clipPath", id="map")
    stage.put("rect", clip, x=0, y=plot.top - 1.0, width=stage.width, height=plot.rows * plot.height + 3.0)
    moved = stage.put("g", stage.put("g", clip_path="url(#map)"))
    if count > plot.rows:
        moved.set(SHIFT, " ".join(f"{-max(0, row + 1 - plot.rows) * plot.height:.2f}" for row in range(count)))
    for row in range(count):
        _map_row(one, plot, table, row, stage.put("g", moved, when=(row, count - 1)))
        _row_label(stage, one, plot, row, moved, "accent", when=(row, row))
        if row < count - 1:
            _row_label(stage, one, plot, row, moved, "ink", when=(row + 1, count - 1))
        box = {"x": plot.left, "y": plot.top + row * plot.height, "width": len(one.keys) * plot.width}
        line = {"fill": "none", "stroke": stage.palette["accent"], "stroke_width": 2 * u}
        stage.put("rect", moved, when=(row, row), height=plot.height, **box, **line)


def _foot(stage: Stage, text: str, when: tuple[int, int]) -> None:
    """The line at the bottom of a frame."""
    stage.write(text, stage.margin, stage.height - 24 * stage.unit, 24 * stage.unit, when=when)


def _sentence(one: SelectedMap, row: int) -> str:
    """What a row put most weight on, in words."""
    column = int(one.weights[row].argmax())
    query, key = (f"“{visible(axis.name(at))}”" for axis, at in ((one.queries, row), (one.keys, column)))
    said = one.sentence(query, key, f"{one.weights[row, column]:.2f}")
    return f"{said[:1].upper()}{said[1:]}."


def _checked(count: int) -> int:
    if not 1 <= count <= MOST_FRAMES:
        raise InputError(f"A moving picture has from 1 to {MOST_FRAMES} frames: this would have {count:,}.")
    return count


def _sound(stage: Stage, trace: Trace, box: tuple[float, float, float, float]) -> None:
    """The log-mel of a sound above its map, without the padding."""
    mel: Any = trace.input
    own = int((~trace.cross.keys.is_padding).sum()) / len(trace.cross.keys)
    part = mel[::-1, : max(1, round(mel.shape[1] * own))].astype(np.float64)
    levels = np.rint(255 * (part - part.min()) / (np.ptp(part) or 1.0)).astype(int)
    stage.picture(colours.table("grey", dark=stage.dark)[levels], box)


def draw_heads(stage: Stage, trace: Trace, view: View) -> int:
    """The maps of heads one after the other. Returns the number of frames. Raises InputError where there are none."""
    maps, u = view.maps(trace), stage.unit
    if maps.is_whole_model:
        raise InputError(f"{kind_title(maps)} has no heads to go through.")
    is_small = len(maps.layers) * maps.n_heads <= MOST_HEADS
    layers = maps.layers if is_small or view.layer is None else (view.layer,)
    heads = [(layer, head) for layer in layers for head in range(maps.n_heads)]
    count = _checked(len(heads))
    ones = [
        pooled(shown(trace, replace(view, layer=layer, head=head)).selected, _MOST_COLUMNS) for layer, head in heads
    ]
    is_picture = any(axis.grid is not None for axis in (ones[0].keys, ones[0].queries))
    plot = None if is_picture else _empty(stage, ones[0], 100 * u)
    table = stage.table(view.colours)
    for frame, one in enumerate(ones):
        when = (frame, frame)
        stage.write(one.title, stage.margin, 58 * u, 34 * u, when=when)
        if plot is None:
            _beside(stage, trace, view, one, 90 * u, when)
            continue
        group = stage.put("g", when=when)
        for row in range(len(one.queries)):
            _map_row(one, plot, table, row, group)
        _bar(stage, one, table, plot, when=when)
        _foot(stage, _sentence(one, int(one.weights.max(1).argmax())), when)
    _overview(stage, heads)
    return count


def _empty(stage: Stage, one: SelectedMap, above: float) -> _Plot:
    """The place of maps of one kind below `above`, with their labels."""
    plot = _placed(stage, one, above, is_long=False)
    _column_labels(stage, one, plot)
    for row in thinned(len(one.queries), max(1, int(len(one.queries) * plot.height / (1.05 * plot.font)))):
        _row_label(stage, one, plot, row, None, "ink")
    return plot


def _overview(stage: Stage, heads: Sequence[tuple[int, int]]) -> None:
    """All heads as small squares, a row a layer, that of each frame in the accent."""
    u, layers = stage.unit, sorted({layer for layer, _ in heads})
    most = max(head for _, head in heads) + 1
    side = min(20 * u, 0.4 * stage.width / most, 60 * u / len(layers))
    for frame, (layer, head) in enumerate(heads):
        x = stage.width - stage.margin - (most - head) * side
        y = 24 * u + layers.index(layer) * side
        stage.rect(x, y, 0.8 * side, 0.8 * side, stage.palette["line"])
        stage.rect(x, y, 0.8 * side, 0.8 * side, stage.palette["accent"], when=(frame, frame))


def draw_denoising(stage: Stage, trace: Trace, view: View) -> int:
    """A picture as it forms. Returns the number of frames."""
    if len(trace.pictures) < 2:
        raise InputError("This trace holds no picture that forms out of noise: choose steps or heads.")
    count, u = _checked(len(trace.pictures)), stage.unit
    ones = [shown(trace, replace(view, noise=number)).selected for number in range(count)]
    keys = ones[0].keys
    word = _word(ones[-1], view.key)
    top = max(float(one.weights[:, word].max(initial=0)) for one in ones) or 1.0
    sentence = _Sentence.of(stage, trace.input, keys)
    if sentence is not None:
        inks = [stage.palette["accent" if position == word else "ink"] for position in range(len(keys))]
        sentence.write(stage, 112 * u, inks, word)
    below = 112 * u + (0 if sentence is None else sentence.height)
    for number, one in enumerate(ones):
        when, step = (number, number), f"denoising step {number + 1} of {count}"
        stage.write(f"{one.title}  ·  {step}", stage.margin, 48 * u, 22 * u, "quiet", when=when)
        _two(stage, trace.pictures[number], patch_weights(one, None, word), top, view, below, when)
        most = float(one.weights[:, word].max(initial=0))
        said = f"Which places read {visible(keys.name(word))}: up to {most:.2f} of a place’s weight."
        _foot(stage, said, when)
    return count


def _word(one: SelectedMap, chosen: int | None) -> int:
    """The chosen word of a prompt, else the one that some place reads most, special tokens aside."""
    if chosen is not None and 0 <= chosen < len(one.keys):
        return chosen
    most = one.weights.max(0).astype(np.float64)
    return int(np.where(one.keys.is_special, -1.0, most).argmax())


def _beside(stage: Stage, trace: Trace, view: View, one: SelectedMap, above: float, when: tuple[int, int]) -> None:
    """The picture, and beside it with the weights of the row, or the column, in view."""
    if trace.picture is None:
        raise InputError("This trace holds no picture that its map could be drawn over.")
    if one.keys.grid is not None:
        row = view.query if view.query is not None and view.query < len(one.queries) else 0
        grid = patch_weights(one, row, None)
    else:
        grid = patch_weights(one, None, _word(one, view.key))
    top = one.top if view.scale in ("head", "common") else float(grid.max(initial=0))
    _two(stage, trace.picture, grid, top or 1.0, view, above, when)


def _two(
    stage: Stage, picture: Picture, grid: NDArray[Any], top: float, view: View, above: float, when: tuple[int, int]
) -> None:
    """A picture, and the same under the weights of its places, side by side."""
    u = stage.unit
    high, wide = stage.height - 76 * u - above, (stage.width - 3 * stage.margin) / 2
    scale = min(high / picture.shape[0], wide / picture.shape[1])
    height, width = picture.shape[0] * scale, picture.shape[1] * scale
    left = (stage.width - 2 * width - stage.margin) / 2
    stage.picture(picture, (left, above, width, height), when=when)
    over = colours.overlay(picture, grid, top, side=256, name=view.colours)
    stage.picture(over, (left + width + stage.margin, above, width, height), when=when)
