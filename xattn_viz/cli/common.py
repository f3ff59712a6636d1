"""What the commands share: options and what may stand behind them, what they read, and how they say things."""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np
from click.shell_completion import CompletionItem
from numpy.typing import NDArray

import xattn_viz as xv
from xattn_viz.core import files
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import parse_head
from xattn_viz.inputs import InputError

#: What `--set` said: names and values.
Said = tuple[tuple[str, str], ...]
#: What adds an option or an argument to a command.
Option = Callable[[Callable[..., Any]], Callable[..., Any]]
# The keywords of every model's `trace` that `--set` takes, with a value of the kind that each has.
_SETTINGS: dict[str, str | bool | int] = {"target": "", "num_beams": 1, "hypothesis": 0, "max_new_tokens": 1}
_DIGITS = 6  # behind the point, of numbers in JSON


class _Parsed(click.ParamType[Any]):
    name = "number"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value. Raises BadParameter with the sentence."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def whole(text: str) -> int:
    """A whole number. Raises ValueError."""
    if not re.fullmatch(r"-?\d{1,4}", text, re.ASCII):
        raise ValueError(f"{quoted(text)} is no whole number.")
    return int(text)


def from_one(text: str, what: str = "layers and heads count from 1, as on the page") -> int:
    """A number from 0, of that which was typed, from 1. Raises ValueError."""
    if (number := whole(text)) < 1:
        raise ValueError(f"{what}: there is no {number}.")
    return number - 1


def a_layer(text: str) -> int:
    """A layer, from 0; those that are negative count from the end. Raises ValueError."""
    number = whole(text)
    return number if number < 0 else from_one(text)


def some_heads(text: str) -> list[tuple[int, int]]:
    """The heads, from 0, in "3.5,2.6". Raises ValueError."""
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        layer, head = parse_head(part)
        if layer is None or not isinstance(head, int):
            raise ValueError(f"{quoted(part)} is no single head, such as 3.5 (layer 3, head 5).")
        found.append((layer, head))
    return found


def setting(text: str) -> tuple[str, str]:
    """The name and the value in "num_beams=4". Raises ValueError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{quoted(text)} sets nothing: give NAME=VALUE, such as num_beams=4.")
    return name, value


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What a shell completes itself: files and folders."""
    return [CompletionItem(incomplete, type="file")]


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models that begin so, each with its title; besides them files and folders, which may hold one."""
    found = (card for card in xv.cards() if card.name.startswith(incomplete))
    return [CompletionItem(incomplete, type="file"), *(CompletionItem(card.name, help=card.title) for card in found)]


def command(example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help ends with an example of it."""
    return click.command(epilog=ending(example))


def ending(example: str) -> str:
    """How help ends: with an example."""
    return f"\b\nExample:\n  {example}"


def out(help: str, *, required: bool = False) -> Option:
    """The option that names the file to write."""
    return parsed("-o", "--out", by=Path, metavar="FILE", required=required, help=help, shell_complete=complete_files)


def choice(name: str, among: Iterable[str], default: str | None, help: str) -> Option:
    """An option that is one of some words."""
    return click.option(name, type=click.Choice([*among]), default=default, help=help)


def parsed(*names: str, by: Callable[[str], Any], help: str, **more: Any) -> Option:
    """An option whose value a function makes of what is typed; its ValueError says what is wrong."""
    return click.option(*names, type=_Parsed(by), help=help, **more)


