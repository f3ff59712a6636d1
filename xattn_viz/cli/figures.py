"""What goes on paper and before an audience: `figure`, `animate`, `story`."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click
from click.shell_completion import CompletionItem

import xattn_viz as xv
from xattn_viz.cli import common
from xattn_viz.cli.common import Said
from xattn_viz.core import files
from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.story import Story
from xattn_viz.core.tokens import visible
from xattn_viz.export import figures, moving
from xattn_viz.plots import colours

_place = partial(common.from_one, what="rows and columns count from 1")
_VIEW = ("kind", "units", "rows", "special", "links")  # options that say what is looked at


@common.command('xattn-viz figure firefox-en-pt "The cat sat." --layer 2 --head 1 -o map.svg')
@common.MODEL_OR_TRACE
@common.INPUT_OR_NONE
@common.out(f"What to write, by its ending: {', '.join(figures.ENDINGS)}.", required=True)
@common.choice("--what", figures.WHAT, "map", "What to draw.")
@common.FIRST_LAYER
@common.HEAD
@common.parsed("--heads", by=common.some_heads, metavar="LAYER.HEAD,…", help="Of --what heads, from 1.")
@common.choice("--kind", get_args(MapKind), "cross", "Which attention, or method.")
@common.choice("--units", ("pieces", "words", "sentences"), "pieces", "What rows and columns stand for.")
@common.choice("--rows", ("predicted", "input"), "predicted", "Which token names a row.")
@click.option("--special/--no-special", default=True, help="Special tokens.")
@common.parsed("--row", by=_place, help="The row in a frame, from 1; of a picture the word over it.")
@common.parsed("--column", by=_place, help="The column in a frame, from 1.")
@click.option("--by", metavar="NAME", help="Of --what evidence: which numbers, such as entropy.")
@common.choice("--scale", ("head", "common"), None, "Colours up to the maximum of each map, or of all.")
@click.option("--width", default="column", help="Such as 8.5cm, 3.3in, 240pt; column is 8.5 cm, page 17.5 cm.")
@click.option("--size", type=float, default=7.0, help="Of type in points, 6 at least.")
@click.option("--dpi", type=int, default=300, help="Of PNG.")
@common.choice("--colours", colours.STOPS, "magma", "The colour map.")
@click.option("--values", is_flag=True, help="With the number in each cell.")
@click.option("--title", is_flag=True, help="With a title.")
@click.option("--bar/--no-bar", default=True, help="A colour bar.")
@click.option("--links/--no-links", default=True, help="Frames around linked words.")
@click.option("--transparent", is_flag=True, help="On no ground.")
@common.SET
@common.JSON
def figure(
    model: str,
    input: str | None,
    out: Path,
    layer: int | None,
    head: int | None,
    heads: list[tuple[int, int]] | None,
    row: int | None,
    column: int | None,
    transparent: bool,
    settings: Said,
    as_json: bool,
    **drawn: Any,
) -> None:
    """Write a figure for a paper, as PDF, SVG, PNG or TikZ, and print its caption.

    PDF and PNG need the extra xattn-viz[paper]. docs/papers.md shows each kind of figure.
    """
    figures.check_ending(out)
    figures.points(drawn["width"])
    adapter, trace = common.saved_or_traced(model, input, settings)
    if adapter is not None and drawn["what"].startswith("alignment"):
        trace = _aligned(adapter, trace)
    chosen: dict[str, Any] = {name: drawn.pop(name) for name in _VIEW}
    chosen |= {name: drawn.pop(name) or "" for name in ("scale", "by")}
    view = replace(
        _view(trace, layer, head, chosen["kind"]) or figures.first_view(trace),
        **chosen,
        query=row,
        key=column,
    )
    if view.is_head:
        common.check_head(trace.of_kind(view.kind), view.layer or 0, int(view.head))
    for one in heads or ():
        common.check_head(trace.of_kind(view.kind), *one)
    drawn |= {"heads": heads or (), "ground": "transparent" if transparent else "white"}
    made = figures.save(trace, out, view=view, **drawn)
    width, height = (round(side / 72 * 2.54, 2) for side in made.size)
    said = {"what": made.what, "caption": made.caption, "width_cm": width, "height_cm": height, "wrote": out}
    common.answer(as_json, said, visible(made.caption), common.wrote(out, f", {made.measures}"))


def _view(trace: xv.Trace, layer: int | None, head: int | None, kind: MapKind = "cross") -> xv.View | None:
    """The head that was asked for; None where nobody asked."""
    if layer is None and head is None:
        return None
    return xv.View(kind, trace.of_kind(kind).layers[0] if layer is None else layer, head or 0)


def _aligned(model: xv.Adapter, trace: xv.Trace) -> xv.Trace:
    """The trace with links between its words, of both directions where the opposite model is known."""
    from xattn_viz.models import registry

    back, other = None, registry.opposite(model.card)
    if other is not None and isinstance(trace.input, str):
        back = common.load(other).trace(trace.output, target=trace.input)
    return trace.with_evidence(xv.align(trace, back))


def _pixels(text: str) -> tuple[int, int]:
    """Width and height in "1280x720". Raises ValueError."""
    if not (found := re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text, re.ASCII)):
        raise ValueError(f"{quoted(text)} is no size: give one such as 1280x720.")
    return int(found[1]), int(found[2])


@common.command('xattn-viz animate firefox-en-pt "The cat sat." --layer 2 --head 1 -o talk.svg')
@common.MODEL_OR_TRACE
@common.INPUT_OR_NONE
@common.out(f"What to write, by its ending: {', '.join(moving.ENDINGS)}.", required=True)
@common.choice("--what", get_args(moving.What), None, "What moves; of a drawing the denoising, else the steps.")
@common.parsed("--size", by=_pixels, default="1280x720", metavar="WIDTHxHEIGHT", help="In pixels.")
@click.option("--seconds", type=float, default=1.0, help="That a frame lasts.")
@click.option("--light", is_flag=True, help="On a light ground.")
@common.FIRST_LAYER
@common.HEAD
@common.SET
@common.JSON
def animate(
    model: str,
    input: str | None,
    out: Path,
    what: moving.What | None,
    size: tuple[int, int],
    seconds: float,
    light: bool,
    layer: int | None,
    head: int | None,
    settings: Said,
    as_json: bool,
) -> None:
    """Write a moving picture: steps of an output, heads in turn, or a drawing forming.

    GIF and films need the extra xattn-viz[moving]; a moving SVG does without. docs/talks.md shows what moves.
    """
    moving.check_ending(out)
    _, trace = common.saved_or_traced(model, input, settings)
    if (view := _view(trace, layer, head)) is not None:
        common.check_head(trace.cross, view.layer or 0, int(view.head))
    made = moving.animate(trace, view, what, size=size, seconds=seconds, dark=not light)
    made.save(out)
    width, height = made.size
    said = {"output": trace.output, "what": made.what, "frames": made.count, "seconds": made.seconds}
    said |= {"width": width, "height": height, "wrote": out}
    more = f", {made.count} frames of {width} × {height} pixels"
    common.answer(as_json, said, visible(trace.output), common.wrote(out, more))


def _complete_stories(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from xattn_viz.examples import stories

    return [*common.complete_files(ctx, param, incomplete), *map(CompletionItem, stories.NAMES)]


@common.command("xattn-viz story cross-attention -o talk.html")
@click.argument(
    "story",
    help="Its file, as the page saves it, or one that ships, such as cross-attention; - for standard input.",
    shell_complete=_complete_stories,
)
@common.out("The page, ending in .html.", required=True)
@click.option(
    "--allow",
    multiple=True,
    metavar="MODEL",
    shell_complete=common.complete_models,
    help="A model that is not on the list and that the story may load; may be given again.",
)
@common.JSON
def story(story: str, out: Path, allow: tuple[str, ...], as_json: bool) -> None:
    """Make one page for a talk, which needs no network, of a story.

    docs/talks.md says what a story is.
    """
    from xattn_viz.app import slides  # with all that a page imports
    from xattn_viz.export import story as page

    if out.suffix != ".html":
        raise ValueError(f"{quoted(str(out))} does not end in .html, which is what a story becomes.")
    told = _told(story)
    listed = {card.name for card in xv.cards()} | set(allow)

    def load_listed(name: str) -> xv.Adapter:
        if name not in listed:
            raise xv.ModelError(f"The model {quoted(name)} is not on the list: load it with --allow {name}.")
        return common.load(name)

    shown, progress = [], common.Progress("slides")
    for one in slides.found(told.slides, load_listed):
        shown.append(one)
        progress(len(shown), len(told.slides))
    files.write(out, page.html(told, shown))
    common.answer(as_json, {"title": told.title, "slides": len(shown), "wrote": out}, common.wrote(out))


def _told(said: str) -> Story:
    """A story in a file or on standard input, or one that ships, by its name."""
    from xattn_viz.examples import stories

    if said == "-":
        return Story.parse(sys.stdin.buffer.read())
    file = Path(said)
    return stories.find(said) if not file.suffix and not file.exists() else Story.parse(file.read_bytes())
