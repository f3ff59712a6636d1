r"""Figures for papers, as PDF, SVG, PNG and TikZ, beside the Plotly figures for notebooks: `xv.figures`.

>>> import xattn_viz as xv
>>> trace = xv.load("firefox-en-pt").trace("The cat sat on the mat.")
>>> figure = xv.figures.draw(trace, xv.View(layer=1, head=0), width="8.5cm")
>>> figure.width_cm, figure.caption[:47]
(8.5, 'Cross-attention, layer 2, head 1, of firefox-en')

Every figure is vectors on a sheet of the width that is asked for, in type of one size that never shrinks: labels for
which there is no room are left out, and the caption says so. What is drawn is what a view means (`export.shown`), in
the same colours and words as on the page.
"""

from __future__ import annotations

import datetime
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args

import numpy as np
from PIL import Image

from xattn_viz import plots as _plots
from xattn_viz.analysis.head_measures import map_grids
from xattn_viz.analysis.timing import timed_words
from xattn_viz.analysis.word_units import linked_by, links_caption
from xattn_viz.core import VERSION, files
from xattn_viz.core.axis import Axis
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible, visible_text
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import SelectedMap, View, head_title, kind_title
from xattn_viz.export.shown import patch_weights, shown
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import MEL_RATE, RATE
from xattn_viz.plots import colours as _colours
from xattn_viz.plots.paper import (
    evidence_sheet,
    grid_sheet,
    heads_sheet,
    links_sheet,
    region_sheet,
    sound_sheet,
    tikz,
)
from xattn_viz.plots.svg import GROUND, ISOLATES, Sheet, Style, Text, TooNarrowError, font_names, map_sheet, pooled
from xattn_viz.web.explorer import about

if TYPE_CHECKING:
    from xattn_viz.analysis.compare import Comparison
    from xattn_viz.plots import bars, boxes, heatmap, layer_means, light_row, lines, matrix, name_parts, ring, steps

__all__ = [
    "ENDINGS",
    "WHAT",
    "Figure",
    "bars",
    "boxes",
    "caption",
    "citation",
    "draw",
    "heatmap",
    "layer_means",
    "light_row",
    "lines",
    "matrix",
    "name_parts",
    "ring",
    "save",
    "steps",
]

What = Literal["map", "heads", "grid", "alignment", "alignment-matrix", "sound", "picture", "evidence"]
#: What there is to draw.
WHAT: tuple[What, ...] = get_args(What)
#: What a figure can be written as, by the ending of its file.
ENDINGS = (".pdf", ".svg", ".png", ".tex")
#: The smallest and the largest type, in points.
SIZES = 6.0, 24.0
#: The narrowest and the widest figure, in centimetres.
WIDTHS = 2.0, 60.0
#: The name that the citation has in a bibliography.
KEY = "xattn_viz"
_UNITS = {"cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pt": 1.0}
_NAMED = {"column": "8.5cm", "page": "17.5cm"}
_MOST_WORDS = 3  # of a picture, unless they are chosen
_FINEST = 2.0  # columns of sound a point
#: Settings of a run that change nothing in a figure.
_NOT_SAID, _BEST = ("kinds", "keep_projections"), ("hypothesis", 0)
_PAPER = "{} need the library typst: pip install 'xattn-viz[paper]'. SVG and TikZ do without."


def __getattr__(name: str) -> Any:
    """Figures of Plotly, which are imported when they are asked for."""
    if name not in _plots.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_plots, name)


class Options(TypedDict, total=False):
    """How a figure is drawn, as `draw` says."""

    heads: Sequence[tuple[int, int]]
    words: Sequence[int]
    width: str
    size: float
    ground: Literal["white", "transparent"]
    colours: _colours.ColourMap | None
    bar: bool
    title: bool
    values: bool


