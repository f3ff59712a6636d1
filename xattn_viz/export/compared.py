"""A comparison as files: its difference as a drawing, its numbers as JSON and CSV.

`analysis.compare` makes it; `export.write` and the functions beside it and `figures.save` take it in place of a trace.
"""

from __future__ import annotations

import datetime
import json as _json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.compare import Comparison
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, frame_of
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import SelectedMap, View, axis_titles, head_title
from xattn_viz.inputs import InputError
from xattn_viz.plots import colours
from xattn_viz.plots.paper import region_sheet
from xattn_viz.plots.svg import Sheet, Style, drawn, write_below
from xattn_viz.web.explorer import about

JSON_VERSION = 1
_WIDE, _MOST_WORDS = 900.0, 3  # pixels of a drawing over pictures, words whose difference is drawn there


def checked(value: Any) -> Comparison:
    """The comparison itself. Raises InputError for anything that is neither a trace nor one."""
    if not isinstance(value, Comparison):
        raise InputError(f"A trace or a comparison of two is exported: got {quoted(type(value).__name__)}.")
    return value


def selected(found: Comparison, view: View | None = None) -> SelectedMap:
    """The difference of one map of each, `[row, column]`, with words for all that is drawn.

    `view` says which head it is of, as `Comparison.maps` does; without one it is the mean over all that were compared.
    Raises ValueError for a layer or head that is not there.
    """
    layer, head, title = None, None, found.title
    if view is not None and view.layer is not None and found.views == (None, None):
        layer, head = view.layer, view.head if isinstance(view.head, int) else None
        title = head_title(layer, head)
    elif found.views == (None, None):
        title = "mean over all heads"
    before, after = found.maps(layer, head)
    apart = after - before
    top = float(np.nanmax(np.abs(apart), initial=0.0)) or 1.0
    maps = _maps(found)
    row, column = axis_titles(maps, by_input=bool(found.views[0] and found.views[0].rows == "input"))
    return SelectedMap(
        weights=apart,
        queries=_axis(found.row_labels),
        keys=_axis(found.column_labels),
        top=top,
        title=f"{found.names[1]} \u2212 {found.names[0]}: {title}",
        rows_title=row,
        keys_title=column,
        scale_name=f"\u2212{top:.2f} to {top:.2f}; struck out: only in one of the two",
        doing="In",
        who=found.names[1],
        what="difference",
        apart=True,
    )


def _axis(labels: tuple[tuple[str | None, str | None], ...]) -> Axis:
    return Axis("text", labels=tuple(map(named, labels)))


def named(labels: tuple[str | None, str | None]) -> str:
    """One name of a row or column: "cat", "cat → dog" where it is called otherwise in each."""
    one, other = labels
    return (one if one is not None else other or "") if None in labels or one == other else f"{one} → {other}"


def lines(found: Comparison, view: View | None = None, *, date: datetime.date | None = None) -> list[str]:
    """What is said of a difference below it: both texts, what changed, what stands alone, the models and the day."""
    layer, head = _which(found, view)
    said = [f"{name}: {about(trace)['pair']}" for name, trace in zip(found.names, found.traces, strict=True)]
    models = dict.fromkeys(filter(None, (about(trace)["model"] for trace in found.traces)))
    day = (date or datetime.date.today()).isoformat()
    changes = [change.says for change in found.changes(layer, head)]
    return [*said, *changes, *filter(None, [found.alone]), ", ".join([*models, day])]


def _which(found: Comparison, view: View | None) -> tuple[int | None, int | None]:
    if view is None or view.layer is None or found.views != (None, None):
        return None, None
    return view.layer, view.head if isinstance(view.head, int) else None


def svg(found: Comparison, view: View | None = None) -> str:
    """The difference of one map of each as a picture, 0 in the middle of its colours, with what changed in words.

    Where patches of two pictures are compared it shows both, and over the second what changed (`over_picture`).
    """
    if not is_over_pictures(found):
        return drawn(selected(found, view), said=lines(found, view))
    style = Style(width=_WIDE)
    sheet, said = over_picture(found, view, style)
    sheet.height += style.size / 2
    write_below(sheet, [*lines(found, view), said], style)
    return sheet.svg()


def is_over_pictures(found: Comparison) -> bool:
    """Whether rows or columns are patches, and both traces hold the picture that they lie in."""
    maps = _maps(found)
    has_patches = maps.keys.grid is not None or maps.queries.grid is not None
    return has_patches and all(trace.picture is not None for trace in found.traces)


