"""A trace for other programs and other people: JSON, CSV, NPZ, SVG and one self-contained HTML page.

Every function takes the trace and, where a format shows one map, a view of it (`core.view.View`): what is on screen,
with its title, the sentence and its output, model, date, and a caption that says what a row is (`export.shown`). It
returns what to write; `write` makes it a file, and `file_name` says what to call it. Of sound, JSON, CSV and SVG leave
the padding out, NPZ keeps it. The 24 maps of 11 s of speech take 6 MB as JSON, 19 MB as CSV, and 5 MB as NPZ (2 MB
traced without padding).
"""

from __future__ import annotations

import csv as _csv
import json as _json
import math
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis import alignment_files
from xattn_viz.core import files
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Deletion, DeletionCurve
from xattn_viz.core.maps import AttentionMaps, MapKind, frame_of
from xattn_viz.core.records import quoted
from xattn_viz.core.store import to_bytes as npz
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import View, file_name

if TYPE_CHECKING:
    from xattn_viz.analysis.compare import Comparison
    from xattn_viz.export.shown import ShownMap
    from xattn_viz.export.webpage import html

__all__ = ["FORMATS", "csv", "file_name", "html", "json", "npz", "svg", "write"]

JSON_VERSION = 2
_FORMULA = frozenset("=+-@\u2212")  # what a spreadsheet computes begins with one of these, a minus sign among them


def __getattr__(name: str) -> Any:
    """`html`, with all that a page is made of: who only asks what can be written waits for none of it."""
    if name != "html":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xattn_viz.export import webpage

    return webpage.html


def _shown(trace: Trace, view: View) -> ShownMap:
    from xattn_viz.export.shown import shown  # with all that a page is made of

    return shown(trace, view)


def write(trace: Trace | Comparison, path: str | Path, view: View | None = None) -> None:
    """Write a trace in the format that the path ends in, one of `FORMATS`; `view` as that format's function says.

    A comparison of two traces (`analysis.compare`) is written as any of them but .npz, and as .png, .pdf or .tex, as
    `figures.save` does it: its difference, and where there is room what changed.

    The file is whole or, where anything stops the writing, what it was before. Raises ValueError for another ending, as
    the format's own function does, OSError naming the path where it cannot be written.
    """
    if not isinstance(trace, Trace):
        _write_compared(trace, path, view)
        return
    files.write(path, FORMATS[check_ending(path)](trace, view))


def _write_compared(found: Comparison, path: str | Path, view: View | None) -> None:
    ending = Path(path).suffix
    if ending in (".html", ".json", ".csv", ".svg"):
        files.write(path, FORMATS[ending](found, view))
    elif ending in (".png", ".pdf", ".tex"):
        from xattn_viz.export import figures  # seldom asked for

        figures.save(found, path, view=view)
    else:
        said = ".html, .json, .csv, .svg, .png, .pdf, .tex"
        raise ValueError(f"{quoted(str(path))} ends in none of {said}, which say how to write a comparison.")


def check_ending(path: str | Path) -> str:
    """What a path ends in, one of `FORMATS`. Raises ValueError that lists them for another ending."""
    if (suffix := Path(path).suffix) not in FORMATS:
        raise ValueError(f"{quoted(str(path))} ends in none of {', '.join(FORMATS)}, which say what to write.")
    return suffix


def svg(trace: Trace | Comparison, view: View | None = None) -> str:
    """One map of a trace as a picture with labels, title, caption and a colour bar that names its scale (`plots.svg`).

    Without a view it is the first head; of a comparison it is the difference of the mean over all, with what changed in
    words. Raises ValueError for a kind, layer or head that is not there.
    """
    if not isinstance(trace, Trace):
        from xattn_viz.export import compared  # seldom asked for

        return compared.svg(compared.checked(trace), view)
    view = view or View(layer=trace.cross.layers[0])
    from xattn_viz.plots.svg import drawn

    said = _shown(trace, view)
    return drawn(
        said.selected,
        colour_map=view.colours,
        said=said.lines[1:],
        row=said.row,
        column=said.column,
        linked=said.linked,
    )


