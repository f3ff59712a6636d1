"""A second trace beside the first: which of its rows and columns stands beside which, for the explorer's script.

Only where something is compared is this module asked for.
"""

from __future__ import annotations

from itertools import pairwise, zip_longest
from typing import Any

import numpy as np

from xattn_viz.analysis.compare import Pair, check_axes, is_of_one_tokenizer, paired
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer.sheets import Axes


def check_beside(trace: Trace, beside: Trace) -> None:
    """Raise InputError where the cross-attention of the two has nothing in common, such as text beside sound."""
    ours, theirs = trace.cross, beside.cross
    check_axes(ours.queries, theirs.queries, "rows", ("the first", "the second"))
    check_axes(ours.keys, theirs.keys, "columns", ("the first", "the second"))


def counterparts(ours: dict[str, Any], theirs: dict[str, Any], axes: Axes) -> dict[str, Any]:
    """The row of ours that each of theirs stands beside, and the column where those differ; both are sheets."""
    pairs = {
        rows: paired_by_units(axes, ours[field], theirs[field])
        for rows, field in (("predicted", "queries"), ("input", "read"))
        if ours[field] is not None and theirs[field] is not None
    }
    found: dict[str, Any] = {"pairs": pairs}
    if ours["keys"] != theirs["keys"]:
        found["columns"] = paired_by_units(axes, ours["keys"], theirs["keys"])
    return found


def common_units(trace: Trace, beside: Trace) -> dict[str, list[str]]:
    """The `units` that two models which cut texts otherwise have in common; nothing where one tokenizer cut both."""
    return {} if is_of_one_tokenizer(trace, beside) else {"units": ["words", "sentences"]}


def is_of_one_input(trace: Trace, beside: Trace) -> bool:
    """Whether both read the very same text, sound or picture, and drew the same pictures if they drew any."""
    one, other = trace.input, beside.input
    if isinstance(one, str) != isinstance(other, str) or trace.offset != beside.offset:
        return False
    drawn = len(trace.pictures) == len(beside.pictures) and all(map(np.array_equal, trace.pictures, beside.pictures))
    return drawn and (one == other if isinstance(one, str) else np.array_equal(one, other))


def paired_by_units(axes: Axes, number: int, other: int) -> dict[str, list[Pair]]:
    """The pairs of two axes, by their numbers, for each unit: "pieces", "words" and, if there are any, "sentences"."""
    one, two = axes.packed[number], axes.packed[other]
    if one["kind"] != "text":
        counts = [len(axis["labels"]) if "labels" in axis else len(axis["edges"]) - 1 for axis in (one, two)]
        by_place: list[Pair] = list(zip_longest(range(counts[0]), range(counts[1])))
        return {"pieces": by_place, "words": by_place}
    some = any("sentences" in axis for axis in (one, two))
    units = ["pieces", "words", *(["sentences"] if some else [])]
    return {unit: paired(*_labels(one, two, unit)) for unit in units}


def _labels(one: dict[str, Any], other: dict[str, Any], unit: str) -> list[list[Any]]:
    """The labels of two axes in a unit; special tokens that are called otherwise in each are alike."""
    named = [_in_unit(axis, unit) for axis in (one, other)]
    special = [{label for label, mark in side if mark} for side in named]
    if special[0] <= special[1] or special[1] <= special[0]:
        return [[label for label, _ in side] for side in named]
    return [[None if mark else label for label, mark in side] for side in named]


def _in_unit(axis: dict[str, Any], unit: str) -> list[tuple[str, bool]]:
    labels, special = axis["labels"], axis["special"]
    indices = axis.get(unit)
    if indices is None:
        return list(zip(labels, special, strict=True))
    starts = [0, *(i for i, (a, b) in enumerate(pairwise(indices), 1) if a != b), len(labels)]
    return [("".join(labels[start:end]).strip("␣"), all(special[start:end])) for start, end in pairwise(starts)]