@dataclass(frozen=True, eq=False)
class Figure:
    """What was drawn: `what`, its `size` (width, height) in points, its `caption`, and the `path` of its file.

    The other methods make files of it, as `save` does.
    """

    what: What
    size: tuple[float, float]
    caption: str
    sheet: Sheet
    path: Path | None = None

    @property
    def width_cm(self) -> float:
        """Its width in centimetres."""
        return round(self.size[0] / _UNITS["cm"], 3)

    def svg(self) -> str:
        """The figure as SVG, as wide in print as was asked for."""
        return self.sheet.svg(unit="pt")

    def pdf(self) -> bytes:
        """The figure as a PDF page of its size, text as text, fonts in it. InputError where Typst is missing."""
        return self._compiled("pdf")

    def png(self, dpi: int = 300) -> bytes:
        """The figure in pixels, so many an inch, which the file says. InputError where Typst is missing."""
        if not isinstance(dpi, int) or not 72 <= dpi <= 1200:
            raise InputError(f"A PNG has from 72 to 1,200 dots an inch, 300 or 600 for print: got {quoted(dpi)}.")
        out = io.BytesIO()
        Image.open(io.BytesIO(self._compiled("png", ppi=float(dpi)))).save(out, "PNG", dpi=(dpi, dpi))
        return out.getvalue()

    def tikz(self, stem: str = "figure") -> tuple[str, dict[str, bytes]]:
        """The figure as a `tikzpicture`, and the pictures that it includes by their names, as `plots.paper.tikz`."""
        return tikz(self.sheet, stem)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _compiled(self, kind: str, **options: float) -> bytes:
        """The page by Typst: all that is no text as it is in the SVG, and on it the texts, which Typst shapes."""
        texts = [
            {
                **{name: getattr(mark, name) for name in ("x", "y", "size", "ink", "anchor", "turn")},
                "text": mark.text.translate(ISOLATES),
                "weight": 600 if mark.is_bold else 400,
                "fonts": font_names(mark.text),
            }
            for mark in self.sheet.marks
            if isinstance(mark, Text)
        ]
        said = {"title": self.sheet.title, "caption": self.caption, "width": self.size[0], "height": self.size[1]}
        data = json.dumps({**said, "drawing": self.sheet.svg(texts=False), "texts": texts})
        return bytes(_typst(kind.upper()).compile(_PAGE, format=kind, sys_inputs={"figure": data}, **options))

    @property
    def measures(self) -> str:
        """Its width and height in words."""
        return " × ".join(f"{each / _UNITS['cm']:.1f}" for each in self.size) + " cm"

    def __repr__(self) -> str:
        return f"Figure({self.what}, {self.measures}{f', {quoted(str(self.path))}' if self.path else ''})"


# What a figure is for Typst. Texts are data: nothing in them is read as markup.
_PAGE = b"""
#let figure = json(bytes(sys.inputs.figure))
#set document(title: figure.title, description: figure.caption)
#set page(width: figure.width * 1pt, height: figure.height * 1pt, margin: 0pt, fill: none)
#set text(top-edge: "baseline", bottom-edge: "baseline", hyphenate: false)
#place(image(bytes(figure.drawing), format: "svg", width: 100%))
#for mark in figure.texts {
  let made = text(size: mark.size * 1pt, fill: rgb(mark.ink), weight: mark.weight, font: mark.fonts, box(mark.text))
  let (share, side) = (start: (0, left), middle: (0.5, center), end: (1, right)).at(mark.anchor)
  context place(
    dx: mark.x * 1pt - share * measure(made).width,
    dy: mark.y * 1pt,
    rotate(mark.turn * 1deg, origin: top + side, made),
  )
}
"""


@cache
def _typst(kind: str) -> Any:
    try:
        import typst  # an extra, and large
    except ImportError:
        raise InputError(_PAPER.format(f"{kind} files")) from None
    return typst


def check_ending(path: str | Path) -> str:
    """What a path ends in, one of `ENDINGS`. Raises InputError for another, and where its library is missing."""
    if (ending := Path(path).suffix) not in ENDINGS:
        raise InputError(f"A figure ends in one of {', '.join(ENDINGS)}: got {quoted(str(path))}.")
    if ending in (".pdf", ".png"):
        _typst(ending[1:].upper())
    return ending


def save(
    trace: Trace | Comparison,
    path: str | Path,
    *,
    view: View | None = None,
    what: What = "map",
    dpi: int = 300,
    **options: Unpack[Options],
) -> Figure:
    """Draw a figure (`draw`) and write it in the format that its path ends in: .pdf, .svg, .png (`dpi`) or .tex.

    Pictures that TikZ includes are written beside it. The caption comes along as text, for whoever writes the paper.
    Raises InputError for another ending and as `draw` does, OSError naming the path where it cannot be written.
    """
    ending = check_ending(path)
    figure = draw(trace, view, what, **options)
    if ending == ".tex":
        text, pictures = figure.tikz(Path(path).stem)
        for name, content in pictures.items():
            files.write(Path(path).with_name(name), content)
        files.write(path, text)
    else:
        files.write(path, figure.svg() if ending == ".svg" else figure.pdf() if ending == ".pdf" else figure.png(dpi))
    return replace(figure, path=Path(path))


