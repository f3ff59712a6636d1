"""The command line: `python -m xattn_viz` or `xattn-viz` starts the app; the other commands do without it."""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

try:
    import numpy as np
    from numpy.typing import NDArray

    import xattn_viz as xv
    from xattn_viz import doctor
    from xattn_viz.analysis.faithfulness import RANKINGS, deletions, summarise
    from xattn_viz.analysis.timing import Head
    from xattn_viz.analysis.timing import Method as TimingMethod
    from xattn_viz.core import files
    from xattn_viz.core.evidence import LinkMethod
    from xattn_viz.core.maps import METHODS, WHOLE_MODEL, AttentionKind, AttentionMaps, MapKind
    from xattn_viz.core.records import quoted
    from xattn_viz.core.tokens import visible
    from xattn_viz.core.view import parse_head, select
    from xattn_viz.examples import clips
    from xattn_viz.inputs import audio
    from xattn_viz.models import registry
    from xattn_viz.models.base import Adapter, ModelError, ModelWarning
    from xattn_viz.plots.terminal import text_map
except ModuleNotFoundError as error:  # without its libraries nothing here runs, not even the doctor
    if not error.name or error.name.startswith("xattn_viz"):
        raise
    raise SystemExit(
        f"xattn-viz: the package {error.name.split('.')[0]} is missing, and nothing runs without it: "
        "install xattn-viz again, in a clone with make run."
    ) from None

#: The keywords of every model's `trace` that `--set` takes, with a value of the kind that each has.
_SETTINGS: dict[str, str | bool | int] = {"target": "", "num_beams": 1, "hypothesis": 0, "max_new_tokens": 1}
_MODEL = "a name from `xattn-viz models`, or a folder that holds a model"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 with one sentence on stderr, or 1 where nobody reads the output."""
    options = _parser().parse_args(arguments)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads our output, `head` say, has enough
        _close_output()
        return 1
    # What bad input raises; anything else is a bug, and its traceback is wanted.
    except (ModelError, ValueError, OSError) as error:
        print(f"xattn-viz: {visible(_sentence(error))}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # it was what failed, and would again when Python ends
            _close_output()
        return 2
    except KeyboardInterrupt:
        return 130


def _close_output() -> None:
    """Send what else is printed nowhere: Python would complain of it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{quoted(str(error.filename)) if error.filename else 'The output'}: {error.strerror}."
    return str(error)


def _app(options: argparse.Namespace) -> int:
    registry.check_settings()
    # Streamlit reads the configuration beside the script, so this starts like `streamlit run app.py` in the clone.
    sys.argv = ["streamlit", "run", str(doctor.app_script())]
    if options.address is not None:
        sys.argv += ["--server.address", options.address]
    if options.port is not None:
        sys.argv += ["--server.port", str(options.port)]
    # In this process, so that it stops when it is told to; Streamlit then exits by itself.
    runpy.run_module("streamlit", run_name="__main__")
    return 0


def _models(_: argparse.Namespace) -> int:
    for card in xv.cards():
        print(f"{card.name:16} {card.title}")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    return doctor.doctor()


def _trace(options: argparse.Namespace) -> int:
    out: Path | None = options.out
    layer, head = options.layer, options.head
    if out is not None:
        xv.export.check_ending(out)
    if out is None or (layer, head) != (None, None):
        layer, head = -1 if layer is None else layer, head or 0
    model = _load(options.model)
    settings, is_sound = _settings(model, options.set), _reads_sound(model)
    traces = model.traces(options.input, **settings) if is_sound else [model.trace(options.input, **settings)]
    for window, trace in enumerate(traces):
        if layer is not None:
            _check_head(trace.cross, layer, head)
        if out is None:
            lines = _read(trace, -1 if layer is None else layer, head or 0)
        else:
            path = out if window == 0 else out.with_stem(f"{out.stem}-{window}")
            xv.export.write(trace, path, None if layer is None else xv.View(layer=layer, head=head))
            lines = [f"Wrote {visible(str(path))}"]
        _tell_notes(trace)
        print(visible(trace.output), *lines, sep="\n")
    return 0


def _read(trace: xv.Trace, layer: int, head: int) -> list[str]:
    """What a head read: the map on a terminal, elsewhere a table of what each word looked at most."""
    if trace.cross.queries.is_special.all():  # nobody speaks
        return []
    if not sys.stdout.isatty():
        return [_said(link) for link in xv.most_attended(trace.cross, layer=layer, head=head)]
    width = shutil.get_terminal_size().columns
    coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"  # https://no-color.org
    return ["", *text_map(select(trace.cross, layer, head), width=width, coloured=coloured)]


