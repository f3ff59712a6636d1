"""A trace packed into bytes for the explorer: a JSON header and uint8 weights, small on the wire.

Layout: u32 header length (little-endian), the header as UTF-8 JSON padded with blanks to 4 bytes, then data. Offsets
in the header count from the start of the data. A trace is packed as sheets, one a kind of attention; where a second
output of the same source is shown beside it, that one's cross-attention is a sheet more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Step, Trace, probability
from xattn_viz.core.view import all_steps
from xattn_viz.web.explorer import alignment
from xattn_viz.web.explorer.axes import Axes, sentence_spans
from xattn_viz.web.explorer.data import Data
from xattn_viz.web.explorer.hearing import Hearing, pack_sound
from xattn_viz.web.explorer.seeing import pack_pictures
from xattn_viz.web.explorer.sheets import Limits, sheet

#: Up to this many bytes every map of a sheet is sent in full; above, its overview is pooled and one layer is sent at a
#: time.
FULL_LIMIT = 4_000_000
#: The same for a map whose keys are frames of sound, many of which look alike.
HEARD_LIMIT = 200_000
#: Up to this many bytes the exact weights, queries and keys of a sheet are sent too.
EXACT_LIMIT = 1_000_000

_ORDER: tuple[MapKind, ...] = ("cross", "encoder", "decoder")


def pack(
    trace: Trace,
    *,
    select: Mapping[str, Any] | None = None,
    layer: int | None = None,
    kind: MapKind = "cross",
    beside: Trace | None = None,
    name: str = "A",
    beside_name: str = "B",
    growing: bool = False,
    hearing: Hearing | None = None,
    full_limit: int | None = FULL_LIMIT,
    exact_limit: int = EXACT_LIMIT,
) -> bytes:
    """The bytes that the explorer's script reads: every map of the trace, its cross-attention first.

    `select` is what to show at first (`map`: "encoder"; `head`: "2.1" is layer 2, head 1 counted from 1; `row`: a
    position). `layer` of `kind` is the layer sent in full where the whole of a sheet would exceed `full_limit` bytes
    (None: no limit); of other such sheets only the overview is sent. `beside` is another output of the same source,
    which is shown beside this one, by the names `name` and `beside_name`. `growing` says that the output is not
    complete yet. `hearing` is the sound of the trace to be played, and its words in time. Raises ValueError for a layer
    that is not there, for a `beside` with another source and for a `hearing` of another trace.
    """
    if beside is not None:
        _check_beside(trace, beside)
    texts = (trace.input, trace.output, beside.output if beside else "")
    axes = Axes(sentences=any(isinstance(text, str) and len(sentence_spans(text)) > 1 for text in texts))
    data = Data()

    def packed(maps: AttentionMaps, whose: Trace) -> dict[str, Any]:
        chosen = None
        if maps.kind == kind:
            chosen = maps.layers[maps.layer_index(layer if layer is not None else -1)]
        rows = whose.input if maps.kind == "encoder" else whose.output
        columns = whose.output if maps.kind == "decoder" else whose.input
        limit = full_limit
        if limit is not None and maps.keys.kind == "audio":
            limit = min(limit, HEARD_LIMIT)
        return sheet(maps, (rows, columns), axes, data, Limits(limit, exact_limit, chosen))

    sheets = [packed(maps, trace) for maps in sorted(all_steps(trace), key=lambda maps: _ORDER.index(maps.kind))]
    other = packed(beside.cross, beside) if beside is not None else None
    header = {
        "version": 2,
        "id": identity(trace),
        "axes": axes.packed,
        "sheets": sheets,
        "steps": [_step(step) for step in trace.steps],
        "select": dict(select or {}),
    }
    if growing:
        header["growing"] = True
    if beside is not None and other is not None:
        header["beside"] = {
            "id": identity(beside),
            "names": [visible(name), visible(beside_name)],
            "sheet": other,
            "steps": [_step(step) for step in beside.steps],
            "pairs": {
                rows: alignment.by_units(axes, sheets[0][field], other[field])
                for rows, field in (("predicted", "queries"), ("input", "read"))
                if sheets[0][field] is not None and other[field] is not None
            },
        }
    header |= pack_pictures(trace, axes, data, full_limit)
    sound = pack_sound(trace, hearing, data)
    if sound is not None:
        header["sound"] = sound
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + data.joined()


def identity(trace: Trace) -> str:
    """A digest that tells one trace from another, so that the script knows when what it shows has changed."""
    digest = hashlib.sha256(np.ascontiguousarray(trace.cross.weights).data)
    digest.update(repr((trace.input, trace.output)).encode())
    return digest.hexdigest()[:16]


def _check_beside(trace: Trace, beside: Trace) -> None:
    ours, theirs = trace.cross, beside.cross
    if (ours.layers, ours.n_heads) != (theirs.layers, theirs.n_heads):
        raise ValueError(
            f"Two outputs stand beside each other only where one model wrote both: here are {len(ours.layers)} layers "
            f"of {ours.n_heads} heads and {len(theirs.layers)} layers of {theirs.n_heads} heads."
        )
    if ours.keys != theirs.keys:
        raise ValueError(
            f"Two outputs stand beside each other only where they have the same source: here are {len(ours.keys)} "
            f"tokens and {len(theirs.keys)} others."
        )


def _step(step: Step) -> dict[str, Any]:
    alternatives = [[visible(other.token), probability(other.log_prob), other.id] for other in step.alternatives]
    return {
        "token": visible(step.token),
        "id": step.id,
        "p": probability(step.log_prob),
        "alternatives": alternatives,
        "forced": step.forced,
    }