def draw(
    trace: Trace | Comparison,
    view: View | None = None,
    what: What = "map",
    *,
    date: datetime.date | None = None,
    **options: Unpack[Options],
) -> Figure:
    """A figure of a trace, to be shown in a notebook or written to a file.

    `view` is the first head unless given, of a drawing the mean over all; `what` is one of

    - "map": the map of the view, its chosen row and column in a frame;
    - "heads": some heads beside each other, `heads` as (layer, head) from 0, else those of the layer in view;
    - "grid": all heads of all layers, small;
    - "alignment", "alignment-matrix": the links of `Trace.alignment` as lines between two sentences, or framed on the
      matrix of words that they were read off;
    - "sound": the map below the spectrogram and the words of a recording;
    - "picture": a picture, and the weights of some words over it, `words` by their row or column from 0, else the one
      in view, else those with most weight on it;
    - "evidence": one number for each head (`View.by` by the name of its grid, else the first that was measured).

    `width` is such as "8.5cm", "90mm", "3.3in", "240pt", "column" (8.5 cm) or "page" (17.5 cm); `size` that of all type
    in points, 6 at least: where there is no room labels thin out and do not shrink. `ground` is "white" or
    "transparent", `colours` a colour map in place of the view's. `bar`, `title` and `values` say whether there is a
    colour bar, a title, and the number in each cell of a map. Maps of several heads have one scale, up to the largest
    weight drawn; with `View.scale` "head" each has its own. `date` is that of the caption, today where it is None.

    Raises InputError for what the trace does not have and for options that cannot be, ValueError for a kind, layer or
    head that is not there.

    Of a comparison of two traces (`analysis.compare`) a "map" is drawn, the difference of the mean over all where no
    view names a head: blue below 0, red above, struck out where only one of the two has such a cell. Of two pictures
    "picture" shows both, and the differences of the `words` over the second, or of those that changed most.
    """
    if what not in WHAT:
        raise InputError(f"A figure is one of {', '.join(WHAT)}: got {quoted(what)}.")
    style = _style(options, view)
    if not isinstance(trace, Trace):
        return _difference(trace, view, what, style, date, tuple(options.get("words", ())))
    view = replace(view or first_view(trace), colours=style.colour_map)
    heads, words = tuple(options.get("heads", ())), tuple(options.get("words", ()))
    for name, given, wanted in (("heads", heads, "heads"), ("words", words, "picture")):
        if given and what != wanted:
            raise InputError(f"`{name}` are chosen for a figure of {wanted}, not for {what}.")
    if style.values and what not in ("map", "heads", "alignment-matrix"):
        raise InputError(f"Values stand in the cells of a map, heads or an alignment-matrix, not of {what}.")
    drawer: dict[What, Callable[[], tuple[Sheet, list[str]]]] = {
        "map": lambda: _map(trace, view, style),
        "heads": lambda: _heads(trace, view, style, heads),
        "grid": lambda: _grid(trace, view, style),
        "alignment": lambda: _links(trace, style),
        "alignment-matrix": lambda: _matrix(trace, style),
        "sound": lambda: _sound(trace, view, style),
        "picture": lambda: _picture(trace, view, style, words),
        "evidence": lambda: _evidence(trace, view, style),
    }
    sheet, said = _fitted(drawer[what], style)
    return Figure(what, (sheet.width, sheet.height), _caption(trace, said, sheet.notes, date), sheet)


def _fitted(made: Callable[[], tuple[Sheet, list[str]]], style: Style) -> tuple[Sheet, list[str]]:
    """What was drawn. Raises InputError, with the width that it takes, where it does not fit."""
    try:
        return made()
    except TooNarrowError as error:
        needed = error.needed / _UNITS["cm"]
        raise InputError(
            f"{error} at {_cm(style)} cm in type of {style.size:g} pt: it takes about {needed:.1f} cm, or smaller "
            f"type, {SIZES[0]:g} pt at least."
        ) from None