def _said(link: xv.WordLink) -> str:
    """A link as a line of a table: number and word of the target, then of the source, numbers from 1."""
    target, source = visible(link.target), visible(link.source)
    return f"{link.target_index + 1}\t{target}\t{link.source_index + 1}\t{source}"


def _animate(options: argparse.Namespace) -> int:
    from xattn_viz.export import moving  # Pillow is slow to load

    moving.check_ending(options.out)
    model = _load(options.model)
    trace = model.trace(options.input, **_settings(model, options.set))
    view = None
    if (options.layer, options.head) != (None, None):
        view = xv.View(layer=-1 if options.layer is None else options.layer, head=options.head or 0)
        _check_head(trace.cross, view.layer or 0, int(view.head))
    made = moving.animate(trace, view, options.what, size=options.size, seconds=options.seconds, dark=not options.light)
    made.save(options.out)
    _tell_notes(trace)
    frames = f"{made.count} frames of {made.size[0]} × {made.size[1]} pixels"
    print(visible(trace.output), f"Wrote {visible(str(options.out))}, {frames}", sep="\n")
    return 0


def _figure(options: argparse.Namespace) -> int:
    from xattn_viz.export import figures

    figures.check_ending(options.out)
    figures.points(options.width)
    is_file = options.model.endswith(".npz")
    if is_file == (options.input is not None):
        given = "A trace in a file has its input already" if is_file else "A model needs an input"
        raise ValueError(f"{given}: give a model and its input, or a file that ends in .npz.")
    if is_file:
        trace = xv.load_trace(options.model)
    else:
        model = _load(options.model)
        trace = model.trace(options.input, **_settings(model, options.set))
        _tell_notes(trace)
        if options.what.startswith("alignment"):
            trace = _aligned(model, trace)
    layer, head = options.layer, options.head
    if layer is None and head is None:
        view = figures.first_view(trace)
    else:
        view = xv.View(layer=-1 if layer is None else layer, head=head or 0)
    said = {name: getattr(options, name) for name in ("kind", "units", "rows", "special", "scale", "by", "links")}
    view = replace(view, **said)
    if view.is_head:
        _check_head(trace.of_kind(options.kind), view.layer or 0, int(view.head))
    for layer, head in options.heads:
        _check_head(trace.of_kind(options.kind), layer, head)
    view = replace(view, query=options.row and options.row - 1, key=options.column and options.column - 1)
    made = figures.save(
        trace,
        options.out,
        view=view,
        what=options.what,
        dpi=options.dpi,
        heads=options.heads,
        width=options.width,
        size=options.size,
        ground="transparent" if options.transparent else "white",
        colours=options.colours,
        bar=options.bar,
        title=options.title,
        values=options.values,
    )
    print(visible(made.caption), f"Wrote {visible(str(options.out))}, {made.measures}", sep="\n")
    return 0


def _aligned(model: Adapter, trace: xv.Trace) -> xv.Trace:
    """The trace with links between its words, of both directions where the opposite model is known."""
    other = registry.opposite(model.card)
    back = _load(other).trace(trace.output, target=trace.input) if other and isinstance(trace.input, str) else None
    return trace.with_evidence(xv.align(trace, back))


def _words(options: argparse.Namespace) -> int:
    model = _load(options.model)
    if not _reads_sound(model):
        reads = "pictures" if model.card.input_kind == "image" else "text"
        raise ModelError(
            f"{options.model} reads {reads}: words in time need a model that hears, such as whisper-tiny-en."
        )
    chosen: Sequence[Head] | None = options.heads
    if chosen is None and options.method == "zscores":  # the heads that the checkpoint names are a part of that method
        chosen = getattr(model, "alignment_heads", ()) or None
    sound = audio.read(options.recording)
    words: list[xv.TimedWord] = []
    for trace in model.traces(sound, **_settings(model, options.set)):
        for layer, head in options.heads or ():
            _check_head(trace.cross, layer, head)
        words += xv.timed_words(trace, chosen, method=options.method)
        _tell_notes(trace)
    if options.out is None and sys.stdout.isatty():
        words = [replace(word, text=visible(word.text)) for word in words]
    text = xv.subtitles.FORMATS[options.format](words, sound.seconds)
    if options.out is None:
        print(text.rstrip("\n"))
    else:
        files.write(options.out, text)
        print(f"Wrote {visible(str(options.out))}")
    return 0


def _costs(options: argparse.Namespace) -> int:
    model, trace = _traced(options)
    costs = xv.head_costs(model, trace, options.how, kind=options.kind)
    print(visible(trace.output), "", *_table(costs.costs), "", costs.sentence, costs.method, sep="\n")
    if options.out is not None:
        _write(trace.with_evidence(costs.grid()), options.out)
    return 0


