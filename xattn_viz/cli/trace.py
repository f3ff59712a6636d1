"""Inputs of a model, looked at: `trace` prints a map, `compare` what changes, `transcribe` the words of a recording."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import click

import xattn_viz as xv
from xattn_viz.analysis.timing import Head
from xattn_viz.analysis.timing import Method as TimingMethod
from xattn_viz.cli import common
from xattn_viz.cli.common import Said
from xattn_viz.core import files
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import SelectedMap, select
from xattn_viz.inputs import audio
from xattn_viz.plots.terminal import text_map


@common.command('xattn-viz trace firefox-en-pt "The cat sat on the mat."')
@common.MODEL_OR_TRACE
@common.INPUT_OR_NONE
@common.out(
    f"What to write, by its ending: {', '.join(xv.export.FORMATS)}; each 30 s of a recording more has a file more."
)
@common.LAYER
@common.HEAD
@click.option("--question", metavar="TEXT", help="What to ask of a model that answers questions about a picture.")
@common.SET
@common.JSON
def trace(
    model: str,
    input: str | None,
    out: Path | None,
    layer: int | None,
    head: int | None,
    question: str | None,
    settings: Said,
    as_json: bool,
) -> None:
    """Trace a sentence, a sound or a picture: print the output and the map, or write it.

    On a terminal the map of a head is drawn, in colour unless NO_COLOR is set; in a pipe there is a line for each word
    of the output, in order of the source: its number, itself, the number of the word that it looked at most, and that.
    """
    if out is not None:
        xv.export.check_ending(out)
    is_chosen = layer is not None or head is not None
    layer, head = -1 if layer is None else layer, head or 0
    settings = settings if question is None else (*settings, ("question", question))
    for window, one in enumerate(_traces(model, input, settings)):
        common.check_head(one.cross, layer, head)
        path = out if out is None or window == 0 else out.with_stem(f"{out.stem}-{window}")
        if path is not None:
            xv.export.write(one, path, xv.View(layer=layer, head=head) if is_chosen else None)
        common.tell_notes(one)
        lines = _read(one, layer, head) if path is None else [common.wrote(path)]
        said = {**_as_json(one, layer, head), "wrote": path} if as_json else {}
        common.answer(as_json, said, visible(one.output), *lines)


def _traces(model: str, input: str | None, said: Said) -> Iterator[xv.Trace]:
    """The traces of an input, one for each 30 s of a sound; or that which was saved."""
    if common.is_saved(model, input):
        yield common.load_saved(model)
        return
    adapter = common.load(model)
    read, settings = common.read_input(adapter, input or ""), common.settings_of(adapter, said)
    yield from adapter.traces(read, **settings) if _hears(adapter) else [adapter.trace(read, **settings)]


def _hears(model: xv.Adapter) -> bool:
    return model.card.input_kind == "audio"


def _as_json(trace: xv.Trace, layer: int, head: int) -> dict[str, Any]:
    maps = trace.cross.without_padding()
    layer = maps.layers[maps.layer_index(layer)]
    is_empty = maps.queries.is_special.all()
    return {
        "heads_from": 0,
        "model": trace.model,
        "output": trace.output,
        **({"answers": [vars(answer) for answer in trace.answers]} if trace.answers else {}),
        "offset": trace.offset,
        "layer": layer,
        "head": head,
        "rows": [maps.queries.name(row) for row in range(len(maps.queries))],
        "columns": [maps.keys.name(column) for column in range(len(maps.keys))],
        "weights": maps.head(layer, head),
        "links": [] if is_empty else [asdict(link) for link in xv.most_attended(trace.cross, layer, head)],
        "notes": [note.text for note in trace.notes],
    }


def _read(trace: xv.Trace, layer: int, head: int) -> list[str]:
    """What a head read: the map on a terminal, elsewhere a table of what each word looked at most."""
    if trace.cross.queries.is_special.all():  # nobody speaks
        return []
    if not sys.stdout.isatty():
        return [_said(link) for link in xv.most_attended(trace.cross, layer=layer, head=head)]
    return ["", *_drawn(select(trace.cross, layer, head))]


def _drawn(chosen: SelectedMap) -> list[str]:
    """A map for the terminal, in colour where that is wanted."""
    width = shutil.get_terminal_size().columns
    coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"  # https://no-color.org
    return text_map(chosen, width=width, coloured=coloured)


def _said(link: xv.WordLink) -> str:
    """A link as a line of a table: number and word of the target, then of the source, numbers from 1."""
    target, source = visible(link.target), visible(link.source)
    return f"{link.target_index + 1}\t{target}\t{link.source_index + 1}\t{source}"


@common.command('xattn-viz compare firefox-en-pt "The cat sat." "The dog sat."')
@common.MODEL_OR_TRACE
@click.argument(
    "first",
    metavar="INPUT|TRACE.npz",
    help="The first sentence or file, - for standard input; or the second trace that was saved.",
    shell_complete=common.complete_files,
)
@click.argument("second", required=False, help="The second sentence or file.", shell_complete=common.complete_files)
@click.option(
    "--model-b",
    metavar="MODEL",
    shell_complete=common.complete_models,
    help="That of the second.",
)
@common.out("What to write, by its ending: .html, .json, .csv, .svg.")
@common.LAYER
@common.HEAD
@common.SET
@common.JSON
def compare(
    model: str,
    first: str,
    second: str | None,
    model_b: str | None,
    out: Path | None,
    layer: int | None,
    head: int | None,
    settings: Said,
    as_json: bool,
) -> None:
    """Say what changes from one trace to another: inputs, models, or saved ones.

    Two inputs are compared, one input of two models (--model-b), or two traces that were saved. Without a layer and a
    head it is the mean over all. A terminal shows the difference, the second less the first.
    """
    from xattn_viz.analysis.compare import LEAST
    from xattn_viz.export import compared  # with all that a page is made of

    if out is not None:
        xv.export.check_ending(out)
    one, other = _pair(model, first, second, model_b, settings)
    view = None
    if layer is not None or head is not None:
        view = xv.View(layer=-1 if layer is None else layer, head=head or 0)
        for each in (one, other):
            common.check_head(each.cross, view.layer or 0, head or 0)
    found = xv.compare(one, other, view)
    if out is not None:
        xv.export.write(found, out)
    said: dict[str, Any] = {}
    if as_json:
        mean = xv.View(layer=None, head="mean")
        said = {"heads_from": 0, **json.loads(compared.json(found, view or mean)), "wrote": out}
    lines = [f"{name}: {_texts(each)}" for name, each in zip(found.names, found.traces, strict=True)]
    changes = [change.says for change in found.changes()] or [f"No weight changes by {LEAST} or more."]
    lines += ["", *changes, *filter(None, [found.alone])]
    if sys.stdout.isatty():
        lines += ["", *_drawn(compared.selected(found))]
    common.answer(as_json, said, *lines, *([] if out is None else [common.wrote(out)]))


def _pair(model: str, first: str, second: str | None, model_b: str | None, said: Said) -> tuple[xv.Trace, xv.Trace]:
    """The two traces that are compared. Raises ValueError where they are not two."""
    if common.is_trace(model):
        if second is not None or model_b is not None or not common.is_trace(first):
            raise ValueError("Two saved traces are compared: give two files that end in .npz, and nothing else.")
        return common.load_saved(model), common.load_saved(first)
    if second is None and model_b is None:
        raise ValueError("One trace cannot be compared: give a second input, or another model with --model-b.")
    one = common.traced(model, first, said)[1]
    again = one.input if first == "-" and isinstance(one.input, str) else first
    return one, common.traced(model_b or model, again if second is None else second, said)[1]


def _texts(trace: xv.Trace) -> str:
    read = f"{visible(trace.input)} → " if isinstance(trace.input, str) else ""
    return f"{read}{visible(trace.output)}"


def _number(text: str) -> float | None:
    """A number, or None for "none". Raises ValueError."""
    if text == "none":
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise ValueError(f"{quoted(text)} is no number.")
    return float(text) if "." in text else int(text)


_STYLE = {
    "width": "Characters in a line",
    "lines": "Lines of a subtitle",
    "max_duration": "Seconds that one is shown at most",
    "min_duration": "Seconds that one is shown at least",
    "min_gap": "Seconds between two",
    "words_per_line": "Words in a line; none for no bound",
    "reading_speed": "Characters a second that people read; none for no bound",
    "words_per_minute": "Words a minute that people read; none for no bound",
}


def _style(make: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a subtitle's style, as a keyword `style` that holds a `SubtitleStyle`."""

    def styled(preset: str, keep_repeated: bool, **said: Any) -> Any:
        given = {name: value for name in _STYLE if (value := said.pop(name)) is not _UNSAID}
        return make(style=replace(xv.subtitles.PRESETS[preset], keep_repeated=keep_repeated, **given), **said)

    made: Callable[..., Any] = functools.update_wrapper(styled, make)
    said = "Write the words that the model repeated in a loop, too."
    made = click.option("--keep-repeated", is_flag=True, help=said)(made)
    for name, what in reversed(_STYLE.items()):
        option = f"--{name.replace('_', '-')}"
        made = common.parsed(option, by=_number, default=_UNSAID, show_default=False, metavar="N", help=f"{what}.")(
            made
        )
    said = "Whose conventions: ours, or the numbers of Netflix, BBC or TED; the options below come before it."
    return common.choice("--preset", xv.subtitles.PRESETS, "default", said)(made)