def _difference(
    found: Comparison,
    view: View | None,
    what: What,
    style: Style,
    date: datetime.date | None,
    words: tuple[int, ...],
) -> Figure:
    from xattn_viz.export import compared  # seldom asked for

    if what not in ("map", "picture"):
        raise InputError(f"Of a comparison a map is drawn, its difference, or a picture, and not {what}.")
    one = compared.selected(compared.checked(found), view)
    columns = f"Rows: {one.rows_title}. Columns: {one.keys_title}. {one.scale_name.capitalize()}."
    if what == "picture":
        sheet, columns = compared.over_picture(found, view, style, words)
        said = compared.lines(found, view, date=date)
    else:
        sheet, said = _fitted(lambda: (map_sheet(one, style), compared.lines(found, view, date=date)), style)
    first, second, *rest, models = said
    lines = [one.title, "", first, second, columns, *rest, models.rpartition(", ")[0]]
    return Figure(what, (sheet.width, sheet.height), _caption(found.traces[0], lines, sheet.notes, date), sheet)


def caption(trace: Trace, view: View | None = None, what: What = "map", **options: Unpack[Options]) -> str:
    r"""What stands below a figure: what it shows, of which model and settings, how it is read, the day and `\cite`."""
    return draw(trace, view, what, **options).caption


def citation() -> str:
    """The BibTeX entry of this package, under the key that captions name."""
    return "\n".join(
        (
            f"@software{{{KEY},",
            "  title = {xattn\\_viz: See cross-attention, and check whether what you see is true},",
            "  author = {{The xattn\\_viz authors}},",
            f"  version = {{{VERSION}}},",
            "  year = {2026},",
            "  license = {MIT}",
            "}",
        )
    )


def points(width: str) -> float:
    """A width in points, 72 an inch. Raises InputError for what is none, and for one that no page has."""
    said = _NAMED.get(width, width) if isinstance(width, str) else ""
    found = re.fullmatch(r"\s*(\d{1,4}(?:\.\d{1,4})?)\s*(cm|mm|in|pt)\s*", said, re.ASCII)
    if not found:
        named = " or ".join(f'"{name}"' for name in _NAMED)
        raise InputError(f'A width is such as "8.5cm", "90mm", "3.3in", "240pt", {named}: got {quoted(width)}.')
    made = float(found[1]) * _UNITS[found[2]]
    least, most = (each * _UNITS["cm"] for each in WIDTHS)
    if not least <= made <= most:
        raise InputError(f"A figure is from {WIDTHS[0]:g} to {WIDTHS[1]:g} cm wide: got {quoted(width)}.")
    return made


def _cm(style: Style) -> str:
    return f"{(style.width or 0.0) / _UNITS['cm']:.1f}"


def _style(options: Options, view: View | None) -> Style:
    size, ground = options.get("size", 7.0), options.get("ground", "white")
    if isinstance(size, bool) or not isinstance(size, int | float) or not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"Type has from {SIZES[0]:g} to {SIZES[1]:g} points: got {quoted(size)}.")
    if ground not in ("white", "transparent"):
        raise InputError(f'The ground is "white" or "transparent": got {quoted(ground)}.')
    colour_map = options.get("colours") or (view.colours if view is not None else "magma")
    if colour_map not in _colours.STOPS:
        raise InputError(f"There is no colour map {quoted(colour_map)}: choose {', '.join(_colours.STOPS)}.")
    return Style(
        size=float(size),
        width=points(options.get("width", "column")),
        ground=GROUND if ground == "white" else None,
        colour_map=colour_map,
        title=bool(options.get("title", False)),
        bar=bool(options.get("bar", True)),
        values=bool(options.get("values", False)),
    )


def first_view(trace: Trace) -> View:
    """What is drawn where nobody says: the first head, of a drawing the mean over all."""
    return View(layer=None, head="mean") if trace.pictures else View(layer=trace.cross.layers[0])


def _fine(one: SelectedMap, style: Style) -> SelectedMap:
    return pooled(one, max(1, round(_FINEST * (style.width or 0.0))))


