"""Which words of two texts say the same: `align` links them, `score` measures links by those that people made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

import xattn_viz as xv
from xattn_viz.analysis.alignment_files import Format
from xattn_viz.cli import common
from xattn_viz.core import files
from xattn_viz.core.evidence import LinkMethod

#: Heads from 0, each with its shift.
Shifted = list[tuple[int, int, int]]
REVERSE = click.option(
    "--reverse",
    metavar="MODEL",
    shell_complete=common.complete_models,
    help='A model of the opposite direction, or "none"; the other of the offline pair where MODEL is one of it.',
)


def _file(name: str, help: str) -> common.Option:
    return common.parsed(name, by=Path, metavar="FILE", help=help, shell_complete=common.complete_files)


def _shifted_heads(text: str) -> Shifted:
    """The heads, from 0, in "2.1,1.6+1", each with its shift. Raises ValueError."""
    return [(*common.some_heads(part.removesuffix("+1"))[0], int(part.endswith("+1"))) for part in text.split(",")]


def _methods(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how words are linked."""
    said = "From 1, with +1 behind one that is read a row later: 2.1,1.6+1; those found unless given."
    for option in (
        common.parsed("--reverse-heads", by=_shifted_heads, metavar="LAYER.HEAD,…", help="The same of --reverse."),
        common.parsed("--heads", by=_shifted_heads, metavar="LAYER.HEAD,…", help=said),
        click.option("--threshold", type=float, help="The weight that a link has to exceed, 0 to 1."),
        common.choice("--method", get_args(LinkMethod), "threshold", "How."),
        REVERSE,
    ):
        command = option(command)
    return command


def both(
    model: str, reverse: str | None, heads: Shifted | None = None, reverse_heads: Shifted | None = None
) -> tuple[xv.Adapter, xv.Adapter | None]:
    """The model, and that of the opposite direction where there is one: by itself only beside the one it belongs to.

    Raises ValueError for heads that they do not have.
    """
    if reverse is None:
        from xattn_viz.models import registry

        card = next((card for card in xv.cards() if card.name == model), None)
        reverse = (card and registry.opposite(card)) or "none"
    loaded = common.load(model), None if reverse == "none" else common.load(reverse)
    for each, asked in zip(loaded, (heads, reverse_heads), strict=True):
        there = each.size.heads["cross"] if each is not None else ()
        for layer, head, _ in asked or ():
            if layer >= len(there):
                raise ValueError(f"There is no layer {layer + 1}: layers count from 1, to {len(there)} here.")
            if head >= there[layer]:
                raise ValueError(f"There is no head {head + 1}: layer {layer + 1} has heads 1 to {there[layer]}.")
    return loaded


@common.command("xattn-viz align firefox-en-pt pairs.tsv")
@common.MODEL
@click.argument(
    "pairs",
    help="A file of a source and its translation a line, between tabs; - for standard input.",
    shell_complete=common.complete_files,
)
@common.choice("--format", get_args(Format), "pharaoh", "What to write; as Pharaoh 0-0 1-2, words from 0.")
@common.out("Where to write; printed unless given.")
@common.choice("--words", ("spaces", "axis"), "spaces", "What is between white space, or as UAX 29 has it.")
@_methods
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def align(
    model: str,
    pairs: str,
    format: Format,
    out: Path | None,
    reverse: str | None,
    heads: Shifted | None,
    reverse_heads: Shifted | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Link the words of pairs of sentences and their translations."""
    ahead, behind = both(model, reverse, heads, reverse_heads)
    read = xv.alignment_files.read_pairs(common.file_or_input(pairs))
    settings |= {name: said for name, said in (("heads", heads), ("reverse_heads", reverse_heads)) if said is not None}
    progress = common.Progress("pairs")

    def alignments() -> Iterator[xv.Alignment]:
        for number, (source, target) in enumerate(read, 1):
            there = ahead.trace(source, target=target)
            back = behind.trace(target, target=source) if behind is not None else None
            yield xv.align(there, back, **settings)
            progress(number, len(read))

    lines = xv.alignment_files.lines(alignments(), "json" if as_json else format)
    if out is None:
        sys.stdout.writelines(lines)
    else:
        files.write(out, "".join(lines))
        print(common.wrote(out))


@common.command("xattn-viz score firefox-en-pt gold.tsv --journal gold.journal")
@common.MODEL
@click.argument(
    "gold",
    help="Source, target and links between tabs; or Pharaoh, NAACL, JSON, XML; - for standard input.",
    shell_complete=common.complete_files,
)
@_file("--source", "Of Pharaoh and NAACL: the sources, one a line.")
@_file("--target", "Of Pharaoh and NAACL: the targets, one a line.")
@common.choice("--format", get_args(Format), None, "Of the file; as its first lines look unless given.")
@click.option("--encoding", default="utf-8", help="Of these files.")
@_file("--journal", "Keeps each pair: the same command goes on from there.")
@click.option("--pick-on", type=float, default=0.3, metavar="SHARE", help="The share to pick settings on; 0: none.")
@click.option("--seed", type=int, default=0, help="Which pairs these are, and those of the intervals.")
@_methods
@common.JSON
def score(
    model: str,
    gold: str,
    source: Path | None,
    target: Path | None,
    format: Format | None,
    encoding: str,
    reverse: str | None,
    heads: Shifted | None,
    reverse_heads: Shifted | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure alignments, and every head, by pairs with links that people made.

    Precision, recall, F1 and AER (Och and Ney 2003) of the recipe of `align`, and the F1 of each head alone.
    """
    file = common.file_or_input(gold)
    read = xv.alignment_files.read_gold(file, format, source=source, target=target, encoding=encoding)
    ahead, behind = both(model, reverse, heads, reverse_heads)
    settings |= {"heads": heads, "reverse_heads": reverse_heads, "on_pair": common.Progress("pairs")}
    found = xv.score(read, ahead, behind, **settings)
    for name, problem in found.problems:
        common.tell(f"{name}: {problem}")
    names = (ahead.card.name, behind.card.name if behind is not None else "")
    lines = ["\t".join(["what", "settings", "pairs", *(f"{name}\t95 %" for name in ("P", "R", "F1", "AER"))])]
    for each in found.scores:
        numbers = zip(each.rates, each.low, each.high, strict=True)
        cells = (f"{value:.3f}\t{low:.3f}–{high:.3f}" for value, low, high in numbers)
        lines.append("\t".join([each.name, each.settings, str(each.n_pairs), *cells]))
    for name, grids in zip(names, (found.grids, found.reverse_grids), strict=True):
        for grid in grids:
            lines += [f"\n{name}: {grid.title}, F1, {found.n_pairs} pairs", *common.table(grid.values)]
    common.answer(as_json, _as_json(found, names), *lines)


def _as_json(found: xv.AlignmentScores, names: tuple[str, str]) -> dict[str, Any]:
    rates = ("rates", "low", "high")
    both_grids = zip(names, (found.grids, found.reverse_grids), strict=True)
    return {
        "heads_from": 0,
        "pairs": found.n_pairs,
        "picked_on": found.n_picked_on,
        "gold": found.n_gold,
        "threshold": found.threshold,
        "heads": found.heads,
        "reverse_heads": found.reverse_heads,
        "scores": [{**asdict(one), **{name: getattr(one, name)._asdict() for name in rates}} for one in found.scores],
        "grids": [
            {"model": name, "title": grid.title, "unit": grid.unit, "values": grid.values}
            for name, grids in both_grids
            for grid in grids
        ],
        "problems": [{"pair": name, "problem": problem} for name, problem in found.problems],
    }
