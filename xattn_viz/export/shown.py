"""The map on screen for a file: its weights between what rows and columns stand for, and what every file says of it.

Everything here is a function of a trace and a view (`core.view.View`), as the explorer's script is (`save.js`): both
say the same words, and a test compares them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.word_units import linked_cells, links_caption
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import METHODS, Alteration, AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import SelectedMap, View, axis_titles, head_title, kind_title, one_map, select, whole_title
from xattn_viz.web.explorer import about
from xattn_viz.web.explorer.sheets import sentence_indices

#: What is said below a map that shows no attention weights.
SHARES = "No attention weights: each row’s shares of what the method found."


@dataclass(frozen=True, eq=False)
class ShownMap:
    """One map as it is on screen, and its words.

    `view` is what was looked at, its layer and head as they are counted; `selected` holds the weights
    `[row, column]` with what a drawing of them needs. `pair` is the sentence and its output, `caption` what rows,
    columns and units are. `row` and `column` are the chosen ones, None where the map has none; `choice` says them with
    their weight. `origin` is the model and the day; `altered` says of the trace's maps why rows may not sum to 1.
    `linked` are the cells (row, column) between words that the alignment of the trace links, where the view shows them.
    """

    view: View
    selected: SelectedMap
    pair: str
    caption: str
    row: int | None
    column: int | None
    choice: str
    origin: str
    altered: tuple[Alteration, ...]
    linked: tuple[tuple[int, int], ...]

    @property
    def title(self) -> str:
        """What map it is, with its layer and head from 1."""
        return self.selected.title

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is said of it, in order."""
        return tuple(filter(None, (self.title, self.pair, self.caption, self.choice, self.origin)))


def shown(trace: Trace, view: View, *, date: datetime.date | None = None) -> ShownMap:
    """The map of a trace that a view means. `date` is that of the file, today where it is None.

    Raises ValueError for a kind, layer or head that the trace does not hold: `View.on` gives the nearest one.
    """
    maps = trace.of_kind(view.kind) if view.noise is None else view.maps(trace)
    view, one = one_map(maps, view)
    is_read = view.rows == "input" and one.read is not None
    one = (one.by_input_token() if is_read else one).without_padding()
    weights, queries, keys = _between_units(trace, one, view.units)
    own_rows, own_columns = np.flatnonzero(~queries.is_special), np.flatnonzero(~keys.is_special)
    is_left = len(own_rows) and len(own_columns)  # where all are special, they are what there is to see
    is_cropped = bool(not view.special and is_left and (len(own_rows), len(own_columns)) != weights.shape)
    if is_cropped:
        weights, queries, keys = weights[own_rows][:, own_columns], queries.take(own_rows), keys.take(own_columns)
    top = float(weights.max(initial=0))
    if view.scale == "common":
        top = max(top, float(maps.without_padding().weights.max()))
    row, column = _row_and_column(one, view.units, is_read=is_read)
    whose = "the maximum of all maps" if view.scale == "common" else "this map’s maximum"
    plain = select(one, one.layers[0], 0)
    selected = replace(
        plain,
        weights=weights,
        queries=queries,
        keys=keys,
        top=top or 1.0,
        title=whole_title(one) or f"{kind_title(one)}, {head_title(view.layer, view.head)}",
        rows_title=row,
        keys_title=column,
        scale_name=f"0 to {top or 1.0:.2f}, {whose}",
    )
    row_number, column_number = (
        None if number is None or number >= count else number
        for number, count in zip((view.query, view.key), weights.shape, strict=True)
    )
    linked: tuple[tuple[int, int], ...] = ()
    if trace.alignment is not None and view.links and one.reads_source and view.units != "sentences":
        linked = linked_cells(trace.alignment, queries, keys)
    said = about(trace)
    day = date or datetime.date.today()
    return ShownMap(
        view,
        selected,
        pair=said["pair"],
        caption=" ".join(
            filter(
                None,
                (
                    _caption(view, row, column, is_cropped=is_cropped, said=_no_attention(one), is_read=is_read),
                    links_caption(trace.alignment) if linked and trace.alignment else "",
                ),
            )
        ),
        row=row_number,
        column=column_number,
        choice=_choice(selected, row_number, column_number),
        origin=", ".join(filter(None, (said["model"], day.isoformat()))),
        altered=one.altered,
        linked=linked,
    )