def _attribute(options: argparse.Namespace) -> int:
    model, trace = _traced(options)
    found = xv.attribute(model, trace, options.method, contrast=_contrast(options.contrast), seconds=options.seconds)
    layer, head = (0, 0) if options.method in WHOLE_MODEL else (options.layer, options.head)
    _check_head(found.maps, layer, head)
    layer = found.maps.layers[found.maps.layer_index(layer)]
    print(visible(trace.output), "", *_shares(found, layer, head), "", f"In {found.unit}. {found.how}", sep="\n")
    if options.out is not None:
        _write(trace.with_maps(found.maps), options.out, xv.View(kind=options.method, layer=layer, head=head))
    return 0


def _traced(options: argparse.Namespace) -> tuple[Adapter, xv.Trace]:
    """The model of a command and the trace of its input, its notes told; a file that cannot be is said before."""
    if options.out is not None:
        xv.export.check_ending(options.out)
    model = _load(options.model)
    trace = model.trace(options.input, **_settings(model, options.set))
    _tell_notes(trace)
    return model, trace


def _write(trace: xv.Trace, out: Path, view: xv.View | None = None) -> None:
    xv.export.write(trace, out, view)
    print(f"Wrote {visible(str(out))}")


def _contrast(said: Sequence[tuple[str, str]]) -> str | dict[int, int | str] | None:
    """What `--contrast` says: "next", or the other token of each row, which counts from 1."""
    if not said:
        return None
    if said == [("next", "")]:
        return "next"
    rows: dict[int, int | str] = {}
    for row, token in said:
        if not re.fullmatch(r"[1-9]\d{0,5}", row, re.ASCII) or not token:
            raise ModelError(
                f"{quoted(f'{row}={token}')} contrasts nothing: give next, or ROW=TOKEN with a row from 1, as 2=cat."
            )
        rows[int(row) - 1] = int(token[1:]) if re.fullmatch(r"#\d{1,9}", token, re.ASCII) else token
    return rows


def _shares(found: xv.Attribution, layer: int, head: int) -> list[str]:
    """What was found for each token and word as the lines of a table: a row a token, a column a word of the source."""
    maps = found.maps
    values = found.values[maps.layer_index(layer), head]
    if maps.keys.is_timed:
        times = maps.keys.times or ()
        words = [f"{times[group[0]][0]:.1f}–{times[group[-1]][1]:.1f} s" for group in found.groups]
    else:
        words = ["".join(maps.keys.name(key) for key in group).strip() for group in found.groups]
    lines = ["\t".join(["row", "token", *map(visible, words)])]
    for row, each in enumerate(values):
        cells = (f"{each[list(group)].sum():.3f}" for group in found.groups)
        lines.append("\t".join([str(row + 1), visible(maps.queries.name(row)), *cells]))
    return lines


def _story(options: argparse.Namespace) -> int:
    from xattn_viz.app import slides
    from xattn_viz.core.story import Story
    from xattn_viz.examples import stories
    from xattn_viz.export import story as page

    out: Path = options.out
    if out.suffix != ".html":
        raise ValueError(f"{quoted(str(out))} does not end in .html, which is what a story becomes.")
    file = Path(options.story)
    is_name = not file.suffix and not file.exists()
    told = stories.find(options.story) if is_name else Story.parse(file.read_bytes())
    listed = {card.name for card in xv.cards()} | set(options.allow)

    def load(name: str) -> Adapter:
        if name not in listed:
            raise ModelError(f"The model {quoted(name)} is not on the list: load it with --allow {name}.")
        return _load(name)

    shown = []
    for one in slides.found(told.slides, load):
        shown.append(one)
        _tell_progress(len(shown), len(told.slides), "slides")
    files.write(out, page.html(told, shown))
    print(f"Wrote {visible(str(out))}")
    return 0


