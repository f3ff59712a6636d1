"""Many texts, recordings or pictures: each trace goes to a file once it is made, so memory does not grow with them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xattn_viz.core import files, store
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter

_KEY = "line_sha256"
#: Of sound: the sha256 of the file of each further window. The first window's file says so, and is written last.
_FURTHER = "window_sha256"
# A window's file, or with a dot before it the part of any file of a line.
_LEFT = re.compile(r"(?P<stem>\d{6,})-\d+\.npz|\.(?P<of>\d{6,})(-\d+)?\.npz\.\w+" + re.escape(files.PART))
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

    Started again with the same lines, model and settings, it leaves what is done and goes on where it stopped. A line
    is done when all of its files are there and whole; of any other what is left is removed, and it is traced anew, so
    let no two runs share a folder. Raises ValueError where the folder holds the trace of another line, of another model
    or with other settings, or another program's file under the name of a line's; OSError naming a file that cannot be
    read or written. Files are whole at any moment, whatever stops the run (`files.write`).
    """
    adapter = registry.load(model) if isinstance(model, str) else model
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    left = _leftovers(folder)
    traced = found = 0
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        file: Path | None = folder / f"{number:06}.npz"
        try:
            fresh = _write(line, adapter, folder / f"{number:06}.npz", settings, left)
        except InputError as error:
            problems.append((number, str(error)))
            file = None
        else:
            traced, found = traced + fresh, found + (not fresh)
        if on_line is not None:
            on_line(number, file)
    return Outcome(traced, found, tuple(problems))


def _write(
    line: str | Path, adapter: Adapter, file: Path, settings: dict[str, Any], left: dict[str, list[Path]]
) -> bool:
    """Make sure that a line's files are there; False where an earlier run made them."""
    key = _key(line, adapter, settings)
    done = _done(file, key, has_windows=_has_windows(adapter))
    if done is None:
        file.unlink(missing_ok=True)  # first: without it the others are leftovers, whatever happens now
    for path in left.get(file.stem, ()):
        if path not in (done or ()):
            path.unlink(missing_ok=True)
    if done is None:
        _trace(line, adapter, file, settings, key)
    return done is None


def _trace(line: str | Path, adapter: Adapter, file: Path, settings: dict[str, Any], key: str) -> None:
    """Trace a line and write its files; none of them where it cannot be traced."""
    first: Trace | None = None
    further: list[str] = []
    try:
        for window, trace in enumerate(_traces(line, adapter, settings)):
            said = {**trace.provenance, _KEY: key}
            if (named := _NAMED.get(adapter.card.input_kind)) is not None:
                said[named] = Path(line).name
            trace = replace(trace, provenance=said)
            if first is None:
                first = trace
            else:
                store.save(trace, _window(file, window))
                further.append(_digest(_window(file, window)))
    except InputError:
        for window in range(1, len(further) + 1):
            _window(file, window).unlink()
        raise
    if first is None:
        raise InputError("This line gave no trace.")
    if _has_windows(adapter):
        first = replace(first, provenance={**first.provenance, _FURTHER: further})
    store.save(first, file)  # last: where it is there and names the others as they are, the line is done


def _done(file: Path, key: str, *, has_windows: bool) -> list[Path] | None:
    """The further windows of a line all of whose files are there and whole; None where they are not.

    Raises ValueError where the file is of something else.
    """
    if not file.exists():
        return None
    try:
        said = store.load_trace(file).provenance
    except ValueError as error:
        if store.is_damaged(file):
            return None
        raise ValueError(f"{file} is in the way, choose an empty folder: {error}") from error
    if said.get(_KEY) != key:
        raise ValueError(
            f"{file} is the trace of another line, of another model or with other settings: choose an empty folder."
        )
    digests = said.get(_FURTHER) if has_windows else []
    if not isinstance(digests, list):
        return None
    further = [_window(file, number) for number in range(1, len(digests) + 1)]
    whole = all(path.exists() and _digest(path) == digest for path, digest in zip(further, digests, strict=True))
    return further if whole else None


def _window(file: Path, number: int) -> Path:
    """The file of a window, from 0, of the line whose first file is `file`."""
    return file.with_stem(f"{file.stem}-{number}") if number else file


def _leftovers(folder: Path) -> dict[str, list[Path]]:
    """Further windows, and parts that runs which were killed left, by the stem of a line's first file."""
    left: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if said := _LEFT.fullmatch(path.name):
            left.setdefault(said["stem"] or said["of"], []).append(path)
    return left


def _traces(line: str | Path, adapter: Adapter, settings: dict[str, Any]) -> Iterator[Trace]:
    if _has_windows(adapter):
        yield from adapter.traces(line, **settings)
    else:
        yield adapter.trace(line, **settings)


def _has_windows(adapter: Adapter) -> bool:
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
