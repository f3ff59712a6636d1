"""What was measured as figures that the script of the tab *Evidence* draws: grids, links, lines of text, curves.

Labels are made visible and stay data: the script writes them as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.head_costs import AblatedOutput, HeadCosts
from xattn_viz.analysis.word_units import linked_by
from xattn_viz.core.evidence import Alignment, Deletion, Insertion, ranking_name
from xattn_viz.core.tokens import Span, visible, visible_text
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import head_title

Array = NDArray[Any]
#: A cell of a grid, (row, column) from 0.
Cell = tuple[int, int]
_NOTHING = 0.005  # is written as 0.00, and coloured so
_SHOWN_WEIGHT = 0.05  # smaller ones stay without a number between words, where most are next to nothing


def number(value: float, digits: int = 2) -> str:
    """A number as a cell shows it: with a real minus, and no sign on nothing."""
    written = f"{value:.{digits}f}"
    return written.replace("-", "" if float(written) == 0 else "\u2212")


def grid(
    values: Array,
    rows: Sequence[str],
    columns: Sequence[str],
    label: str,
    *,
    corner: str = "",
    names: Sequence[Sequence[str]] | None = None,
    top: float | None = None,
    least: float = 0.0,
    selected: Cell | None = None,
    marks: Iterable[Cell] = (),
    chooses: bool = False,
    words: bool = False,
) -> dict[str, Any]:
    """A table of numbers `[row, column]` with a colour each; NaN is a cell without a number.

    Colours end at `top`, else at the largest magnitude; cells below `least` show no number. `names` are what cells are
    called where rows and columns do not say it, `selected` is the cell in view, `marks` are those in a frame; where it
    `chooses`, a click on a cell is told. Rows and columns that are `words` take more room.
    """
    end = top or float(np.nanmax(np.abs(values), initial=0)) or 1.0
    called = names or [[f"{row}, {column}" for column in columns] for row in rows]
    return {
        "kind": "grid",
        "label": label,
        "corner": corner,
        "rows": [visible_text(row) for row in rows],
        "columns": [visible_text(column) for column in columns],
        "texts": [[number(one) if one == one and abs(one) >= least else "" for one in row] for row in values.tolist()],
        "shades": [
            [
                None if one != one else 0 if abs(one) < _NOTHING else round(min(max(one / end, -1.0), 1.0), 4)
                for one in row
            ]
            for row in values.tolist()
        ],
        "names": [
            [f"{name}: {number(one, 3)}" if one == one else name for name, one in zip(*pair, strict=True)]
            for pair in zip(called, values.tolist(), strict=True)
        ],
        "selected": selected,
        "marks": [list(mark) for mark in marks],
        "chooses": chooses,
        "words": words,
    }


def head_grid(
    found: HeadGrid,
    view: tuple[int | None, Any] = (None, None),
    *,
    marks: Iterable[Cell] = (),
    top: float | None = None,
) -> dict[str, Any]:
    """The numbers of heads, layers and heads from 1; `view` is the (layer, head) in view, from 0, if it is a head."""
    layer, head = view
    is_head = layer in found.layers and isinstance(head, int) and head < found.values.shape[1]
    return grid(
        found.values,
        [f"Layer {layer + 1}" for layer in found.layers],
        [str(head + 1) for head in range(found.values.shape[1])],
        f"{found.title}, {found.unit}",
        corner="Head",
        names=[
            [f"{head_title(layer, head).capitalize()}, {found.unit}" for head in range(found.values.shape[1])]
            for layer in found.layers
        ],
        top=top,
        selected=(found.layers.index(layer), head) if is_head and layer is not None else None,
        marks=marks,
        chooses=True,
    )


def word_grid(
    values: Array, rows: Iterable[str], columns: Iterable[str], label: str, marks: Iterable[Cell] = ()
) -> dict[str, Any]:
    """Numbers between words, `[row, column]`, with some cells in a frame."""
    shown = [visible(row) for row in rows], [visible(column) for column in columns]
    return grid(values, *shown, label, marks=marks, words=True, least=_SHOWN_WEIGHT)


def links(alignment: Alignment, names: tuple[str, str] = ("Source", "Output")) -> dict[str, Any]:
    """Two sentences with a line between the words that say the same."""
    return {
        "kind": "links",
        "label": "Words that say the same",
        "names": names,
        "source": [visible(word.text) for word in alignment.source_words],
        "target": [visible(word.text) for word in alignment.target_words],
        "links": [[source, target, round(weight, 4)] for source, target, weight in alignment.links],
    }


def curves(deletion: Deletion) -> dict[str, Any]:
    """How the output fares while the source is taken away, or put back, by ranking, beside the mean of random ones."""
    is_back = isinstance(deletion, Insertion)
    how = "put back" if is_back else "taken away"
    chance = np.mean([curve.log_probs for curve in deletion.random], axis=0)
    named = [(ranking_name(curve.name), curve.fractions, curve.log_probs, False) for curve in deletion.curves]
    named.append((f"random orders, mean of {len(deletion.random)}", deletion.random[0].fractions, chance, True))
    return {
        "kind": "curves",
        "label": f"Log-probability of a token while the source is {how}. {visible_text(deletion.sentence)}",
        "x": f"Share of the source that is {'back' if is_back else 'gone'}",
        "y": "Log-probability of a token, nats",
        "curves": [
            {"name": visible_text(name), "xs": xs.tolist(), "ys": ys.round(4).tolist(), "dashed": is_chance}
            for name, xs, ys, is_chance in named
        ],
    }


def kept(trace: Trace) -> list[dict[str, Any]]:
    """What a trace keeps of what was measured besides grids and maps, for its page: titles, figures, what they say."""
    found = []
    if trace.alignment is not None:
        said = f"Words that say the same are linked, {linked_by(trace.alignment)}."
        found.append({"title": "Words that say the same", "said": said, "figure": links(trace.alignment)})
    if trace.deletion is not None:
        title = "Less and less of the source, the most important first"
        found.append({"title": title, "said": trace.deletion.sentence, "figure": curves(trace.deletion)})
    return found


def tokens_without(costs: HeadCosts, trace: Trace, layer: int, head: int) -> dict[str, Any]:
    """The output with what each of its tokens costs without one head of its only trace, and what would take its place.

    `layer` counts the rows of the costs.
    """
    per_token, changed = costs.per_token[0][layer, head], costs.changed[0][layer, head]
    top = float(np.nanmax(costs.per_token[0][:, :, costs.counted[0]], initial=0)) or 1.0
    axis = trace.cross.queries
    parts = []
    for row, counts in enumerate(costs.counted[0].tolist()):
        if not counts:
            continue
        becomes = costs.tokens.get(int(costs.likeliest[0][layer, head, row]), "")
        cost = float(per_token[row])
        part = {"text": visible(axis.name(row)), "shade": round(max(cost / top, 0.0), 4)}
        part["title"] = f"{number(cost)} nats without this head"
        parts.append(part | ({"marked": True, "below": visible(becomes)} if changed[row] else {}))
    return {"kind": "tokens", "lines": [{"name": "Each token without this head", "parts": parts}]}


def two_outputs(found: AblatedOutput, names: tuple[str, str]) -> dict[str, Any]:
    """An output beside another with the words marked that differ."""
    spans = [one.before for one in found.changes], [one.after for one in found.changes]
    texts = found.before.output, found.after.output
    return {
        "kind": "tokens",
        "lines": [
            {"name": name, "parts": _parts(text, own) or [{"text": "(nothing)"}]}
            for name, text, own in zip(names, texts, spans, strict=True)
        ],
    }


def _parts(text: str, marked: Sequence[Span]) -> list[Mapping[str, Any]]:
    parts: list[Mapping[str, Any]] = []
    end = 0
    for start, stop in (*marked, (len(text), len(text))):
        if plain := text[end:start].strip():
            parts.append({"text": visible_text(plain)})
        if start < stop:
            parts.append({"text": visible_text(text[start:stop]), "marked": True})
        end = stop
    return parts