def _deletion(options: argparse.Namespace) -> int:
    model = _load(options.model)
    settings, rankings = _settings(model, options.set), options.rankings or RANKINGS
    inputs: list[Any] = [options.input]
    if options.lines:
        inputs = [line for line in Path(options.input).read_text(encoding="utf-8").splitlines() if line.strip()]
    traces = (model.trace(one, **settings) for one in inputs)
    made = []
    for number, one in enumerate(deletions(model, traces, rankings, seeds=options.seeds, points=options.points), 1):
        made.append(one)
        if options.lines:
            _tell_progress(number, len(inputs), "sentences")
    if not options.lines:
        mean, least, most = made[0].random_interval
        print("ranking", "area", sep="\t")
        for curve in sorted(made[0].curves, key=lambda curve: curve.area):
            print(curve.name, f"{curve.area:.3f}", sep="\t")
        print("random", f"{mean:.3f}", f"{least:.3f} to {most:.3f}", sep="\t")
        print("", made[0].sentence, sep="\n")
        return 0
    found = summarise(made)
    print("ranking", "area", "below random", "95 % interval", sep="\t")
    for area, name in sorted(zip(found.areas.mean(0).tolist(), found.names, strict=True)):
        below, low, high = found.lower()[name]
        print(name, f"{area:.3f}", f"{below:.3f}", f"{low:.3f} to {high:.3f}", sep="\t")
    print("random", f"{found.random.mean():.3f}", sep="\t")
    return 0


def _table(values: NDArray[Any]) -> list[str]:
    """Numbers `[layer, head]` as the lines of a table, layers and heads from 1."""
    lines = ["\t".join(["layer", *(f"head {head + 1}" for head in range(values.shape[1]))])]
    for layer, row in enumerate(values, start=1):
        lines.append("\t".join([str(layer), *("" if np.isnan(value) else f"{value:.3f}" for value in row)]))
    return lines


def _align(options: argparse.Namespace) -> int:
    model, reverse = _both(options)
    pairs = xv.alignment_files.read_pairs(options.pairs)
    kept = {} if options.heads is None else {"heads": options.heads}
    if options.reverse_heads is not None:
        kept["reverse_heads"] = options.reverse_heads

    def alignments() -> Iterator[xv.Alignment]:
        for number, (source, target) in enumerate(pairs, 1):
            ahead = model.trace(source, target=target)
            back = reverse.trace(target, target=source) if reverse is not None else None
            yield xv.align(ahead, back, words=options.words, method=options.method, threshold=options.threshold, **kept)
            _tell_progress(number, len(pairs))

    lines = xv.alignment_files.lines(alignments(), options.format)
    if options.out is None:
        sys.stdout.writelines(lines)
    else:
        files.write(options.out, "".join(lines))
        print(f"Wrote {visible(str(options.out))}")
    return 0


def _score(options: argparse.Namespace) -> int:
    gold = xv.alignment_files.read_gold(
        options.gold, options.format, source=options.source, target=options.target, encoding=options.encoding
    )
    model, reverse = _both(options)
    found = xv.score(
        gold,
        model,
        reverse,
        method=options.method,
        threshold=options.threshold,
        heads=options.heads,
        reverse_heads=options.reverse_heads,
        pick_on=options.pick_on,
        seed=options.seed,
        journal=options.journal,
        on_pair=_tell_progress,
    )
    for name, problem in found.problems:
        print(f"xattn-viz: {name}: {visible(problem)}", file=sys.stderr)
    print("what", "settings", "pairs", *(f"{name}\t95 %" for name in ("P", "R", "F1", "AER")), sep="\t")
    for each in found.scores:
        numbers = zip(each.rates, each.low, each.high, strict=True)
        said = (f"{value:.3f}\t{low:.3f}–{high:.3f}" for value, low, high in numbers)
        print(each.name, each.settings, each.n_pairs, *said, sep="\t")
    for name, grids in ((model.card.name, found.grids), (options.reverse, found.reverse_grids)):
        for grid in grids:
            print(f"\n{name}: {grid.title}, F1, {found.n_pairs} pairs", *_table(grid.values), sep="\n")
    return 0


def _profile(options: argparse.Namespace) -> int:
    model, reverse = _both(options)
    found = xv.head_profiles(
        model,
        _texts(options, model),
        reverse=reverse,
        kind=options.kind,
        costs=not options.no_costs,
        on_step=lambda done, count: _tell_progress(done, count, "texts"),
        **_settings(model, options.set),
    )
    for number, problem in found.problems:
        print(f"xattn-viz: text {number + 1}: {visible(problem)}", file=sys.stderr)
    if options.json:
        print(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False))
        return 0
    names = [grid.name for grid in found.grids]
    print("head", *(f"{name}\t95 %" for name in names), "name", sep="\t")
    for row in found.rows():
        said = (_with_interval(*(row[name + end] for end in ("", "_low", "_high"))) for name in names)
        print(f"{row['layer'] + 1}.{row['head'] + 1}", *said, row["name"] and visible(row["name"]), sep="\t")
    print(
        "", *(f"{grid.name} ({grid.unit}): {visible(grid.method)}" for grid in found.grids), "", found.depth, sep="\n"
    )
    return 0


