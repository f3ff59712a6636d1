"""A trace for other programs and other people: JSON, CSV, NPZ, SVG and one self-contained HTML page.

Every function takes the trace, and by keyword which of its maps, where a format shows one: `kind` of attention, `layer`
and `head` from 0. It returns what to write; `write` makes it a file. Of sound, JSON, CSV and SVG leave the padding out,
NPZ keeps it. The 24 maps of 11 s of speech take 6 MB as JSON, 19 MB as CSV, and 5 MB as NPZ (2 MB traced without
padding).
"""

from __future__ import annotations

import csv as _csv
import json as _json
import math
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from xattn_viz.core import files
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.messages import quoted
from xattn_viz.core.store import to_bytes as npz
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import Rows, Scale
from xattn_viz.export.webpage import html
from xattn_viz.plots.colours import ColourMap
from xattn_viz.plots.svg import svg as drawn

__all__ = ["FORMATS", "csv", "html", "json", "npz", "svg", "write"]

#: The endings of the files that `write` makes.
FORMATS = (".html", ".npz", ".json", ".csv", ".svg")
JSON_VERSION = 1
_FORMULA = frozenset("=+-@\u2212")  # what a spreadsheet computes begins with one of these, a minus sign among them


def write(
    trace: Trace, path: str | Path, *, kind: MapKind = "cross", layer: int | None = None, head: int | None = None
) -> None:
    """Write a trace in the format that the path ends in, one of `FORMATS`; `layer` and `head` as `html` and `svg` say.

    The file is whole or, where anything stops the writing, what it was before. Raises ValueError for another ending, as
    the format's own function does, OSError naming the path where it cannot be written.
    """
    suffix = check_ending(path)
    if suffix == ".html":
        files.write(path, html(trace, kind=kind, layer=layer, head=head))
    elif suffix == ".npz":
        files.write(path, npz(trace))
    elif suffix == ".json":
        files.write(path, json(trace))
    elif suffix == ".csv":
        files.write(path, csv(trace, kind=kind))
    else:
        head = 0 if layer is None and head is None else head
        files.write(path, svg(trace, kind=kind, layer=-1 if layer is None else layer, head=head))


def check_ending(path: str | Path) -> str:
    """What a path ends in, one of `FORMATS`. Raises ValueError that lists them for another ending."""
    if (suffix := Path(path).suffix) not in FORMATS:
        raise ValueError(f"{quoted(str(path))} ends in none of {', '.join(FORMATS)}, which say what to write.")
    return suffix


def svg(
    trace: Trace,
    *,
    kind: MapKind = "cross",
    layer: int = -1,
    head: int | None = 0,
    rows: Rows = "predicted",
    scale: Scale = "head",
    colour_map: ColourMap = "magma",
) -> str:
    """One head of a trace as a picture with labels, title and a colour bar that names its scale (`plots.svg`).

    `head=None` is the mean over the layer's heads. Raises ValueError for a kind, layer, head or option that is not
    there.
    """
    maps = trace.of_kind(kind)
    return drawn(maps, layer, head, rows=rows, scale=scale, colour_map=colour_map)


def json(trace: Trace) -> str:
    """The weights with their labels as standard JSON in ASCII, for programs that do not read NPZ.

    An object with `format` ("xattn_viz"), `version` (1), `input` (the text; for sound and pictures null), `output`,
    `offset`, `provenance`, `steps` (`token`, `id`, `log_prob`, `forced`, `alternatives`; an impossible token has
    log_prob null) and `maps`, each of them with

    - `kind`: cross, encoder or decoder; `layers`: the model's numbers, from 0; `altered`: why rows may not sum to 1;
    - `queries`, `keys`, and `read` or null: `labels`, and where known `spans`, `words`, `special`, `times`, `grid`,
      `parts`, as in `Axis`;
    - `shape` and `weights`, nested lists [layer][head][query][key], each number as short as keeps its value.

    Padding behind sound is left out: `altered` then holds "cropped", and a row's weight on padding is 1 less its sum.
    """
    value = {
        "format": "xattn_viz",
        "version": JSON_VERSION,
        "input": trace.input if isinstance(trace.input, str) else None,
        "output": trace.output,
        "offset": trace.offset,
        "provenance": dict(trace.provenance),
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


def csv(trace: Trace, *, kind: MapKind = "cross") -> str:
    r"""The weights of one kind of map as CSV, one row a weight: the columns of `AttentionMaps.to_frame`.

    Weights of 0 are kept. Frames of sound have their start and end in seconds, and padding is left out.

    Labels are quoted, and no spreadsheet takes one for a formula: where one begins with "=", "+", "-", "@" (full-width
    ones too), a tab or a line break, with or without blanks before it, or with an apostrophe, an apostrophe stands
    before it. Whoever wants the labels as they are takes one apostrophe off the cells that begin with one. Numbers
    stay numbers. Half a character (a lone surrogate), which UTF-8 cannot hold, stands as \ud800. Raises ValueError
    where the trace holds no map of that kind.
    """
    maps = trace.of_kind(kind).without_padding()
    frame = maps.to_frame()
    for column in frame.columns.intersection(["query_label", "key_label"]):
        cells = {label: _cell(label) for label in set(frame[column])}
        frame[column] = [cells[label] for label in frame[column]]
    return str(frame.to_csv(index=False, quoting=_csv.QUOTE_NONNUMERIC, lineterminator="\n"))


def _cell(label: str) -> str:
    """A text that no spreadsheet computes, and that UTF-8 can hold."""
    label = label.encode("utf-8", "backslashreplace").decode()
    first = next((c for c in label if unicodedata.category(c)[0] not in "CZ"), " ")  # what is seen, behind blanks
    acts = unicodedata.normalize("NFKC", first)[:1] in _FORMULA or label[:1] in ("\t", "\r", "\n", "'")
    return f"'{label}" if acts else label


def _maps(maps: AttentionMaps) -> dict[str, Any]:
    # Through text: 0.1 in float32 becomes 0.1 and not 0.10000000149011612, and reads back as the same float32.
    shortest = maps.weights.astype(np.str_).astype(np.float64)
    return {
        "kind": maps.kind,
        "layers": maps.layers,
        "altered": maps.altered,
        "queries": _axis(maps.queries),
        "keys": _axis(maps.keys),
        "read": maps.read and _axis(maps.read),
        "shape": maps.weights.shape,
        "weights": shortest.tolist(),
    }


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
