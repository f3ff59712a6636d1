"""A trace for other programs and other people: JSON, CSV, NPZ, SVG and one self-contained HTML page.

Every function returns what to write and writes nothing itself. Of sound, JSON, CSV and SVG leave the padding out, NPZ
keeps it. The 24 maps of 11 s of speech take 6 MB as JSON, 19 MB as CSV, and 5 MB as NPZ (2 MB traced without padding).
"""

from __future__ import annotations

import json as _json
import math
from typing import Any

import numpy as np

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps, MapKind
from xattn_viz.picture import svg
from xattn_viz.store import to_bytes as npz
from xattn_viz.trace import Trace
from xattn_viz.webpage import html

__all__ = ["csv", "html", "json", "npz", "svg"]

JSON_VERSION = 1


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


def csv(trace: Trace, kind: MapKind = "cross") -> str:
    """The weights of one kind of map as CSV, one row a weight: the columns of `AttentionMaps.to_frame`.

    Weights of 0 are kept. Frames of sound have their start and end in seconds, and padding is left out.

    Labels stand as they are, quoted; a spreadsheet should import those columns as text, since it may take a token that
    begins with "=" for a formula. Raises ValueError where the trace holds no map of that kind.
    """
    import csv as _csv  # here, because this function has its name

    frame = trace.of_kind(kind).without_padding().to_frame()
    return str(frame.to_csv(index=False, quoting=_csv.QUOTE_NONNUMERIC, lineterminator="\n"))


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