def json(trace: Trace | Comparison, view: View | None = None) -> str:
    """Weights with their labels as standard JSON in ASCII, for programs that do not read NPZ.

    Without a view it is the whole trace: an object with `format` ("xattn_viz"), `version` (2), `input` (the text; for
    sound and pictures null), `output`, `offset`, `provenance`, `notes` for people (`text`, `about`), where there are
    any `answers` (`text`, `probability`), `layers` (`module`, `grid`), `alignment_heads`, `speech`, `evidence`
    (`values` [layer][head] and, where known, `per_query` [layer][head][query], `low`, `high`; null is no number),
    `alignment` (as `alignment_files.as_json`) and `deletion` (`curves` and `random`: `name`, `order`, `fractions`,
    `log_probs`; `groups`), as in `Trace`; `steps` (`token`, `id`, `log_prob`, `forced`, `alternatives`; an impossible
    token has log_prob null) and `maps`, each of them with

    - `kind`: cross, encoder or decoder; `layers`: the model's numbers, from 0; `altered`: why rows may not sum to 1;
    - `queries`, `keys`, and `read` or null: `labels`, and where known `spans`, `words`, `special`, `times`, `grid`,
      `parts`, as in `Axis`;
    - `shape` and `weights`, nested lists [layer][head][query][key], each number as short as keeps its value.

    With a view it is the map on screen: `format`, `version`, `input`, `output`, `title`, `caption`, `selected`,
    `origin` (model and date), `view` (as an address says it, heads from 1), `linked` (the [row, column] of words that
    an alignment links), `queries`, `keys` and `weights` [query][key].

    Padding behind sound is left out: `altered` then holds "cropped", and a row's weight on padding is 1 less its sum.
    A comparison is an object of its own (`export.compared.json`). Raises ValueError for a view of a kind, layer or head
    that is not there.
    """
    if not isinstance(trace, Trace):
        from xattn_viz.export import compared

        return compared.json(compared.checked(trace), view)
    value: dict[str, Any] = {
        "format": "xattn_viz",
        "version": JSON_VERSION,
        "input": trace.input if isinstance(trace.input, str) else None,
        "output": trace.output,
    }
    if view is not None:
        said = _shown(trace, view)
        value |= {
            "title": said.title,
            "caption": said.caption,
            "selected": said.choice,
            "origin": said.origin,
            "view": said.view.format(),
            "linked": said.linked,
            "altered": said.altered,
            "queries": _axis(said.selected.queries),
            "keys": _axis(said.selected.keys),
            "weights": _shortest(said.selected.weights),
        }
        return _json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    value |= {
        "offset": trace.offset,
        "provenance": dict(trace.provenance),
        "notes": [vars(note) for note in trace.notes],
        **{name: value for name, value in _results(trace).items() if value},
        "steps": [
            {
                "token": step.token,
                "id": step.id,
                "log_prob": step.log_prob,
                "forced": step.forced,
                "alternatives": [{"token": a.token, "id": a.id, "log_prob": a.log_prob} for a in step.alternatives],
            }
            for step in trace.steps
        ],
        "maps": [_maps(maps.without_padding()) for maps in trace.maps],
    }
    return _json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def _results(trace: Trace) -> dict[str, Any]:
    return {
        "answers": [vars(answer) for answer in trace.answers],
        "layers": [vars(layer) for layer in trace.layers],
        "alignment_heads": trace.alignment_heads,
        "speech": trace.speech and vars(trace.speech),
        "evidence": [_grid(grid) for grid in trace.evidence],
        "alignment": trace.alignment and alignment_files.as_json(trace.alignment),
        "deletion": trace.deletion and _deletion(trace.deletion),
    }


def _deletion(found: Deletion) -> dict[str, Any]:
    curves = {name: [_plain(curve) for curve in getattr(found, name)] for name in ("curves", "random")}
    return {**curves, "groups": found.groups}