_MODEL = "A name from `xattn-viz models`, or a folder that holds a model"
_INPUT = "The sentence, or the sound or picture file of a model that hears or sees; - for standard input."
MODEL = click.argument("model", help=f"{_MODEL}.", shell_complete=complete_models)
INPUT = click.argument("input", help=_INPUT, shell_complete=complete_files)
#: For a command that takes a trace from a file too.
MODEL_OR_TRACE = click.argument(
    "model",
    metavar="MODEL|TRACE.npz",
    help=f"{_MODEL}; or a trace that was saved, here or by another program, which has its input already.",
    shell_complete=complete_models,
)
INPUT_OR_NONE = click.argument("input", required=False, help=_INPUT, shell_complete=complete_files)
LAYER, FIRST_LAYER = (
    parsed("--layer", by=a_layer, help=f"From 1, or from the end when negative; {which} unless given.")
    for which in ("the last", "the first")
)
HEAD = parsed("--head", by=from_one, help="From 1; the first unless given.")
SET = parsed(
    "--set",
    "settings",
    by=setting,
    help="An option of the model, as `trace` takes it in Python, such as num_beams=4; may be given again.",
    metavar="NAME=VALUE",
    multiple=True,
)
#: For a command that finds words in time.
TIMING_HEADS = parsed(
    "--heads",
    by=some_heads,
    metavar="LAYER.HEAD,…",
    help="The heads to listen to, both numbers from 1, such as 3.5,2.6; those of the method unless given.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def load(name: str) -> xv.Adapter:
    """A model. One that does not do what it should is said on stderr, and runs all the same."""
    from xattn_viz.models.base import ModelWarning

    progress = Progress("MB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)  # a warning of Python's names a line of this program
        model = xv.load(name, on_progress=lambda done, total: progress(done // 10**6, total // 10**6))
    if model.fault is not None:
        print(f"xattn-viz: {visible(model.fault)}", file=sys.stderr)
    return model


def settings_of(model: xv.Adapter, said: Said) -> dict[str, Any]:
    """The keywords of `trace` for what `--set` says. Raises ModelError for a name that the model does not have."""
    defaults = {**_SETTINGS, **{option.name: option.default for option in model.card.options}}
    settings: dict[str, Any] = {}
    for name, value in said:
        if name not in defaults:
            raise xv.ModelError(f"{model.card.title} has no option {quoted(name)}; its options: {', '.join(defaults)}.")
        settings[name] = value  # what is no number or no switch `trace` refuses, with the name
        if isinstance(defaults[name], bool) and value.lower() in ("true", "false"):
            settings[name] = value.lower() == "true"
        elif type(defaults[name]) is int and re.fullmatch(r"\d{1,9}", value, re.ASCII):
            settings[name] = int(value)
    return settings


def is_saved(model: str, input: str | None) -> bool:
    """Whether a trace in a file stands where a model can. Raises ValueError where it has an input, or a model none."""
    is_file = is_trace(model)
    if is_file == (input is not None):
        given = "A trace in a file has its input already" if is_file else "A model needs an input"
        raise ValueError(f"{given}: give a model and its input, or a file that ends in .npz.")
    return is_file


def is_trace(path: str) -> bool:
    """Whether a file is named by its ending that holds a trace, or what another program saved for one."""
    return path.lower().endswith((".npz", *(f".{ending}" for ending in files.OF_OTHERS)))


def load_saved(path: str) -> xv.Trace:
    """The trace in a file that was saved here, or what another program saved as one."""
    files.check(path)
    with Path(path).open("rb") as file:
        is_ours = path.lower().endswith(".npz") and b"_attentions" not in file.read(200)
    return xv.load_trace(path) if is_ours else xv.load_attention(path)


def traced(model: str, input: str, said: Said) -> tuple[xv.Adapter, xv.Trace]:
    """The model and the trace of its input, whose notes are told."""
    adapter = load(model)
    trace = adapter.trace(read_input(adapter, input), **settings_of(adapter, said))
    tell_notes(trace)
    return adapter, trace


def saved_or_traced(model: str, input: str | None, said: Said) -> tuple[xv.Adapter | None, xv.Trace]:
    """The trace in a file, or a model and the trace of its input."""
    return (None, load_saved(model)) if is_saved(model, input) else traced(model, input or "", said)


def read_input(model: xv.Adapter, said: str) -> Any:
    """What a model reads: the sentence or the path as it was typed, and for "-" what standard input holds."""
    if said != "-":
        return said
    return sys.stdin.buffer if model.card.input_kind != "text" else _decoded(sys.stdin.buffer.read()).rstrip("\r\n")


def read_lines(said: str) -> list[str]:
    """The lines that say something, of a file in UTF-8 or for "-" of standard input."""
    if said != "-":
        files.check(said)
    data = sys.stdin.buffer.read() if said == "-" else Path(said).read_bytes()
    return [line for line in _decoded(data, said).splitlines() if line.strip()]


def _decoded(data: bytes, name: str = "-") -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = "Standard input" if name == "-" else quoted(name)
        raise InputError(f"{where} is no text in UTF-8: byte {error.start + 1} is none of it.") from error


def file_or_input(said: str) -> Path | BinaryIO:
    """A path, or for "-" standard input."""
    return sys.stdin.buffer if said == "-" else Path(said)


def check_head(maps: AttentionMaps, layer: int, head: int) -> None:
    """Raise ValueError, with numbers from 1 as they were typed, for a layer or a head that the maps do not have."""
    if layer >= 0 and layer not in maps.layers:
        named = ", ".join(str(number + 1) for number in maps.layers)
        raise ValueError(f"There is no layer {layer + 1}: layers count from 1, and these maps hold {named}.")
    if head >= maps.n_heads:
        raise ValueError(f"There is no head {head + 1}: heads count from 1, and each layer has {maps.n_heads}.")


class Progress:
    """Tells on stderr how far a long run is: on a terminal in one line, elsewhere ten times in all, or not at all."""

    def __init__(self, what: str, *, in_pipes: bool = True) -> None:
        self._what, self._in_pipes, self._tenth = what, in_pipes, 0

    def __call__(self, done: int, count: int) -> None:
        """Say that so many of so many are done."""
        said = f"{done:,} of {count:,} {self._what}"
        tenth = done * 10 // max(count, 1)
        if count < 1:
            return
        if sys.stderr.isatty():
            print(f"\r{said}", end="\n" if done >= count else "", file=sys.stderr, flush=True)
        elif self._in_pipes and tenth > self._tenth:
            print(f"xattn-viz: {said}", file=sys.stderr, flush=True)
        self._tenth = tenth


def tell(what: str) -> None:
    """Say on stderr what is no part of the output."""
    print(f"xattn-viz: {visible(what)}", file=sys.stderr)


def tell_notes(trace: xv.Trace) -> None:
    """Say apart from the output what people should know of a run, besides a fault of its model."""
    for note in trace.notes:
        if note.about != "fault":
            tell(note.text)


def wrote(path: Path, more: str = "") -> str:
    """The line that says where something was written."""
    return f"Wrote {visible(str(path))}{more}"


def table(values: NDArray[Any]) -> list[str]:
    """Numbers `[layer, head]` as the lines of a table, layers and heads from 1."""
    lines = ["\t".join(["layer", *(f"head {head + 1}" for head in range(values.shape[1]))])]
    for layer, row in enumerate(values, start=1):
        lines.append("\t".join([str(layer), *("" if np.isnan(value) else f"{value:.3f}" for value in row)]))
    return lines


def answer(as_json: bool, said: Mapping[str, Any] | Sequence[Any], *lines: str) -> None:
    """Print lines for people, or a line of JSON in ASCII, so that no text steers a terminal; null is no number."""
    print(*([json.dumps(_plain(said), allow_nan=False)] if as_json else lines), sep="\n")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
