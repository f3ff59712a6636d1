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
from xattn_viz.core.maps import frame_of
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import SelectedMap, View, axis_titles, head_title
from xattn_viz.inputs import InputError
from xattn_viz.plots.svg import drawn
from xattn_viz.web.explorer import about

JSON_VERSION = 1


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
    maps = found.traces[0].cross if found.views[0] is None else found.views[0].maps(found.traces[0])
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
    """The difference of one map of each as a picture, 0 in the middle of its colours, with what changed in words."""
    return drawn(selected(found, view), said=lines(found, view))


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
