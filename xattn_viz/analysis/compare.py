"""Two traces on common rows and columns: what stands beside what, the difference of their maps, and words for it.

Two sentences on one model, two models on one sentence, two targets, a run before and after heads were switched off, two
heads of one trace, two clips, prompts or checkpoints. Words that both have are found by `difflib`; what stands between
them stands beside its replacement, in turn; what is left has no counterpart, and no difference either.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import METHODS, AttentionMaps, MapKind
from xattn_viz.core.records import Displayed, brief, quoted, read_only, same
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View, one_map
from xattn_viz.inputs import InputError

#: A row or column of the first and its counterpart in the second, by their numbers; None where there is none.
Pair = tuple[int | None, int | None]
#: From this difference on a change is worth a sentence.
LEAST = 0.05
_APART = 1e-3  # seconds that frames of the same length may differ by at most
_SPECIAL = ("special",)  # what special tokens of any name are told by
_MOST_NAMED = 6
# The ninths of a picture, row by row: what changed there is said of places, which hold enough patches to be seen.
PLACES = tuple(
    "the middle" if (row, column) == ("middle", "middle") else f"the {row} {column}"
    for row in ("upper", "middle", "lower")
    for column in ("left", "middle", "right")
)


@dataclass(frozen=True)
class Change:
    """What changed in one row; `says` is the sentence, such as "bank now reads river: .61, was .04.".

    `query` and `key` are a row and a column of the comparison, `after` is the weight there in the second and `before`
    in the first, None where the first has no such column. `difference` is the largest of the row. Labels in `says` are
    made visible (`core.tokens.visible`).
    """

    query: int
    key: int
    before: float | None
    after: float
    difference: float
    says: str


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Displayed):
    """The maps of two traces on common rows and columns (`compare`).

    `a` and `b` `[layer, head, query, key]` are the weights of the first and the second, float32 and NaN where one has
    no such row or column. `rows` and `columns` say which of each stand beside each other, by their positions or, where
    `units` are "words", by the number of the word; `row_labels` and `column_labels` name them, None for what is not
    there. `layers` are those of the maps of the first, `views` what was chosen of each, None for all heads.
    """

    traces: tuple[Trace, Trace]
    views: tuple[View | None, View | None]
    names: tuple[str, str]
    units: Literal["pieces", "words"]
    layers: tuple[int, ...]
    rows: tuple[Pair, ...]
    columns: tuple[Pair, ...]
    row_labels: tuple[tuple[str | None, str | None], ...]
    column_labels: tuple[tuple[str | None, str | None], ...]
    a: NDArray[np.float32]
    b: NDArray[np.float32]

    @property
    def difference(self) -> NDArray[np.float32]:
        """`b` − `a`, `[layer, head, query, key]`, from -1 to 1; NaN where one of the two has no such cell."""
        found: NDArray[np.float32] = self.b - self.a
        return found

    @property
    def alone(self) -> str:
        """What has no counterpart, as in "Only in A: old. Only in B: red, vermelha."; empty where all has one."""
        said = []
        for number, name in enumerate(self.names):
            labels = [pair[number] for pair in (*self.column_labels, *self.row_labels) if pair[1 - number] is None]
            shown = [visible(label) for label in labels[:_MOST_NAMED] if label is not None]
            more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
            said += [f"Only in {name}: {', '.join(shown)}{more}."] if shown else []
        return " ".join(said)

    @property
    def title(self) -> str:
        """Which maps they are, layers and heads from 1: "layer 2, head 1", "layer 1, head 2 and layer 2, head 1"."""
        one, other = (None if view is None else view.title for view in self.views)
        if one is None or other is None:
            return "all heads" if self.a.shape[:2] != (1, 1) else "mean over all heads"
        return one if one == other else f"{one} and {other}"

    def first_view(self, view: View | None = None) -> View | None:
        """What a page of both shows first: `view`, else what was compared; of the second its own map."""
        first = view or self.views[0]
        if first is None or self.views[1] is None or self.views[1].name == first.name:
            return first
        return replace(first, other=self.views[1].name)

    def maps(
        self, layer: int | None = None, head: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One map of each, `[query, key]`: of a head, without `head` the mean over a layer, without `layer` over all.

        Both count from 0; `layer` is the first model's own number, or counts from the end when negative. Raises
        ValueError for one that is not there.
        """
        if layer is None:
            one, other = (weights.mean(axis=(0, 1), dtype=np.float32) for weights in (self.a, self.b))
            return one, other
        if layer not in self.layers and not -len(self.layers) <= layer < 0:
            raise ValueError(f"There is no layer {layer} here: {', '.join(map(str, self.layers))}.")
        index = self.layers.index(layer) if layer in self.layers else layer
        if head is None:
            one, other = (weights[index].mean(axis=0, dtype=np.float32) for weights in (self.a, self.b))
            return one, other
        if not -self.a.shape[1] <= head < self.a.shape[1]:
            raise ValueError(f"There is no head {head} here: {self.a.shape[1]} in each layer.")
        return self.a[index, head], self.b[index, head]

    def changes(
        self, layer: int | None = None, head: int | None = None, *, most: int = 5, least: float = LEAST
    ) -> tuple[Change, ...]:
        """What changed in a map (as in `maps`), the largest differences first: one sentence a row, `most` at most.

        Of a row whose strongest key is another one, its new one is told; of others the largest difference, where that
        is `least` or more. Rows without a counterpart are left out: nothing is known of a change there. Patches are
        told by the ninth of the picture that they lie in (`PLACES`): of words that read a picture the sum of their
        weights there, of words that a picture is drawn from the share of all that is read of them. Raises ValueError
        for a layer or head that is not there.
        """
        before, after = self.maps(layer, head)
        kind: MapKind = next((view.kind for view in self.views if view is not None), "cross")
        maps = self.traces[0].of_kind(kind)
        reads = "hears" if maps.keys.kind == "audio" else "reads"
        reads = "rests on" if kind in METHODS else reads
        if maps.keys.grid is not None:
            found = self._over_columns(before, after, _places(maps.keys, self.columns), reads)
        elif maps.queries.grid is not None:
            found = self._over_rows(before, after, _places(maps.queries, self.rows))
        else:
            found = self._over_columns(before, after, None, reads)
        told = [change for change in found if abs(change.difference) >= least]
        return tuple(sorted(told, key=lambda change: -abs(change.difference))[:most])

    def _over_columns(
        self, before: NDArray[np.float32], after: NDArray[np.float32], places: list[int | None] | None, reads: str
    ) -> list[Change]:
        """What changed in each row; patches that lie in one place are one column."""
        groups = [[column] for column in range(len(self.columns))] if places is None else _together(places)
        labels = [self._place(places, group, self.column_labels) for group in groups]
        found = []
        for row, (i, j) in enumerate(self.rows):
            told = None
            if None not in (i, j):
                one, other = (np.array([weights[row, group].sum() for group in groups]) for weights in (before, after))
                told = self._change(self._named(self.row_labels[row]), labels, one, other, (f"now {reads}", reads))
            if told is not None:
                key, was, now, apart, says = told
                found.append(Change(row, _farthest(after[row] - before[row], groups[key]), was, now, apart, says))
        return found

    def _over_rows(
        self, before: NDArray[np.float32], after: NDArray[np.float32], places: list[int | None]
    ) -> list[Change]:
        """What changed in where each column is read, of rows that are patches."""
        groups = _together(places)
        labels = [self._place(places, group, self.row_labels) for group in groups]
        found = []
        for column, (i, j) in enumerate(self.columns):
            if None in (i, j):
                continue
            read = [weights[:, column] / weights[:, column].sum() for weights in (before, after)]
            if not all(np.isfinite(one).all() for one in read):
                continue
            one, other = (np.array([weights[group].sum() for group in groups]) for weights in read)
            verbs = "is now read most in", "is read{} in"
            told = self._change(self._named(self.column_labels[column]), labels, one, other, verbs)
            if told is not None:
                key, was, now, apart, says = told
                found.append(Change(_farthest(read[1] - read[0], groups[key]), column, was, now, apart, says))
        return found

    def _change(
        self,
        query: str,
        labels: list[str],
        before: NDArray[np.floating],
        after: NDArray[np.floating],
        verbs: tuple[str, str],
    ) -> tuple[int, float | None, float, float, str] | None:
        """Of one row: the key that is told, its weights before and after, the largest difference, and the sentence.

        `verbs` are those of a new strongest key and of the old one; more or less is said in the latter, or behind.
        """
        apart = after - before
        if np.isnan(apart).all():
            return None
        largest = int(np.nanargmax(np.abs(apart)))
        new, old = int(np.nanargmax(after)), int(np.nanargmax(before))
        is_other = new != old and after[new] > 0
        key = new if is_other else largest
        was = None if np.isnan(before[key]) else float(before[key])
        now = float(after[key])  # there is one: the largest of its row, or one with a difference
        more = "" if is_other else " more" if apart[key] > 0 else " less"
        verb, behind = verbs[not is_other], more
        if "{}" in verb:
            verb, behind = verb.format(more), ""
        told = f"{self.names[0]} has no such column" if was is None else f"was {share(was)}"
        says = f"{query} {verb} {labels[key]}{behind}: {share(now)}, {told}."
        return key, was, now, float(apart[largest]), says

    def _place(
        self, places: list[int | None] | None, group: list[int], labels: tuple[tuple[str | None, str | None], ...]
    ) -> str:
        """The place that a group of rows or columns lies in, or the name of the only one."""
        place = None if places is None else places[group[0]]
        return self._named(labels[group[0]]) if place is None else PLACES[place]

    def _named(self, labels: tuple[str | None, str | None]) -> str:
        """A label, with that of the first where it is another: "cão (gato in A)"."""
        one, other = labels
        shown = visible((other if other is not None else one) or "")
        return shown if None in labels or one == other else f"{shown} ({visible(one or '')} in {self.names[0]})"

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __repr__(self) -> str:
        axes = zip(("layer", "head", "query", "key"), self.a.shape, strict=True)
        lines = [f"Comparison by {self.units}: [{', '.join(f'{name} {count}' for name, count in axes)}]"]
        for name, trace in zip(self.names, self.traces, strict=True):
            read = quoted(trace.input) if isinstance(trace.input, str) else brief(trace.input)
            lines.append(f"{name}: {read} → {quoted(trace.output)}{f', {trace.model}' if trace.model else ''}")
        return "\n  ".join([*lines, *([self.alone] if self.alone else [])])


