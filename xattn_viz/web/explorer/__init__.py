"""The canvas explorer: a trace packed into the bytes that its script draws, for the app and the export alike.

Layout: u32 header length (little-endian), the header as UTF-8 JSON padded with blanks to 4 bytes, then data. Offsets
in the header count from the start of the data. A trace is packed as sheets, one a kind of attention; where a second
trace is shown beside it (`beside.py`), its sheets of those kinds follow, with its own sound and pictures. Pixels are
sent as they are, red, green and blue, so that the script needs no decoder and paints them at once; large pictures are
sent smaller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import chain, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.analysis.head_measures import Surprise, head_names, map_grids, surprises
from xattn_viz.analysis.word_units import linked_cells, links_caption
from xattn_viz.core import view
from xattn_viz.core.evidence import Alignment
from xattn_viz.core.maps import METHODS, AttentionMaps, MapKind
from xattn_viz.core.tokens import visible, visible_text
from xattn_viz.core.trace import HeadGrid, Hypothesis, Step, Trace, probability
from xattn_viz.core.view import all_steps
from xattn_viz.web.explorer.sheets import Axes, Data, Limits, sentence_spans, sheet
from xattn_viz.web.explorer.sound import Playback, pack_sound

#: Up to this many bytes every map of a sheet is sent in full; above, its overview is pooled and one layer is sent at a
#: time.
FULL_LIMIT = 4_000_000
#: The same for a map whose keys are frames of sound, many of which look alike.
SOUND_LIMIT = 200_000
#: Up to this many bytes the exact weights, queries and keys of a sheet are sent too.
EXACT_LIMIT = 1_000_000
#: The largest side of a picture that is sent, in pixels.
SIDE = 640
#: The most bytes that the pictures after the denoising steps take together.
STEPS_BYTES = 2_000_000
#: The most characters of a text that a file of a map says.
LONGEST = 240

#: Up to this many weights a map is measured for the overview (`map_grids`), which takes 13 ms then and 0.3 ms usually.
MEASURED_LIMIT = 2_000_000

#: JSON has no infinity.
_LEAST = -1e9

_ORDER: tuple[MapKind, ...] = ("cross", "text-to-image", "concepts", "encoder", "decoder", *METHODS)


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
    unlinked: str = "",
    is_final: bool = False,
    languages: tuple[str, str] = ("", ""),
    small: Mapping[str, Any] | None = None,
    playback: Playback | None = None,
    beside_playback: Playback | None = None,
    full_limit: int | None = FULL_LIMIT,
    exact_limit: int = EXACT_LIMIT,
    means: bool = True,
) -> bytes:
    """The bytes that the explorer's script reads: every map of the trace, its cross-attention first.

    `select` is what to show at first (`map`: "encoder"; `head`: "2.1" is layer 2, head 1 counted from 1; `row`: a
    position). `layer` of `kind` is the layer sent in full where the whole of a sheet would exceed `full_limit` bytes
    (None: no limit); of other such sheets only the overview is sent. `beside` is another trace, of the same source or
    another, by the same model or another, which is shown beside this one by the names `name` and `beside_name`, with
    its own sound (`beside_playback`) or pictures; every kind of attention that both hold is compared.
    `growing` says that the output is not complete yet. `unlinked` is a sentence that says why no link can show this,
    where none can, and `is_final` says that no other output can be asked for. `languages` are the names of what is read
    and what is written, "" where they are not known. `small` makes it one of several on a page: it shows sentences, a
    map and the `parts` named ("heads", "steps", "cell"), begins with what `state` says besides (`lines`, `checked`),
    and leaves the address alone. `playback` is the sound of the trace to be played, and its words in time. Without
    `means` the script makes the maps of means over heads (`Limits`), but not those over a picture, which are finer.
    Raises ValueError for a layer that is not there and for a playback of another trace, InputError for a `beside` that
    has nothing to compare (`analysis.compare`).
    """
    if beside is not None:
        from xattn_viz.web.explorer import beside as second  # nobody who compares nothing waits for it

        second.check_beside(trace, beside)
    texts = (trace.input, trace.output, *((beside.input, beside.output) if beside else ()))
    axes = Axes(sentences=any(isinstance(text, str) and len(sentence_spans(text)) > 1 for text in texts))
    data = Data()

    measured: list[HeadGrid] = []

    def packed(maps: AttentionMaps, whose: Trace) -> dict[str, Any]:
        chosen = None
        if maps.kind == kind:
            is_there = layer is not None and (whose is trace or layer in maps.layers)
            chosen = maps.layers[maps.layer_index(layer if is_there and layer is not None else -1)]
        rows = whose.input if maps.kind in ("encoder", "text-to-image") else whose.output
        columns = whose.output if maps.kind in ("decoder", "text-to-image") else whose.input
        limit = full_limit
        if limit is not None and maps.keys.kind == "audio":
            limit = min(limit, SOUND_LIMIT)
        has_means = means or maps.keys.grid is not None or maps.queries.grid is not None
        packed = sheet(maps, (rows, columns), axes, data, Limits(limit, exact_limit, chosen, has_means))
        grids = _grids(maps, whose, is_complete=not growing)
        if whose is trace and maps.kind == "cross":
            measured.extend(chain(*grids))
        return packed | _measured(maps.kind, *grids)

    sheets = [packed(maps, trace) for maps in _in_order(trace)]
    header = {
        "version": 2,
        "id": identity(trace),
        "about": about(trace),
        "axes": axes.packed,
        "sheets": sheets,
        "steps": [_step(step) for step in trace.steps],
        "select": dict(select or {}),
    }
    said = {
        "growing": growing,
        "unlinked": unlinked,
        "final": is_final,
        "languages": [visible(language) for language in languages] if any(languages) else None,
        "small": small,
    } | ({} if growing else _of_a_whole_trace(trace, measured))
    header |= {name: value for name, value in said.items() if value}
    if beside is not None:
        ours = {sheet["kind"]: sheet for sheet in sheets}
        theirs = [packed(maps, beside) for maps in _in_order(beside) if maps.kind in ours]
        header["beside"] = {
            "names": [visible(name), visible(beside_name)],
            "id": identity(beside),
            "about": about(beside),
            "steps": [_step(step) for step in beside.steps],
            "sheets": [each | second.counterparts(ours[each["kind"]], each, axes) for each in theirs],
            **second.common_units(trace, beside),
            **(
                {}
                if second.is_of_one_input(trace, beside)
                else _read_or_drawn(beside, beside_playback, axes, data, full_limit)
            ),
        }
    header |= _read_or_drawn(trace, playback, axes, data, full_limit)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + data.joined()


def seldom_used(packed: bytes) -> frozenset[str]:
    """Which of the parts that few traces need (`web.SELDOM`) these packed bytes need, of a trace or of a story."""
    start = 4 + int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4:start])
    if "story" in header:
        parts = (seldom_used(packed[start + begin : start + end]) for begin, end in header["parts"])
        return frozenset({"story"}).union(*parts)
    has = {
        "beams": "beams" in header,
        "comparison": "beside" in header,
        "picture": "picture" in header or any("grid" in axis for axis in header["axes"]),
        "steps": any(whose["steps"] for whose in (header, header.get("beside")) if whose),
        "sound": "sound" in header or any("edges" in axis for axis in header["axes"]),
    }
    return frozenset(part for part, is_needed in has.items() if is_needed)


def _read_or_drawn(
    trace: Trace, playback: Playback | None, axes: Axes, data: Data, limit: int | None
) -> dict[str, Any]:
    """What the maps of a trace lie over: its pictures, or its sound to be seen and played."""
    found = pack_pictures(trace, axes, data, limit)
    if trace.cross.keys.kind == "audio" and trace.cross.keys.times is not None:
        found["sound"] = pack_sound(trace, playback, data)
    return found


def _in_order(trace: Trace) -> list[AttentionMaps]:
    """Its maps without those of single denoising steps, cross-attention first."""
    return sorted(all_steps(trace), key=lambda maps: _ORDER.index(maps.kind))


def _of_a_whole_trace(trace: Trace, measured: list[HeadGrid]) -> dict[str, Any]:
    """What is known where the output is complete: surprises, the outputs of a search, and the words that are linked.

    `measured` are the numbers about the heads of its cross-attention.
    """
    of_heads = () if trace.cross.title else surprises(trace, measured)
    found: dict[str, Any] = {"surprises": [_surprise(one) for one in of_heads]}
    found |= {"beams": _beams(trace)} if trace.hypotheses else {}
    return found | ({} if trace.alignment is None else {"links": _links(trace.alignment, trace.cross)})


def _links(alignment: Alignment, maps: AttentionMaps) -> dict[str, Any]:
    """The cells `[row, column]` of linked words by what names the rows, and what is said of them."""
    rows = {"predicted": maps.queries} | ({} if maps.read is None else {"input": maps.read})
    cells = {name: linked_cells(alignment, axis, maps.keys) for name, axis in rows.items()}
    return {"cells": cells, "said": visible(links_caption(alignment))}


def identity(trace: Trace) -> str:
    """A digest that tells one trace from another, so that the script knows when what it shows has changed."""
    digest = hashlib.sha256(np.ascontiguousarray(trace.cross.weights).data)
    digest.update(repr((trace.input, trace.output)).encode())
    return digest.hexdigest()[:16]


def about(trace: Trace) -> dict[str, str]:
    """What a file of one of its maps says of a trace: how its name begins (`stem`), the texts (`pair`), the `model`."""
    texts = [visible_text(text) for text in (trace.input, trace.output) if isinstance(text, str) and text.strip()]
    return {
        "stem": view.file_stem(trace),
        "pair": " → ".join(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in texts),
        "model": visible(trace.model) if trace.model else "",
    }


def _grids(maps: AttentionMaps, trace: Trace, *, is_complete: bool) -> tuple[list[HeadGrid], list[HeadGrid]]:
    """What is known of each head of a sheet: the evidence that the trace keeps, and what the map says by itself.

    The latter where it takes no time.
    """
    kept = [
        grid
        for grid in trace.evidence
        if (grid.kind, grid.layers, grid.values.shape[1]) == (maps.kind, maps.layers, maps.n_heads)
    ]
    known = {grid.name for grid in kept}
    is_quick = is_complete and maps.weights.size <= MEASURED_LIMIT and not maps.is_whole_model
    return kept, [grid for grid in map_grids(maps) if grid.name not in known] if is_quick else []


def _measured(kind: MapKind, kept: list[HeadGrid], own: list[HeadGrid]) -> dict[str, Any]:
    """`grids` of numbers `[layer, head]`; `names` by "layer.head", from 1, each with whether evidence carries it."""
    sure = head_names(kept, kind)
    names = {
        view.head_key(*at): [visible(name.text), at in sure] for at, name in head_names([*kept, *own], kind).items()
    }
    return {"grids": [_grid(grid) for grid in [*kept, *own]], "names": names}


def _surprise(one: Surprise) -> dict[str, Any]:
    head = None if one.layer is None else view.head_key(one.layer, one.head)
    return {"title": one.title, "says": one.says, "head": head, "row": one.query, "column": one.key}


def _grid(grid: HeadGrid) -> dict[str, Any]:
    said = {"name": grid.name, "unit": grid.unit}
    numbers = {"values": grid.values, "low": grid.low, "high": grid.high}
    return (
        said
        | {name: visible(text) for name, text in (("title", grid.title), ("method", grid.method))}
        | {name: _rounded(array) for name, array in numbers.items() if array is not None}
    )


def _rounded(array: NDArray[np.float32]) -> list[list[float | None]]:
    """Four digits of each number; null for none."""
    return [[None if np.isnan(value) else float(f"{value:.4g}") for value in row] for row in array.tolist()]


def _step(step: Step) -> dict[str, Any]:
    alternatives = [[visible(other.token), probability(other.log_prob), other.id] for other in step.alternatives]
    return {
        "token": visible(step.token),
        "id": step.id,
        "p": probability(step.log_prob),
        "alternatives": alternatives,
        "forced": step.forced,
    }


def _beams(trace: Trace) -> dict[str, Any]:
    """All outputs that the search kept, the best first, and the place of the trace's own among them (`shown`).

    Outputs are told apart token by token, `ids`; of a file that kept no tokens, word by word. What the model always
    begins with says nothing and is left out.
    """
    own = Hypothesis(
        trace.output,
        sum(step.log_prob for step in trace.steps if not step.forced),
        tuple(step.token for step in trace.steps),
        tuple(step.id for step in trace.steps),
    )
    asked = trace.settings.get("hypothesis", 0)
    shown = min(asked, len(trace.hypotheses)) if type(asked) is int and asked > 0 else 0
    outputs = [*trace.hypotheses[:shown], own, *trace.hypotheses[shown:]]
    has_tokens = all(len(one.tokens) == len(one.ids) > 0 for one in outputs)
    special = trace.cross.queries.is_special
    start = sum(1 for _ in takewhile(bool, (step.forced and special[i] for i, step in enumerate(trace.steps))))
    return {
        "shown": shown,
        "outputs": [
            {
                "tokens": [visible(token) for token in (one.tokens[start:] if has_tokens else one.text.split())],
                "ids": list(one.ids[start:]) if has_tokens else [visible(word) for word in one.text.split()],
                "log_prob": min(max(one.log_prob, _LEAST), 0.0),
            }
            for one in outputs
        ],
    }


def pack_pictures(trace: Trace, axes: Axes, data: Data, limit: int | None) -> dict[str, Any]:
    """The header's part about pictures: `picture`, the one that the patches lie in, and what was drawn step by step.

    `drawn` holds a picture a denoising step. `noise` holds the maps of the steps, in their order, heads only: of maps
    that would take more than `limit` bytes (None: no limit) none is sent. `modules` says of each layer which module
    it is and on which grid it works itself, where the trace knows. Nothing where the trace has no picture.
    """
    if trace.picture is None:
        return {}
    packed: dict[str, Any] = {"picture": _picture(trace.picture, SIDE, data)}
    if trace.layers:
        packed["modules"] = [[visible(layer.module), *layer.grid] for layer in trace.layers]
    if len(trace.pictures) > 1:
        height, width = trace.picture.shape[:2]
        most = (STEPS_BYTES / len(trace.pictures) / 3 * max(width, height) / min(width, height)) ** 0.5
        packed["drawn"] = [_picture(picture, min(SIDE, int(most)), data) for picture in trace.pictures]
    chosen = {id(maps) for maps in all_steps(trace)}
    single = sorted((maps for maps in trace.maps if id(maps) not in chosen), key=lambda maps: maps.step or 0)
    if single and (limit is None or sum(maps.weights.size for maps in single) <= limit):
        whole = Limits(None, 0, None, means=False)
        texts = (trace.output, trace.input)  # of the rows and of the columns
        packed["noise"] = [
            sheet(maps, texts[::-1] if maps.kind == "text-to-image" else texts, axes, data, whole) | {"step": maps.step}
            for maps in single
        ]
    return packed


def _picture(pixels: NDArray[np.uint8], side: int, data: Data) -> dict[str, int]:
    """A picture `[row, column, 3]`, averaged down until neither side is longer than `side`."""
    smaller = -(-max(pixels.shape[:2]) // max(side, 1))
    if smaller > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce(smaller))
    return {"at": data.add(pixels), "width": pixels.shape[1], "height": pixels.shape[0]}