def _with_interval(value: float, low: float, high: float) -> str:
    """Two cells of a table; each empty where there is no number."""
    return f"{'' if np.isnan(value) else f'{value:.3f}'}\t{'' if np.isnan(low) else f'{low:.3f}–{high:.3f}'}"


def _texts(options: argparse.Namespace, model: Adapter) -> list[Any] | None:
    """What heads are profiled over: the lines of a file, pairs with links, or what comes with the package."""
    if options.gold:
        if options.texts is None:
            raise ValueError("--gold says that a file holds pairs with links: name the file.")
        return list(xv.alignment_files.read_gold(options.texts))
    if options.texts is not None:
        files.check(options.texts)
        lines = options.texts.read_text(encoding="utf-8-sig").splitlines()
        return [line for line in lines if line.strip()]
    return [clips.sound(clip.slug) for clip in clips.CLIPS if clip.text] if _reads_sound(model) else None


def _both(options: argparse.Namespace) -> tuple[Adapter, Adapter | None]:
    """The model, and that of the opposite direction where there is one: by itself only beside the one it belongs to."""
    if options.reverse is None:
        card = next((card for card in xv.cards() if card.name == options.model), None)
        options.reverse = (card and registry.opposite(card)) or "none"
    model, reverse = _load(options.model), None if options.reverse == "none" else _load(options.reverse)
    for each, heads in ((model, options.heads), (reverse, options.reverse_heads)) if "heads" in options else ():
        there = each.size.heads["cross"] if each is not None else ()
        for layer, head, _ in heads or ():
            if layer >= len(there):
                raise ValueError(f"There is no layer {layer + 1}: layers count from 1, to {len(there)} here.")
            if head >= there[layer]:
                raise ValueError(f"There is no head {head + 1}: layer {layer + 1} has heads 1 to {there[layer]}.")
    return model, reverse


def _tell_progress(done: int, count: int, what: str = "pairs") -> None:
    """How far a long run is, on a terminal in one line, elsewhere ten times in all."""
    if sys.stderr.isatty():
        print(f"\r{done:,} of {count:,} {what}", end="\n" if done == count else "", file=sys.stderr, flush=True)
    elif done * 10 // count != (done - 1) * 10 // count:
        print(f"xattn-viz: {done:,} of {count:,} {what}", file=sys.stderr, flush=True)


def _check_head(maps: AttentionMaps, layer: int, head: int) -> None:
    """Raise ValueError, with numbers from 1 as they were typed, for a layer or a head that the maps do not have."""
    if layer >= 0 and layer not in maps.layers:
        named = ", ".join(str(number + 1) for number in maps.layers)
        raise ValueError(f"There is no layer {layer + 1}: layers count from 1, and these maps hold {named}.")
    if head >= maps.n_heads:
        raise ValueError(f"There is no head {head + 1}: heads count from 1, and each layer has {maps.n_heads}.")


def _load(name: str) -> Adapter:
    """A model. One that does not do what it should is said on stderr, and runs all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)  # a warning of Python's names a line of this program
        model = xv.load(name)
    if model.fault is not None:
        print(f"xattn-viz: {visible(model.fault)}", file=sys.stderr)
    return model


def _settings(model: Adapter, said: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The keywords of `trace` for what `--set` says. Raises ModelError for a name that the model does not have."""
    defaults = {**_SETTINGS, **{option.name: option.default for option in model.card.options}}
    settings: dict[str, Any] = {}
    for name, value in said:
        if name not in defaults:
            raise ModelError(f"{model.card.title} has no option {quoted(name)}; its options: {', '.join(defaults)}.")
        settings[name] = value  # what is no number or no switch `trace` refuses, with the name
        if isinstance(defaults[name], bool) and value.lower() in ("true", "false"):
            settings[name] = value.lower() == "true"
        elif type(defaults[name]) is int and re.fullmatch(r"\d{1,9}", value, re.ASCII):
            settings[name] = int(value)
    return settings


def _reads_sound(model: Adapter) -> bool:
    return model.card.input_kind == "audio"


