"""What heads and sources bring, asked of the model itself: the group `evidence`, which docs/evidence.md explains."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

import xattn_viz as xv
from xattn_viz.analysis.faithfulness import PICTURE_RANKINGS, RANKINGS, deletions, summarise
from xattn_viz.cli import common
from xattn_viz.cli.alignment import REVERSE, both
from xattn_viz.cli.common import Progress, Said
from xattn_viz.core.evidence import Deletion
from xattn_viz.core.maps import METHODS, WHOLE_MODEL, AttentionKind, Method
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible

_KIND = common.choice("--kind", ("cross", "encoder", "decoder"), "cross", "Whose heads.")
_OUT = common.out(f"A file of the trace that keeps what was found too: {', '.join(xv.export.FORMATS)}.")


@click.group(epilog=common.ending('xattn-viz evidence costs firefox-en-pt "The cat sat."'), no_args_is_help=False)
def evidence() -> None:
    """Ask a model what its heads and its source bring: costs, attribution and more.

    docs/evidence.md says how each is made, and how far to trust it.
    """


@evidence.command(epilog=common.ending('xattn-viz evidence costs firefox-en-pt "The cat sat on the mat." -o cat.npz'))
@common.MODEL
@common.INPUT
@common.choice("--how", ("zero", "uniform"), "zero", "A head's output is set to zero, or its weights even over keys.")
@_KIND
@_OUT
@common.SET
@common.JSON
def costs(
    model: str,
    input: str,
    how: Literal["zero", "uniform"],
    kind: AttentionKind,
    out: Path | None,
    settings: Said,
    as_json: bool,
) -> None:
    """Say what each head costs: how much less likely the model's own output is without it."""
    adapter, trace = _traced(model, input, out, settings)
    found = xv.head_costs(adapter, trace, how, kind=kind, on_step=Progress("runs", in_pipes=False))
    if out is not None:
        xv.export.write(trace.with_evidence(found.grid()), out)
    layer, head = found.largest
    said = {"heads_from": 0, "model": trace.model, "output": trace.output, "kind": kind, "how": how}
    said |= {"unit": "nats a token", "costs": found.costs, "largest": {"layer": layer, "head": head}}
    said |= {"sentence": found.sentence, "method": found.method, "wrote": out}
    lines = visible(trace.output), "", *common.table(found.costs), "", found.sentence, found.method
    common.answer(as_json, said, *lines, *([] if out is None else [common.wrote(out)]))


@evidence.command(epilog=common.ending('xattn-viz evidence attribution firefox-en-pt "The cat sat." --contrast 2=cat'))
@common.MODEL
@common.INPUT
@common.choice("--method", METHODS, "occlusion", "How.")
@common.parsed(
    "--contrast",
    by=lambda text: text.partition("=")[::2],
    multiple=True,
    metavar="ROW=TOKEN",
    help="Why this row's token and not another: its text among the step's alternatives, or #id; next for all rows.",
)
@common.LAYER
@common.HEAD
@click.option("--seconds", type=float, default=0.5, help="Of sound that are taken together.")
@_OUT
@common.SET
@common.JSON
def attribution(
    model: str,
    input: str,
    method: Method,
    contrast: tuple[tuple[str, str], ...],
    layer: int | None,
    head: int | None,
    seconds: float,
    out: Path | None,
    settings: Said,
    as_json: bool,
) -> None:
    """Say what each token of an output owes to each word of its source, by another way than attention.

    A layer and a head are those of norms and value zeroing; the other methods look at the whole model.
    """
    adapter, trace = _traced(model, input, out, settings)
    step = Progress("runs", in_pipes=False)
    found = xv.attribute(adapter, trace, method, contrast=_contrast(contrast), seconds=seconds, on_step=step)
    is_whole = method in WHOLE_MODEL
    asked, number = (0, 0) if is_whole else (-1 if layer is None else layer, head or 0)
    common.check_head(found.maps, asked, number)
    asked = found.maps.layers[found.maps.layer_index(asked)]
    if out is not None:
        xv.export.write(trace.with_maps(found.maps), out, xv.View(kind=method, layer=asked, head=number))
    words, tokens, values = _shares(found, asked, number)
    said = {"heads_from": 0, "model": trace.model, "output": trace.output, "method": method}
    said |= {"layer": None if is_whole else asked, "head": None if is_whole else number, "unit": found.unit}
    said |= {"words": words, "tokens": tokens, "values": values, "how": found.how, "wrote": out}
    lines = ["\t".join(["row", "token", *map(visible, words)])]
    for row, (token, numbers) in enumerate(zip(tokens, values, strict=True), 1):
        lines.append("\t".join([str(row), visible(token), *(f"{number:.3f}" for number in numbers)]))
    lines += ["", f"In {found.unit}. {found.how}", *([] if out is None else [common.wrote(out)])]
    common.answer(as_json, said, visible(trace.output), "", *lines)