def over_picture(found: Comparison, view: View | None, style: Style, words: tuple[int, ...] = ()) -> tuple[Sheet, str]:
    """Both pictures, and over the second the differences of some words, with what is to be said of that.

    `words` are rows of the comparison, or columns where rows are patches: those that changed most unless given. Raises
    InputError where there are no pictures, and for a word that is not there.
    """
    if not is_over_pictures(found):
        raise InputError("These two hold no pictures that their difference could be drawn over.")
    maps, (before, after) = _maps(found), found.maps(*_which(found, view))
    is_read = maps.keys.grid is not None
    axis, pairs = (maps.keys, found.columns) if is_read else (maps.queries, found.rows)
    labels = found.row_labels if is_read else found.column_labels
    apart = after - before if is_read else (after - before).T  # [word, position]
    if wrong := [word for word in words if not 0 <= word < len(labels)]:
        raise InputError(f"There is no word {wrong[0]}: words count from 0, to {len(labels) - 1} here.")
    place = {one: number for number, (one, _) in enumerate(pairs)}
    patches = [place[int(position)] for position in axis.patches]
    grids = apart[:, patches].reshape(len(labels), *(axis.grid or (1, 1)))
    if not words:
        told = [change.query if is_read else change.key for change in found.changes(*_which(found, view))]
        largest = np.argsort(-np.abs(np.nan_to_num(grids)).max(axis=(1, 2)), kind="stable")
        words = tuple(dict.fromkeys([*told, *map(int, largest)]))[:_MOST_WORDS]
    top = float(np.nanmax(np.abs(grids[list(words)]), initial=0.0)) or 1.0
    parts = [(visible(named(labels[word])), grids[word]) for word in words]
    one, other = (np.asarray(trace.picture) for trace in found.traces)
    pictures = list(zip(found.names, (one, other), strict=True))
    what = f"difference, {found.names[1]} − {found.names[0]}"
    sheet = region_sheet(pictures, parts, top, style, title=selected(found, view).title, what=what, apart=True)
    over = ", ".join(f"“{name}”" for name, _ in parts)
    opaque = round(100 * colours.OPACITY)
    return sheet, (
        f"Over {found.names[1]}, {opaque} % opaque: {what}, of {over}. Blue below 0, red above, up to {top:.2f}."
    )


def _maps(found: Comparison) -> AttentionMaps:
    return found.traces[0].cross if found.views[0] is None else found.views[0].maps(found.traces[0])


def json(found: Comparison, view: View | None = None) -> str:
    """A comparison as standard JSON in ASCII.

    An object with `format` ("xattn_viz comparison"), `version`, `title`, `units`, `names`, `texts` and `models` of
    both, `rows` and `columns` as [[number, label], [number, label]] of what stands beside each other (null for
    nothing), `layers`, `changes` and `alone` in words, and `a`, `b` and `difference` [layer][head][query][key], or
    [query][key] of the map that a view means; null is no number.
    """
    layer, head = _which(found, view)
    arrays = [found.a, found.b, found.difference]
    if view is not None:
        before, after = found.maps(layer, head)
        arrays = [before, after, after - before]
    value = {
        "format": "xattn_viz comparison",
        "version": JSON_VERSION,
        "names": found.names,
        "texts": [[trace.input if isinstance(trace.input, str) else None, trace.output] for trace in found.traces],
        "models": [trace.model for trace in found.traces],
        "title": selected(found, view).title,
        "units": found.units,
        "layers": found.layers,
        "rows": _pairs(found.rows, found.row_labels),
        "columns": _pairs(found.columns, found.column_labels),
        "changes": [change.says for change in found.changes(layer, head)],
        "alone": found.alone,
        **dict(zip(("a", "b", "difference"), map(_plain, arrays), strict=True)),
    }
    return _json.dumps(value, allow_nan=False, separators=(",", ":"))


def _pairs(pairs: Any, labels: Any) -> list[Any]:
    return [
        [None if number is None else [number, visible(label or "")] for number, label in zip(*both, strict=True)]
        for both in zip(pairs, labels, strict=True)
    ]


def _plain(array: NDArray[np.float32]) -> Any:
    """Nested lists with each number as short as keeps its value, and None for NaN."""
    if array.ndim > 1:
        return [_plain(part) for part in array]
    return [None if np.isnan(value) else float(str(value)) for value in array]


def table(found: Comparison, view: View | None = None) -> Any:
    """One tidy row a cell: as `AttentionMaps.to_frame`, with `a`, `b` and `difference` in place of `weight`.

    Without a view of all heads; with one of the map that it means, without layer and head.
    """
    arrays = (found.a, found.b) if view is None else found.maps(*_which(found, view))
    rows, columns = _axis(found.row_labels), _axis(found.column_labels)
    frame = frame_of(arrays[0], rows, columns).rename(columns={"weight": "a"})
    if "layer" in frame:
        frame["layer"] = np.array(found.layers)[frame["layer"]]
    return frame.assign(b=arrays[1].ravel(), difference=(arrays[1] - arrays[0]).ravel())