def patch_weights(one: SelectedMap, row: int | None, column: int | None) -> NDArray[Any]:
    """The weights of a row over the places of a picture, or of its places on a column, `[row, column]` of its grid."""
    axis = one.keys if column is None else one.queries
    weights = one.weights[row] if column is None else one.weights[:, column]
    found: NDArray[Any] = weights[axis.patches].reshape(axis.grid or (1, 1))
    return found


def _between_units(trace: Trace, maps: AttentionMaps, units: str) -> tuple[NDArray[Any], Axis, Axis]:
    """The weights of the only head of maps between pieces, words or sentences, with what rows and columns are then.

    The sums are those of `AttentionMaps.to_words`. Those of a maximum over heads may be above 1.
    """
    weights, queries, keys = maps.weights[0, 0], maps.queries, maps.keys
    if units == "pieces":
        return weights, queries, keys
    rows_text = trace.input if maps.kind in ("encoder", "text-to-image") else trace.output
    columns_text = trace.output if maps.kind in ("decoder", "text-to-image") else trace.input
    if units == "sentences":  # which are to an axis what words are: stretches of its positions, in order
        queries, keys = _in_sentences(queries, rows_text), _in_sentences(keys, columns_text)
    if keys.words is not None:
        weights = np.stack([weights[:, group].sum(axis=1, dtype=np.float32) for group in keys.word_groups()], axis=1)
        keys = keys.to_words()
    if queries.words is not None:
        weights = np.stack([weights[group].mean(axis=0, dtype=np.float32) for group in queries.word_groups()])
        queries = queries.to_words()
    if units == "sentences":
        queries, keys = _numbered(queries, rows_text), _numbered(keys, columns_text)
    return weights, queries, keys


def _in_sentences(axis: Axis, text: object) -> Axis:
    if not isinstance(text, str) or axis.spans is None:
        return replace(axis, words=None)
    return replace(axis, words=sentence_indices(text, axis.spans, axis.is_special.tolist()))


def _numbered(axis: Axis, text: object) -> Axis:
    if not isinstance(text, str) or axis.spans is None:
        return axis
    labels, number = [], 0
    for position, (start, end) in enumerate(axis.spans):
        special = axis.is_special[position]
        number += not special
        labels.append(axis.name(position) if special else f"{number}. {text[start:end].strip()}")
    return replace(axis, labels=tuple(labels))


def _row_and_column(maps: AttentionMaps, units: str, *, is_read: bool) -> tuple[str, str]:
    """What rows and columns are (`axis_titles`), of sound with its seconds."""
    row, column = axis_titles(maps, by_input=is_read)
    row, column = row + _stretch(maps.queries), column + _stretch(maps.keys)
    return (
        (row.replace("word", "sentence"), column.replace("word", "sentence")) if units == "sentences" else (row, column)
    )


def _stretch(axis: Axis) -> str:
    return f", {axis.times[0][0]:.2f} to {axis.times[-1][1]:.2f}" if axis.is_timed and axis.times else ""


def _no_attention(maps: AttentionMaps) -> str:
    """What the values of a map are, where they are no attention weights; empty where they are."""
    return SHARES if maps.kind in METHODS else f"{maps.title}: no attention weights." if maps.title else ""


def _caption(view: View, row: str, column: str, *, is_cropped: bool, said: str, is_read: bool) -> str:
    unit = {"words": "word", "sentences": "sentence"}.get(view.units)
    named = "token read at step t, the start token first" if is_read else "token predicted at step t"
    return " ".join(
        filter(
            None,
            (
                f"Rows: {row}. Columns: {column}.",
                f"Row t is named for the {named}." if "written" in row else "",
                f"Between {unit}s: weights into a {unit} are summed, those from it averaged." if unit else "",
                "Special tokens are left out: rows may sum to less than 1." if is_cropped else "",
                said,
            ),
        )
    )


def _choice(selected: SelectedMap, row: int | None, column: int | None) -> str:
    query = "" if row is None else visible(selected.queries.name(row))
    key = "" if column is None else visible(selected.keys.name(column))
    if row is not None and column is not None:
        return f"Selected: {query} → {key}, {selected.weights[row, column]:.2f}."
    return f"Selected: row {query}." if query else f"Selected: column {key}." if key else ""