def _traced(model: str, input: str, out: Path | None, said: Said) -> tuple[xv.Adapter, xv.Trace]:
    """The model and the trace of its input; a file that cannot be is said before."""
    if out is not None:
        xv.export.check_ending(out)
    return common.traced(model, input, said)


def _contrast(said: tuple[tuple[str, str], ...]) -> str | dict[int, int | str] | None:
    """What `--contrast` says: "next", or the other token of each row, which counts from 1."""
    if not said:
        return None
    if said == (("next", ""),):
        return "next"
    rows: dict[int, int | str] = {}
    for row, token in said:
        if not re.fullmatch(r"[1-9]\d{0,5}", row, re.ASCII) or not token:
            raise xv.ModelError(
                f"{quoted(f'{row}={token}')} contrasts nothing: give next, or ROW=TOKEN with a row from 1, as 2=cat."
            )
        rows[int(row) - 1] = int(token[1:]) if re.fullmatch(r"#\d{1,9}", token, re.ASCII) else token
    return rows


def _shares(found: xv.Attribution, layer: int, head: int) -> tuple[list[str], list[str], list[list[float]]]:
    """The words of the source, the tokens of the output, and what was found between them, `[token][word]`."""
    maps = found.maps
    values = found.values[maps.layer_index(layer), head]
    if maps.keys.is_timed:
        times = maps.keys.times or ()
        words = [f"{times[group[0]][0]:.1f}–{times[group[-1]][1]:.1f} s" for group in found.groups]
    else:
        words = ["".join(maps.keys.name(key) for key in group).strip() for group in found.groups]
    tokens = [maps.queries.name(row) for row in range(len(values))]
    return words, tokens, [[float(each[list(group)].sum()) for group in found.groups] for each in values]


@evidence.command(epilog=common.ending('xattn-viz evidence deletion firefox-en-pt "The cat sat." --rankings attention'))
@common.MODEL
@common.INPUT
@click.option("--lines", is_flag=True, help="The input is a file with a sentence a line: all together.")
@click.option(
    "--rankings",
    metavar="RANKING,…",
    help="The word attention, a head such as 2.1 (from 1), or methods; "
    f"{','.join(RANKINGS)} unless given, and {','.join(PICTURE_RANKINGS)} of a picture.",
)
@common.parsed("--seeds", by=common.whole, default=10, help="Random orders to compare with.")
@common.parsed("--points", by=common.whole, default=10, help="The most steps of a curve.")
@common.SET
@common.JSON
def deletion(
    model: str, input: str, lines: bool, rankings: str | None, seeds: int, points: int, settings: Said, as_json: bool
) -> None:
    """Say which ranking of the source the model follows: how the output fares as words are taken away."""
    adapter = common.load(model)
    asked = common.settings_of(adapter, settings)
    inputs: list[Any] = [*common.read_lines(input)] if lines else [common.read_input(adapter, input)]
    step, made = Progress("sentences", in_pipes=lines), []
    traces = (adapter.trace(one, **asked) for one in inputs)
    named = rankings.split(",") if rankings else None
    for one in deletions(adapter, traces, named, seeds=seeds, points=points):
        made.append(one)
        step(len(made), len(inputs))
    said, printed = _of_many(made) if lines else _of_one(made[0])
    common.answer(as_json, {"heads_from": 1, **said}, *printed)