def _tell_notes(trace: xv.Trace) -> None:
    """Say apart from the output what people should know of a run, besides a fault of its model."""
    for note in trace.notes:
        if note.about != "fault":
            print(f"xattn-viz: {visible(note.text)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="xattn-viz", description=xv.__doc__ and xv.__doc__.splitlines()[0])
    parser.set_defaults(command=_app, port=None, address=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    app = commands.add_parser("app", help="start the app (also without a command)")
    app.add_argument("--port", type=int, help="the port to listen on (default 8501)")
    app.add_argument(
        "--address",
        help="the address to listen on (default localhost, this machine alone; 0.0.0.0 lets in whoever reaches it)",
    )
    app.set_defaults(command=_app)

    models = commands.add_parser("models", help="list the models known by name")
    models.set_defaults(command=_models)

    doctor = commands.add_parser("doctor", help="say whether this installation is well; exit code 1 where it is not")
    doctor.set_defaults(command=_doctor)

    trace = commands.add_parser(
        "trace",
        help="trace a sentence, a recording or a picture: print the output and the map, or write it",
    )
    _take_input(trace, "sound or picture file for a model that hears or sees")
    endings = ", ".join(xv.export.FORMATS)
    trace.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FILE",
        help=f"what to write, by its ending: {endings}; each 30 s of a recording more has a file more",
    )
    trace.add_argument("--layer", type=_layer, help="from 1, or from the end when negative (default -1, the last)")
    trace.add_argument("--head", type=_head, help="from 1, as the page counts (default 1)")
    _take_settings(trace)
    trace.set_defaults(command=_trace)

    animate = commands.add_parser(
        "animate",
        help="write a moving picture: the steps of an output, heads one after the other, or a drawing forming",
    )
    _take_input(animate, "sound or picture file for a model that hears or sees")
    animate.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FILE",
        required=True,
        help="what to write, by its ending: .gif, .webm, .mp4, .svg",
    )
    animate.add_argument(
        "--what", choices=("steps", "heads", "denoising"), help="(default denoising of a drawing, else steps)"
    )
    animate.add_argument(
        "--size", type=_size, default=(1280, 720), metavar="WIDTHxHEIGHT", help="in pixels (default 1280x720)"
    )
    animate.add_argument("--seconds", type=float, default=1.0, help="that a frame lasts (default 1)")
    animate.add_argument("--light", action="store_true", help="on a light ground")
    animate.add_argument(
        "--layer", type=_layer, help="from 1, or from the end when negative (default 1, with --head -1)"
    )
    animate.add_argument("--head", type=_head, help="from 1 (default 1)")
    _take_settings(animate)
    animate.set_defaults(command=_animate)

    figure = commands.add_parser(
        "figure", help="write a figure for a paper, as PDF, SVG, PNG or TikZ, and print its caption"
    )
    _take_figure(figure)
    figure.set_defaults(command=_figure)

    costs = commands.add_parser(
        "costs", help="say what each head costs: how much less likely the model's own output is without it, a table"
    )
    _take_input(costs, "sound or picture file for a model that hears or sees")
    costs.add_argument(
        "--how",
        choices=("zero", "uniform"),
        default="zero",
        help="what is done to a head: its output set to zero (default), or its weights even over all keys",
    )
    costs.add_argument("--kind", choices=get_args(AttentionKind), default="cross", help="whose heads (default cross)")
    costs.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help=f"a file of the trace that keeps the costs too: {endings}"
    )
    _take_settings(costs)
    costs.set_defaults(command=_costs)

    attribute = commands.add_parser(
        "attribute",
        help="say what each token of an output owes to each word of its source, by another way than attention: a table",
    )
    _take_input(attribute, "sound file for a model that hears")
    attribute.add_argument("--method", choices=METHODS, default="occlusion", help="how (default occlusion)")
    attribute.add_argument(
        "--contrast",
        type=lambda text: text.partition("=")[::2],
        action="append",
        default=[],
        metavar="ROW=TOKEN",
        help="why this row's token and not another: its text among the step's alternatives, or #id; next for all rows",
    )
    attribute.add_argument("--layer", type=_layer, default=-1, help="of norms and value zeroing (default the last)")
    attribute.add_argument("--head", type=_head, default=0, help="of norms and value zeroing (default 1)")
    attribute.add_argument("--seconds", type=float, default=0.5, help="of sound that are taken together (default 0.5)")
    attribute.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help=f"a file of the trace that keeps the map too: {endings}"
    )
    _take_settings(attribute)
    attribute.set_defaults(command=_attribute)

    deleted = commands.add_parser(
        "deletion",
        help="say which ranking of the source the model follows: how the output fares as words are taken away",
    )
    _take_input(deleted, "sound file for a model that hears")
    deleted.add_argument(
        "--lines", action="store_true", help="the input is a file with a sentence a line: all together"
    )
    deleted.add_argument(
        "--rankings",
        nargs="+",
        metavar="RANKING",
        help=f"attention, a head such as 2.1, or methods (default {' '.join(RANKINGS)})",
    )
    deleted.add_argument("--seeds", type=_number, default=10, help="random orders to compare with (default 10)")
    deleted.add_argument("--points", type=_number, default=10, help="the most steps of a curve (default 10)")
    _take_settings(deleted)
    deleted.set_defaults(command=_deletion)

    words = commands.add_parser(
        "words", help="write the words of a recording with their times, as subtitles or a table"
    )
    words.add_argument("model", help=_MODEL)
    words.add_argument("recording", help="the sound file: wav, flac, mp3, ogg, m4a, webm")
    words.add_argument("--format", choices=xv.subtitles.FORMATS, default="srt", help="(default srt)")
    words.add_argument("-o", "--out", type=Path, metavar="FILE", help="where to write; printed without it")
    words.add_argument(
        "--heads",
        type=_heads,
        metavar="LAYER.HEAD,…",
        help="the heads to listen to, both numbers from 1, such as 3.5,2.6 (default: those of the method)",
    )
    words.add_argument("--method", choices=get_args(TimingMethod), default="shares", help="(default shares)")
    _take_settings(words)
    words.set_defaults(command=_words)

    align = commands.add_parser("align", help="link the words of pairs of sentences and their translations")
    align.add_argument("pairs", type=Path, help="a file of a source and its translation a line, between tabs")
    kinds = get_args(xv.alignment_files.Format)
    align.add_argument("--format", choices=kinds, default="pharaoh", help="(default pharaoh: 0-0 1-2, from 0)")
    align.add_argument("-o", "--out", type=Path, metavar="FILE", help="where to write; printed without it")
    align.add_argument(
        "--words", choices=("spaces", "axis"), default="spaces", help="what is between white space (default), or UAX 29"
    )
    _take_alignment(align)
    align.set_defaults(command=_align)

    story = commands.add_parser("story", help="make one page for a talk, which needs no network, of a story")
    story.add_argument(
        "story", metavar="STORY", help="its file, as the page saves it; or one that ships, such as cross-attention"
    )
    story.add_argument("-o", "--out", type=Path, metavar="FILE", required=True, help="the page, ending in .html")
    story.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="MODEL",
        help="a model that is not on the list and that the story may load; may be given again",
    )
    story.set_defaults(command=_story)

    score = commands.add_parser(
        "score", help="measure alignments, and every head, by a file of pairs with links that people made"
    )
    score.add_argument("gold", type=Path, help="source, target and links between tabs; or Pharaoh, NAACL, JSON, XML")
    score.add_argument("--source", type=Path, metavar="FILE", help="of Pharaoh and NAACL: the sources, one a line")
    score.add_argument("--target", type=Path, metavar="FILE", help="of Pharaoh and NAACL: the targets, one a line")
    score.add_argument("--format", choices=kinds, help="of the file (default: as its first lines look)")
    score.add_argument("--encoding", default="utf-8", help="of these files (default utf-8)")
    score.add_argument(
        "--journal", type=Path, metavar="FILE", help="where each pair is kept: the same command goes on from there"
    )
    score.add_argument(
        "--pick-on",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="the share to pick settings on (default 0.3; 0: none)",
    )
    score.add_argument(
        "--seed", type=int, default=0, help="which pairs these are, and those of the intervals (default 0)"
    )
    _take_alignment(score)
    score.set_defaults(command=_score)

    profile = commands.add_parser("profile", help="say what each head does over many texts, as a table with names")
    profile.add_argument(
        "texts",
        type=Path,
        nargs="?",
        help="a text a line, or the path of a recording or picture; without it, those that come with the package",
    )
    profile.add_argument(
        "--gold", action="store_true", help="the file holds pairs with links that people made, as `score` takes them"
    )
    _take_models(profile)
    profile.add_argument("--kind", choices=get_args(AttentionKind), default="cross", help="whose heads (default cross)")
    profile.add_argument("--no-costs", action="store_true", help="leave out what heads cost, which takes longest")
    profile.add_argument("--json", action="store_true", help="print JSON, which Python reads again")
    _take_settings(profile)
    profile.set_defaults(command=_profile)
    return parser


