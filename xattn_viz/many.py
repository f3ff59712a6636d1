"""Many texts, recordings or pictures: each trace goes to a file once it is made, so memory does not grow with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, InputError
from xattn_viz.store import load_trace, save
from xattn_viz.trace import Trace

_KEY = "line_sha256"
#: Where a trace's provenance names the file that a line is the path of, by what the model reads.
_NAMED = {"audio": "recording", "image": "picture"}


@dataclass(frozen=True)
class Outcome:
    """What `trace_many` did: how many lines it traced, how many it found done, and (line, sentence) for the others."""

    traced: int
    found: int
    problems: tuple[tuple[int, str], ...] = ()


def trace_many(
    lines: Iterable[str | Path],
    model: Adapter | str,
    out: str | Path,
    *,
    on_line: Callable[[int, Path | None], object] | None = None,
    **settings: Any,
) -> Outcome:
    """Trace each line and write it to `out`/000000.npz, 000001.npz, …, for `load_trace` to read.

    For a model of speech a line is the path of a sound file. A recording longer than a window of the model has a file a
    window: 000000.npz, 000000-1.npz, …, with times in the whole; `provenance["recording"]` is the name of its file.
    For a model that reads pictures a line is the path of one, and `provenance["picture"]` its name.

    `lines` may be endless or larger than memory: one line at a time is held. `model` is a name as `load` takes it, or
    a loaded model; `settings` are those of its `trace`. `on_line` is called after each line with its number, from 0,
    and its (first) file; None for a line that cannot be traced (an empty one, say), which becomes a problem of the
    outcome.

    Started again with the same lines, model and settings, it leaves what is done and goes on where it stopped. Raises
    ValueError where the folder holds the trace of another line, of another model or with other settings.
    """
    adapter = registry.load(model) if isinstance(model, str) else model
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    traced = found = 0
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        file: Path | None = folder / f"{number:06}.npz"
        try:
            fresh = _write(line, adapter, folder / f"{number:06}.npz", settings)
        except InputError as error:
            problems.append((number, str(error)))
            file = None
        else:
            traced, found = traced + fresh, found + (not fresh)
        if on_line is not None:
            on_line(number, file)
    return Outcome(traced, found, tuple(problems))


def _write(line: str | Path, adapter: Adapter, file: Path, settings: dict[str, Any]) -> bool:
    """Make sure that a line's file is there; False where an earlier run made it."""
    key = _key(line, adapter, settings)
    if file.exists():
        if load_trace(file).provenance.get(_KEY) != key:
            raise ValueError(
                f"{file} is the trace of another line, of another model or with other settings: choose an empty folder."
            )
        return False
    part = file.with_suffix(".part")
    for window, trace in enumerate(_traces(line, adapter, settings)):
        said = {**trace.provenance, _KEY: key}
        if (named := _NAMED.get(adapter.card.input_kind)) is not None:
            said[named] = Path(line).name
        path = part if window == 0 else file.with_stem(f"{file.stem}-{window}")
        save(replace(trace, provenance=said), path)
    part.replace(file)  # at once and last: where it is there, the line is done
    return True


def _traces(line: str | Path, adapter: Adapter, settings: dict[str, Any]) -> Iterator[Trace]:
    if _hears(adapter):
        yield from adapter.traces(line, **settings)
    else:
        yield adapter.trace(line, **settings)


def _hears(adapter: Adapter) -> bool:
    return adapter.card.input_kind == "audio"


def _key(line: str | Path, adapter: Adapter, settings: dict[str, Any]) -> str:
    """What makes a line's trace: the text as given, or what the file holds, the model, and the settings."""
    lasting = {name: value for name, value in settings.items() if not callable(value)}  # on_step changes no trace
    source = _digest(line) if adapter.card.input_kind in _NAMED else line
    made_of = json.dumps([source, adapter.card.name, lasting], sort_keys=True, default=str)
    return hashlib.sha256(made_of.encode("utf-8", "surrogatepass")).hexdigest()


def _digest(file: str | Path) -> str:
    try:
        with Path(file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