_UNSAID: Any = object()


def _format_of(out: Path | None, format: str | None) -> str:
    """The format that is written: the one that was said, else that of the file's ending."""
    if format or out is None:
        return format or "srt"
    endings: dict[str, str] = {}
    for name, ending in xv.subtitles.ENDINGS.items():
        endings.setdefault(ending.lower(), name)  # of two, the plainer one comes first
    if (found := endings.get(out.suffix.lower())) is None:
        raise xv.InputError(
            f"{quoted(str(out))} ends in none of {', '.join(sorted(endings))}: say what to write with --format."
        )
    return found


@common.command("xattn-viz transcribe whisper-tiny-en talk.wav -o talk.srt")
@common.MODEL
@click.argument(
    "recording",
    help="The sound file: wav, flac, mp3, ogg, m4a, webm; - for standard input.",
    shell_complete=common.complete_files,
)
@common.choice("--format", xv.subtitles.FORMATS, None, "What to write; by the ending of -o, or srt, unless given.")
@common.out("Where to write; printed unless given.")
@common.TIMING_HEADS
@common.choice("--method", get_args(TimingMethod), "shares", "How times are found.")
@_style
@common.SET
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def transcribe(
    model: str,
    recording: str,
    format: str | None,
    out: Path | None,
    heads: list[tuple[int, int]] | None,
    method: TimingMethod,
    style: xv.subtitles.SubtitleStyle,
    settings: Said,
    as_json: bool,
) -> None:
    """Write the words of a recording with their times, as subtitles or a table.

    How exact the times are, docs/speech.md says.
    """
    written = "json" if as_json else _format_of(out, format)
    adapter = common.load(model)
    if not _hears(adapter):
        reads = "pictures" if adapter.card.input_kind == "image" else "text"
        raise xv.ModelError(f"{model} reads {reads}: words in time need a model that hears, such as whisper-tiny-en.")
    chosen: Sequence[Head] | None = heads
    if chosen is None and method == "zscores":  # the heads that the checkpoint names are a part of that method
        chosen = getattr(adapter, "alignment_heads", ()) or None
    sound = audio.read(common.file_or_input(recording) if recording == "-" else recording)
    progress = common.Progress("seconds")
    words: list[xv.TimedWord] = []
    for one in adapter.traces(sound, **common.settings_of(adapter, settings)):
        for layer, head in heads or ():
            common.check_head(one.cross, layer, head)
        words += xv.timed_words(one, chosen, method=method)
        common.tell_notes(one)
        end = min((one.cross.keys.times or ((0.0, 0.0),))[-1][1], sound.seconds)
        if one.offset or end < sound.seconds:  # of several windows
            progress(round(end), round(sound.seconds))
    if out is None and sys.stdout.isatty():
        words = [replace(word, text=visible(word.text)) for word in words]
    text = xv.subtitles.FORMATS[written](words, sound.seconds, style)
    if out is None:
        print(text.rstrip("\n"))
    else:
        files.write(out, text)
        print(common.wrote(out))