def _take_figure(command: argparse.ArgumentParser) -> None:
    """What a figure is of, and how it is drawn: see `export.figures.draw`."""
    command.add_argument("model", help=f"{_MODEL}; or a trace that was saved, ending in .npz")
    command.add_argument("input", nargs="?", help="the sentence, or the sound or picture file")
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE", required=True, help="by its ending: .pdf, .svg, .png, .tex"
    )
    kinds = ("map", "heads", "grid", "alignment", "alignment-matrix", "sound", "picture", "evidence")
    command.add_argument("--what", choices=kinds, default="map", help="(default map)")
    command.add_argument("--layer", type=_layer, help="from 1, or from the end when negative (default 1)")
    command.add_argument("--head", type=_head, help="from 1 (default 1)")
    command.add_argument("--heads", type=_heads, default=[], metavar="LAYER.HEAD,…", help="of --what heads, from 1")
    command.add_argument("--kind", choices=get_args(MapKind), default="cross", help="(default cross)")
    command.add_argument("--units", choices=("pieces", "words", "sentences"), default="pieces", help="(default pieces)")
    command.add_argument(
        "--rows",
        choices=("predicted", "input"),
        default="predicted",
        help="which token names a row (default predicted)",
    )
    command.add_argument("--no-special", dest="special", action="store_false", help="without special tokens")
    command.add_argument("--row", type=_position, help="the row in a frame, from 1; of a picture the word over it")
    command.add_argument("--column", type=_position, help="the column in a frame, from 1")
    command.add_argument("--by", default="", metavar="NAME", help="of --what evidence: which numbers, such as entropy")
    command.add_argument(
        "--scale", choices=("head", "common"), default="", help="colours up to each map's maximum, or to that of all"
    )
    command.add_argument(
        "--width", default="column", help='such as 8.5cm, 3.3in, 240pt, or "column" (8.5 cm, default), "page" (17.5 cm)'
    )
    command.add_argument("--size", type=float, default=7.0, help="of type in points, 6 at least (default 7)")
    command.add_argument("--dpi", type=int, default=300, help="of PNG (default 300)")
    command.add_argument("--colours", choices=("magma", "viridis", "cividis", "grey"), default="magma")
    command.add_argument("--values", action="store_true", help="with the number in each cell")
    command.add_argument("--title", action="store_true", help="with a title")
    command.add_argument("--no-bar", dest="bar", action="store_false", help="without a colour bar")
    command.add_argument("--no-links", dest="links", action="store_false", help="without frames around linked words")
    command.add_argument("--transparent", action="store_true", help="on no ground")
    _take_settings(command)