def _places(axis: Axis, pairs: tuple[Pair, ...]) -> list[int | None]:
    """Which of the `PLACES` each row or column lies in, by the middle of its patch; None for what is no patch."""
    rows, columns = axis.grid or (1, 1)
    patches = {int(position): number for number, position in enumerate(axis.patches)}
    found: list[int | None] = []
    for one, other in pairs:
        patch = patches.get(-1 if one is None else one)
        if patch is None or other is None:
            found.append(None)
        else:
            row, column = divmod(patch, columns)
            found.append(3 * ((6 * row + 3) // (2 * rows)) + (6 * column + 3) // (2 * columns))
    return found


def _together(places: list[int | None]) -> list[list[int]]:
    """The rows or columns of each place, and each of the others alone; in the order of their firsts."""
    groups: dict[object, list[int]] = {}
    for number, place in enumerate(places):
        groups.setdefault(("alone", number) if place is None else place, []).append(number)
    return list(groups.values())


def _farthest(apart: NDArray[np.floating], group: list[int]) -> int:
    """Which of a group differs most; its only one where that has no difference."""
    return group[int(np.argmax(np.abs(np.nan_to_num(apart[group]))))]


def share(weight: float) -> str:
    """A weight as sentences about changes have it: ".61", "1.00"."""
    return f"{weight:.2f}".removeprefix("0")


def compare(
    a: Trace,
    b: Trace,
    view: View | tuple[View, View] | None = None,
    *,
    names: tuple[str, str] = ("A", "B"),
) -> Comparison:
    """Bring the maps of two traces to common rows and columns, and say what changed from the first to the second.

    Without a `view` all heads of their cross-attention are compared, or the mean over all where the two models have
    different numbers of layers or heads. A view is the one map to compare, its kind, units and special tokens; two are
    the map of each, such as two heads of one trace: units, rows and special tokens are those of the first.

    Texts are aligned token by token where both were cut by one tokenizer, else by words (`Axis.words`). Frames of sound
    stand beside each other by their time from where each begins, patches and latents by their place. `names` are what
    the two are called in sentences.

    Raises InputError where the two have nothing to compare: text beside sound, patches of other grids, frames of other
    lengths, a kind of map that one does not hold; ValueError for a layer or head that is not there.
    """
    for one in (a, b):
        if not isinstance(one, Trace):
            raise InputError(f"Two traces are compared, as in xv.compare(a, b): got {quoted(type(one).__name__)}.")
    views = (view, view) if view is None or isinstance(view, View) else view
    maps = _chosen(a, b, views)
    first = views[0] or View()
    units: Literal["pieces", "words"] = "pieces"
    if first.units != "pieces" or not is_of_one_tokenizer(a, b):
        units = "words"
    if first.rows == "input":
        maps = maps[0].by_input_token(), maps[1].by_input_token()
    maps = maps[0].without_padding(), maps[1].without_padding()
    sides = [(_side(one.queries, units, first.special), _side(one.keys, units, first.special)) for one in maps]
    (ours, our_keys), (theirs, their_keys) = sides
    rows, columns = _pairs(ours, theirs, "rows", names), _pairs(our_keys, their_keys, "columns", names)
    spread = [
        _spread(_between(one.weights, *side), [pair[n] for pair in rows], [pair[n] for pair in columns])
        for n, (one, side) in enumerate(zip(maps, sides, strict=True))
    ]
    return Comparison(
        traces=(a, b),
        views=views,
        names=names,
        units=units,
        layers=maps[0].layers,
        rows=tuple((_number(ours, i), _number(theirs, j)) for i, j in rows),
        columns=tuple((_number(our_keys, i), _number(their_keys, j)) for i, j in columns),
        row_labels=tuple((_label(ours, i), _label(theirs, j)) for i, j in rows),
        column_labels=tuple((_label(our_keys, i), _label(their_keys, j)) for i, j in columns),
        a=read_only(spread[0]),
        b=read_only(spread[1]),
    )


def _chosen(a: Trace, b: Trace, views: tuple[View | None, View | None]) -> tuple[AttentionMaps, AttentionMaps]:
    """The maps to compare, with as many layers and heads in both."""
    found = []
    for trace, view in zip((a, b), views, strict=True):
        kind = "cross" if view is None else view.kind
        if all(maps.kind != kind for maps in trace.maps):
            kinds = ", ".join(dict.fromkeys(maps.kind for maps in trace.maps)) or "none"
            raise InputError(f"Both traces must hold a map of the kind {kind} to be compared, and one holds: {kinds}.")
        found.append(trace.of_kind(kind) if view is None else one_map(view.maps(trace), view)[1])
    one, other = found
    if one.weights.shape[:2] == other.weights.shape[:2]:
        return one, other
    return one.mean_over_all(), other.mean_over_all()


def is_of_one_tokenizer(a: Trace, b: Trace) -> bool:
    """Whether texts were cut alike: by one model, or by two checkpoints of one that read the same tokens."""
    if a.model == b.model:
        return True
    one, other = a.cross, b.cross
    is_alike = one.weights.shape[:2] == other.weights.shape[:2]
    return is_alike and (one.keys.kind != "text" or one.keys.labels == other.keys.labels)


@dataclass(frozen=True)
class _Side:
    """What the rows or columns of a map stand for: the positions of each, its number, its label, if it is special."""

    axis: Axis
    groups: tuple[tuple[int, ...], ...]
    numbers: tuple[int, ...]
    labels: tuple[str, ...]
    special: tuple[bool, ...]


def _side(axis: Axis, units: str, has_special: bool) -> _Side:
    is_words = units == "words" and axis.words is not None
    groups = axis.word_groups() if is_words else [[position] for position in range(len(axis))]
    named = axis.to_words() if is_words else axis
    special = axis.is_special
    marks = [all(special[position] for position in group) for group in groups]
    kept = [n for n, mark in enumerate(marks) if has_special or not mark]
    kept = kept or list(range(len(groups)))  # where all are special, they are what there is to see
    return _Side(
        axis,
        tuple(tuple(groups[n]) for n in kept),
        tuple(kept),
        tuple(named.name(n) for n in kept),
        tuple(marks[n] for n in kept),
    )


def _number(side: _Side, place: int | None) -> int | None:
    return None if place is None else side.numbers[place]


def _label(side: _Side, place: int | None) -> str | None:
    return None if place is None else side.labels[place]


def _between(weights: NDArray[Any], rows: _Side, columns: _Side) -> NDArray[np.float32]:
    """Weights `[layer, head, row, column]` between groups: those into one are summed, those from one averaged."""
    found = weights.astype(np.float32, copy=False)
    if any(len(group) > 1 for group in columns.groups):
        found = np.stack([found[..., group].sum(axis=-1, dtype=np.float32) for group in columns.groups], axis=-1)
    elif len(columns.groups) != found.shape[3]:
        found = found[..., [group[0] for group in columns.groups]]
    if any(len(group) > 1 for group in rows.groups):
        found = np.stack([found[:, :, group].mean(axis=2, dtype=np.float32) for group in rows.groups], axis=2)
    elif len(rows.groups) != found.shape[2]:
        found = found[:, :, [group[0] for group in rows.groups]]
    return found


def _spread(weights: NDArray[np.float32], rows: list[int | None], columns: list[int | None]) -> NDArray[np.float32]:
    """The rows and columns in another order, NaN where there is none."""
    if rows == [*range(weights.shape[2])] and columns == [*range(weights.shape[3])]:
        return weights
    found = np.full((*weights.shape[:2], len(rows), len(columns)), np.nan, np.float32)
    to_rows, to_columns = (np.flatnonzero([place is not None for place in places]) for places in (rows, columns))
    from_rows, from_columns = ([place for place in places if place is not None] for places in (rows, columns))
    found[:, :, to_rows[:, None], to_columns] = weights[:, :, np.array(from_rows, np.intp)[:, None], from_columns]
    return found


def check_axes(one: Axis, other: Axis, what: str, names: tuple[str, str]) -> None:
    """Raise InputError, in a sentence, where no position of two axes can stand beside one of the other's.

    `what` they are, "rows" or "columns", and whose are said.
    """
    if one.kind != other.kind:
        said = {"text": "text", "audio": "sound", "image": "patches of a picture", "latent": "latents"}
        raise InputError(
            f"There is nothing to compare: the {what} of {names[0]} are {said[one.kind]}, those of {names[1]} "
            f"{said[other.kind]}."
        )
    if one.grid != other.grid:
        grids = [f"{axis.grid[0]} × {axis.grid[1]}" if axis.grid else "no" for axis in (one, other)]
        raise InputError(f"There is nothing to compare: {names[0]} has {grids[0]} patches, {names[1]} has {grids[1]}.")
    if one.is_timed and other.is_timed:
        lengths = [float(np.median(np.diff(np.array(axis.times), axis=1))) for axis in (one, other)]
        if abs(lengths[0] - lengths[1]) > _APART:
            raise InputError(
                f"There is nothing to compare: the frames of {names[0]} last {lengths[0]:.3f} s, those of {names[1]} "
                f"{lengths[1]:.3f} s."
            )


def _pairs(one: _Side, other: _Side, what: str, names: tuple[str, str]) -> list[Pair]:
    """Which places of two sides stand beside each other. Raises InputError where they have nothing in common."""
    check_axes(one.axis, other.axis, what, names)
    if one.axis.kind != "text":
        return list(zip_longest(range(len(one.groups)), range(len(other.groups))))
    # Start and end are called otherwise in every model, and are what they are in all of them.
    own_names = _is_alike(one, other)
    labels, others = (
        [label if own_names or not mark else _SPECIAL for label, mark in zip(side.labels, side.special, strict=True)]
        for side in (one, other)
    )
    return paired(labels, others)


def _is_alike(one: _Side, other: _Side) -> bool:
    """Whether special tokens have the same names in both."""
    names = [{label for label, mark in zip(side.labels, side.special, strict=True) if mark} for side in (one, other)]
    return names[0] <= names[1] or names[1] <= names[0]


def paired(labels: Sequence[Hashable], others: Sequence[Hashable]) -> list[Pair]:
    """Every row of both, once and in order, beside its counterpart.

    Equal labels that `difflib` matches stand beside each other; between them rows are paired in turn, and what one has
    more of has no counterpart. The other way round the very same pairs are found: of several ways to match, `difflib`
    takes one by which text is first, so that is always the shorter one.
    """
    if (len(others), repr(others)) < (len(labels), repr(labels)):
        return [(i, j) for j, i in paired(others, labels)]
    found: list[Pair] = []
    for _, i, i_end, j, j_end in SequenceMatcher(None, labels, others, autojunk=False).get_opcodes():
        found.extend(zip_longest(range(i, i_end), range(j, j_end)))
    return found