def _pool_note(before: SelectedMap, after: SelectedMap) -> list[str]:
    merged = -(-len(before.keys) // max(1, len(after.keys)))
    return [f"A column is the largest of {merged} frames."] if merged > 1 else []


def _map(trace: Trace, view: View, style: Style) -> tuple[Sheet, list[str]]:
    said = shown(trace, view)
    one = _fine(said.selected, style)
    column = said.column if len(one.keys) == len(said.selected.keys) else None
    sheet = map_sheet(one, style, row=said.row, column=column, linked=said.linked)
    lines = [said.title, said.pair, said.caption, said.choice, _colours_of(one, style)]
    return sheet, [*lines, *_pool_note(said.selected, one)]


def _colours_of(one: SelectedMap, style: Style) -> str:
    return f"Colours: {style.colour_map}, reversed, {one.scale_name}."


def _several(
    trace: Trace, view: View, style: Style, heads: Sequence[tuple[int, int]]
) -> tuple[list[SelectedMap], list[str]]:
    """The maps of some heads on one scale, or as shares of the largest weight of each; and what is said of them."""
    view = replace(view, query=None, key=None, links=False)
    found = [shown(trace, replace(view, layer=layer, head=head)) for layer, head in heads]
    ones = [_fine(each.selected, style) for each in found]
    if view.scale == "head":
        said = "shares of each map’s own maximum"
        shares = [each.weights / each.top for each in ones]
        ones = [
            replace(one, weights=share, top=1.0, what="share of maximum", scale_name=said)
            for one, share in zip(ones, shares, strict=True)
        ]
    else:
        top = max(one.top for one in ones)
        whose = "the maximum of all heads" if view.scale == "common" else "the largest weight shown"
        ones = [replace(one, top=top, scale_name=f"0 to {top:.2f}, {whose}") for one in ones]
    lines = [found[0].pair, found[0].caption, _colours_of(ones[0], style)]
    return ones, [*lines, *_pool_note(found[0].selected, ones[0])]


def _heads(trace: Trace, view: View, style: Style, heads: Sequence[tuple[int, int]]) -> tuple[Sheet, list[str]]:
    maps = view.maps(trace)
    if maps.is_whole_model:
        raise InputError(f"{kind_title(maps)} has no heads.")
    if not heads:
        layer = view.layer if view.layer is not None else maps.layers[-1]
        heads = [(layer, head) for head in range(maps.n_heads)]
    heads = [(maps.layers[maps.layer_index(layer)], head) for layer, head in heads]
    ones, lines = _several(trace, view, style, heads)
    titles = [head_title(*head).capitalize() for head in heads]
    sheet = heads_sheet(ones, titles, style, title=visible(kind_title(maps)))
    named = ", ".join(f"{layer + 1}.{head + 1}" for layer, head in heads)
    return sheet, [f"{kind_title(maps)}, heads {named} (layer.head, both from 1)", *lines]


def _grid(trace: Trace, view: View, style: Style) -> tuple[Sheet, list[str]]:
    maps = view.maps(trace)
    if maps.is_whole_model:
        raise InputError(f"{kind_title(maps)} has no heads.")
    ones, lines = _several(trace, view, style, [(layer, head) for layer in maps.layers for head in range(maps.n_heads)])
    rows = [ones[i : i + maps.n_heads] for i in range(0, len(ones), maps.n_heads)]
    title = visible(f"{kind_title(maps)}, all heads")
    return grid_sheet(maps.layers, rows, style, title=title), [title, *lines]


def _links(trace: Trace, style: Style) -> tuple[Sheet, list[str]]:
    if (found := trace.alignment) is None:
        raise InputError(_NO_ALIGNMENT)
    said = ["Word alignment", about(trace)["pair"], f"Words are linked {linked_by(found)}."]
    said.append("Lines are the thicker the larger the weight; words without a link are grey.")
    return links_sheet(found, style, title="Word alignment"), said


_NO_ALIGNMENT = (
    "This trace holds no alignment: add one, as in trace.with_evidence(xv.align(trace, reverse)), where reverse is the "
    "trace of a model of the opposite direction."
)


def _matrix(trace: Trace, style: Style) -> tuple[Sheet, list[str]]:
    if (found := trace.alignment) is None:
        raise InputError(_NO_ALIGNMENT)
    target, source = (
        Axis("text", labels=tuple(word.text for word in side)) for side in (found.target_words, found.source_words)
    )
    weights = found.weights.astype(np.float32)
    top = float(weights.max(initial=0)) or 1.0
    one = SelectedMap(
        weights,
        target,
        source,
        top,
        "Word alignment",
        "target word",
        "source word",
        f"0 to {top:.2f}",
        "",
        "",
        what="weight",
    )
    linked = [(link.target_index, link.source_index) for link in found.links]
    sheet = map_sheet(one, style, linked=linked)
    said = ["Word alignment", about(trace)["pair"], links_caption(found), _colours_of(one, style)]
    return sheet, said


def _sound(trace: Trace, view: View, style: Style) -> tuple[Sheet, list[str]]:
    said = shown(trace, view)
    whole, sound = said.selected, trace.input
    if isinstance(sound, str) or not whole.keys.is_timed or sound.ndim not in (1, 2) or not sound.size:
        raise InputError("This trace holds no sound that its map could stand below: choose a trace of speech.")
    one = _fine(whole, style)
    times = whole.keys.times or ()
    lasting = times[-1][1] - times[0][0]
    part = sound[..., : max(1, round(lasting * (MEL_RATE if sound.ndim == 2 else RATE)))]
    words: list[tuple[str, float, float]] = []
    if view.kind == "cross" and whole.queries.kind == "text" and trace.cross.queries.spans is not None:
        words = [(word.text, word.start, word.end) for word in timed_words(trace)]
    sheet = sound_sheet(one, part, words, style, title=visible(said.title))
    above = "Above: log-mel spectrogram" if sound.ndim == 2 else "Above: the loudest samples"
    lines = [said.title, said.pair, f"{above}{', and the words where the maps place them' if words else ''}."]
    return sheet, [*lines, said.caption, _colours_of(one, style), *_pool_note(whole, one)]


def _picture(trace: Trace, view: View, style: Style, words: Sequence[int]) -> tuple[Sheet, list[str]]:
    said = shown(trace, view)
    one, picture = said.selected, trace.picture
    is_read = one.keys.grid is not None
    if picture is None or (not is_read and one.queries.grid is None):
        raise InputError("This trace holds no picture that its map could be drawn over.")
    axis, chosen = (one.queries, said.row) if is_read else (one.keys, said.column)
    if not words:
        words = [chosen] if chosen is not None else _most(one, axis, is_read=is_read)
    if wrong := [word for word in words if not 0 <= word < len(axis)]:
        raise InputError(f"There is no word {wrong[0]}: words count from 0, to {len(axis) - 1} here.")
    grids = [patch_weights(one, word, None) if is_read else patch_weights(one, None, word) for word in words]
    top = max(float(grid.max(initial=0)) for grid in grids) or 1.0
    named = [visible(axis.name(word)) for word in words]
    parts = list(zip(named, grids, strict=True))
    sheet = region_sheet([("", picture)], parts, top, style, title=visible(said.title), what=one.what)
    shares = ", ".join(f"“{name}”" for name in named)
    over = f"Over the picture, {round(100 * _colours.OPACITY)} % opaque: the {one.what}s of {shares}."
    return sheet, [said.title, said.pair, over, f"Colours: {style.colour_map}, 0 to {top:.2f}, the largest shown."]


def _most(one: SelectedMap, axis: Axis, *, is_read: bool) -> list[int]:
    """The words with most weight on the picture, special ones aside, in their order."""
    sums = one.weights[:, one.keys.patches].sum(axis=1) if is_read else one.weights.mean(axis=0)
    own = [int(i) for i in np.argsort(-sums.astype(np.float64), kind="stable") if not axis.is_special[i]]
    return sorted(own[:_MOST_WORDS]) or [0]


def _evidence(trace: Trace, view: View, style: Style) -> tuple[Sheet, list[str]]:
    measured = [grid for grid in trace.evidence if grid.kind == view.kind]
    maps = view.maps(trace)
    known: dict[str, HeadGrid] = {grid.name: grid for grid in (*map_grids(maps), *measured)}
    name = view.by or (measured[0].name if measured else "")
    if name not in known:
        there = f"name one as View.by: {', '.join(known)}" if known else "measure some, as with xv.head_costs"
        raise InputError(
            f"This trace holds no evidence{f' {quoted(name)}' if name else ''} about these heads: {there}."
        )
    found = known[name]
    sheet = evidence_sheet(found, style, title=visible(found.title))
    return sheet, [f"{found.title}, in {found.unit}", about(trace)["pair"], found.method]


def _caption(trace: Trace, said: Sequence[str], notes: Sequence[str], date: datetime.date | None) -> str:
    """Sentences that say it all: what it is and of which model first, the settings, the day and the citation last."""
    model, day = about(trace)["model"], date or datetime.date.today()
    first, pair, *rest = [" ".join(visible_text(part).split()) for part in said]
    settings = ", ".join(
        f"{name} {value}"
        for name, value in trace.settings.items()
        if name not in _NOT_SAID and value not in (None, [], {}, "") and value is not False and (name, value) != _BEST
    )
    sentences = [
        f"{first}{f', of {model}' if model else ''}{f': {pair}' if pair else ''}",
        *rest,
        *notes,
        f"Settings: {settings}" if settings else "",
        f"Layers and heads count from 1. Made with xattn_viz {VERSION} on {day.isoformat()} \\cite{{{KEY}}}",
    ]
    return " ".join(part if part[-1] in ".!?。" else f"{part}." for part in sentences if part)