def _of_one(found: Deletion) -> tuple[dict[str, Any], list[str]]:
    """What one sentence says of rankings, for programs and as lines."""
    mean, least, most = found.random_interval
    curves = sorted(found.curves, key=lambda curve: curve.area)
    said = {"rankings": [{"name": curve.name, "area": curve.area} for curve in curves], "sentence": found.sentence}
    lines = ["ranking\tarea", *(f"{curve.name}\t{curve.area:.3f}" for curve in curves)]
    lines += [f"random\t{mean:.3f}\t{least:.3f} to {most:.3f}", "", found.sentence]
    return {**said, "random": {"mean": mean, "least": least, "most": most}}, lines


def _of_many(made: list[Deletion]) -> tuple[dict[str, Any], list[str]]:
    """What many sentences say of rankings together."""
    found = summarise(made)
    ranked = sorted(zip(found.areas.mean(0).tolist(), found.names, strict=True))
    rows = [(name, area, *found.lower()[name]) for area, name in ranked]
    chance = float(found.random.mean())
    keys = ("name", "area", "below_random", "low", "high")
    said = {"sentences": len(made), "rankings": [dict(zip(keys, row, strict=True)) for row in rows]}
    lines = ["ranking\tarea\tbelow random\t95 % interval"]
    lines += [f"{name}\t{area:.3f}\t{below:.3f}\t{low:.3f} to {high:.3f}" for name, area, below, low, high in rows]
    return {**said, "random": {"mean": chance}}, [*lines, f"random\t{chance:.3f}"]


@evidence.command(epilog=common.ending("xattn-viz evidence profile firefox-en-pt sentences.txt"))
@common.MODEL
@click.argument(
    "texts",
    required=False,
    help="A text a line, or the path of a recording or picture; - for standard input; those that come with the "
    "package unless given.",
    shell_complete=common.complete_files,
)
@click.option("--gold", is_flag=True, help="The file holds pairs with links that people made, as `score` takes them.")
@REVERSE
@_KIND
@click.option("--costs/--no-costs", default=True, help="What heads cost, which takes longest.")
@common.SET
@click.option("--json", "as_json", is_flag=True, help="Print JSON, which `xv.HeadProfiles.from_json` reads again.")
def profile(
    model: str,
    texts: str | None,
    gold: bool,
    reverse: str | None,
    kind: AttentionKind,
    costs: bool,
    settings: Said,
    as_json: bool,
) -> None:
    """Say what each head does over many texts, as a table with names."""
    adapter, other = both(model, reverse)
    asked = common.settings_of(adapter, settings)
    read = _texts(texts, adapter, gold)
    found = xv.head_profiles(
        adapter, read, reverse=other, kind=kind, costs=costs, on_step=Progress("texts"), **asked
    )  # fmt: skip
    for number, problem in found.problems:
        common.tell(f"text {number + 1}: {problem}")
    names = [grid.name for grid in found.grids]
    lines = ["\t".join(["head", *(f"{name}\t95 %" for name in names), "name"])]
    for row in found.rows():
        cells = (_with_interval(*(row[name + end] for end in ("", "_low", "_high"))) for name in names)
        lines.append("\t".join([f"{row['layer'] + 1}.{row['head'] + 1}", *cells, row["name"] and visible(row["name"])]))
    lines += ["", *(f"{grid.name} ({grid.unit}): {visible(grid.method)}" for grid in found.grids), "", found.depth]
    common.answer(as_json, {"heads_from": 0, **found.to_json()}, *lines)


def _with_interval(value: float, low: float, high: float) -> str:
    """Two cells of a table; each empty where there is no number."""
    return f"{'' if np.isnan(value) else f'{value:.3f}'}\t{'' if np.isnan(low) else f'{low:.3f}–{high:.3f}'}"


def _texts(said: str | None, model: xv.Adapter, gold: bool) -> list[Any] | None:
    """What heads are profiled over: the lines of a file, pairs with links, or what comes with the package."""
    if gold:
        if said is None:
            raise ValueError("--gold says that a file holds pairs with links: name the file.")
        return list(xv.alignment_files.read_gold(common.file_or_input(said)))
    if said is not None:
        return list(common.read_lines(said))
    is_heard = model.card.input_kind == "audio"
    from xattn_viz.examples import clips

    return [clips.sound(clip.slug) for clip in clips.CLIPS if clip.text] if is_heard else None