def _position(text: str) -> int:
    """A row or column, from 1."""
    if (number := _number(text)) < 1:
        raise argparse.ArgumentTypeError(f"rows and columns count from 1: there is no {number}")
    return number


def _take_input(command: argparse.ArgumentParser, file: str) -> None:
    command.add_argument("model", help=_MODEL)
    command.add_argument("input", help=f"the sentence, or the {file}")


def _take_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", default="firefox-en-pt", help=f"{_MODEL} (default firefox-en-pt)")
    command.add_argument(
        "--reverse",
        metavar="MODEL",
        help='a model of the opposite direction, or "none" (default: that of the offline pair, where --model is of it)',
    )


def _take_alignment(command: argparse.ArgumentParser) -> None:
    _take_models(command)
    methods = get_args(LinkMethod)
    command.add_argument("--method", choices=methods, default="threshold", help="(default threshold)")
    command.add_argument("--threshold", type=float, help="the weight that a link has to exceed, 0 to 1")
    for side in ("", "reverse-"):
        command.add_argument(
            f"--{side}heads",
            type=_alignment_heads,
            metavar="LAYER.HEAD,…",
            help="from 1, with +1 behind one that is read a row later: 2.1,1.6+1 (default: those found without gold)",
        )


def _take_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the model, as `trace` takes it in Python, such as write_anyway=true or num_beams=4",
    )


def _setting(text: str) -> tuple[str, str]:
    """The name and the value in "num_beams=4"."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{quoted(text)} sets nothing: give NAME=VALUE, such as num_beams=4")
    return name, value


def _layer(text: str) -> int:
    """A layer, from 0; those that are negative count from the end."""
    number = _number(text)
    return number if number < 0 else _head(text)


def _head(text: str) -> int:
    """A head, from 0, of the number that was typed, from 1."""
    if (number := _number(text)) < 1:
        raise argparse.ArgumentTypeError(f"layers and heads count from 1, as on the page: there is no {number}")
    return number - 1


def _size(text: str) -> tuple[int, int]:
    """Width and height in "1280x720"."""
    if not (found := re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text, re.ASCII)):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no size: give one such as 1280x720")
    return int(found[1]), int(found[2])


def _number(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,4}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no whole number")
    return int(text)


def _alignment_heads(text: str) -> list[tuple[int, int, int]]:
    """The heads, from 0, in "2.1,1.6+1", each with its shift."""
    return [(*_heads(part.removesuffix("+1"))[0], int(part.endswith("+1"))) for part in text.split(",")]


def _heads(text: str) -> list[tuple[int, int]]:
    """The heads, from 0, in "3.5,2.6"."""
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        try:
            layer, head = parse_head(part)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
        if layer is None or not isinstance(head, int):
            raise argparse.ArgumentTypeError(f"{quoted(part)} is no single head, such as 3.5 (layer 3, head 5)")
        found.append((layer, head))
    return found