def _plain(curve: DeletionCurve) -> dict[str, Any]:
    return vars(curve) | {"fractions": curve.fractions.tolist(), "log_probs": curve.log_probs.tolist()}


def _grid(grid: HeadGrid) -> dict[str, Any]:
    fields = {name: value for name, value in vars(grid).items() if value is not None}
    return {name: _shortest(value) if isinstance(value, np.ndarray) else value for name, value in fields.items()}


def csv(trace: Trace | Comparison, view: View | None = None, *, kind: MapKind = "cross") -> str:
    r"""Weights as CSV, one row a weight: the columns of `AttentionMaps.to_frame`.

    Without a view they are those of all heads of one `kind`. With one they are those of the map on screen, without the
    columns `layer` and `head`, and with a column `about` more: its first cell says what this map is. Weights of 0 are
    kept. Frames of sound have their start and end in seconds, and padding is left out.

    Labels are quoted, and no spreadsheet takes one for a formula: where one begins with "=", "+", "-", "@" (full-width
    ones too), a tab or a line break, with or without blanks before it, or with an apostrophe, an apostrophe stands
    before it. Whoever wants the labels as they are takes one apostrophe off the cells that begin with one. Numbers
    stay numbers. Half a character (a lone surrogate), which UTF-8 cannot hold, stands as \ud800. Raises ValueError
    where the trace holds no map of that kind, layer or head.

    Of a comparison there are `a`, `b` and `difference` in place of the weight, empty where there is none, of all heads
    or of the map that a view means.
    """
    if not isinstance(trace, Trace):
        from xattn_viz.export import compared

        frame = compared.table(compared.checked(trace), view)
    elif view is None:
        frame = trace.of_kind(kind).without_padding().to_frame()
    else:
        said = _shown(trace, view)
        frame = frame_of(said.selected.weights, said.selected.queries, said.selected.keys)
        frame["about"] = [safe_cell(" · ".join(said.lines)), *[""] * (len(frame) - 1)]
    for column in frame.columns.intersection(["query_label", "key_label"]):
        cells = {label: safe_cell(label) for label in set(frame[column])}
        frame[column] = [cells[label] for label in frame[column]]
    return str(frame.to_csv(index=False, quoting=_csv.QUOTE_NONNUMERIC, lineterminator="\n"))


def safe_cell(label: str) -> str:
    """A text that no spreadsheet computes, and that UTF-8 can hold."""
    label = label.encode("utf-8", "backslashreplace").decode()
    first = next((c for c in label if unicodedata.category(c)[0] not in "CZ"), " ")  # what is seen, behind blanks
    acts = unicodedata.normalize("NFKC", first)[:1] in _FORMULA or label[:1] in ("\t", "\r", "\n", "'")
    return f"'{label}" if acts else label


def _maps(maps: AttentionMaps) -> dict[str, Any]:
    return {
        "kind": maps.kind,
        "layers": maps.layers,
        "altered": maps.altered,
        "queries": _axis(maps.queries),
        "keys": _axis(maps.keys),
        "read": maps.read and _axis(maps.read),
        "shape": maps.weights.shape,
        "weights": _shortest(maps.weights),
    }


def _shortest(weights: NDArray[Any]) -> Any:
    """Nested lists. Through text: 0.1 in float32 becomes 0.1 and not 0.10000000149011612, and reads back as it was."""
    return weights.astype(np.str_).astype(np.float64).tolist()


def _axis(axis: Axis) -> dict[str, Any]:
    fields = {name: value for name, value in vars(axis).items() if value is not None}
    return fields | {"labels": [axis.name(i) for i in range(len(axis))]}


def _finite(value: Any) -> Any:
    """The value with null for infinity and NaN, which standard JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


#: The functions that write each kind of file, by its ending.
FORMATS: dict[str, Callable[[Any, View | None], str | bytes]] = {
    ".html": lambda trace, view: __getattr__("html")(trace, view),
    ".npz": lambda trace, _: npz(trace),
    ".json": json,
    ".csv": csv,
    ".svg": svg,
}
