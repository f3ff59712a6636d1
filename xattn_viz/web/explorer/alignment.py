"""Two outputs of one source row by row: which token, word or sentence of one stands for which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise, zip_longest

from xattn_viz.web.explorer.axes import Axes

#: A row of one output and its counterpart in the other; None where there is none.
Pair = tuple[int | None, int | None]


def pairs(labels: Sequence[str], others: Sequence[str]) -> list[Pair]:
    """Every row of both outputs, once and in order, beside its counterpart.

    Equal labels that `difflib` matches stand beside each other; between them rows are paired in turn, and what one
    output has more of has no counterpart.
    """
    found: list[Pair] = []
    for _, i, i_end, j, j_end in SequenceMatcher(None, labels, others, autojunk=False).get_opcodes():
        found.extend(zip_longest(range(i, i_end), range(j, j_end)))
    return found


def by_units(axes: Axes, number: int, other: int) -> dict[str, list[Pair]]:
    """The pairs of two axes, by their numbers, for each unit: "pieces", "words" and, if there are any, "sentences"."""
    some = any("sentences" in axes.packed[n] for n in (number, other))
    units = ["pieces", "words", *(["sentences"] if some else [])]
    return {unit: pairs(_labels(axes, number, unit), _labels(axes, other, unit)) for unit in units}


def _labels(axes: Axes, number: int, unit: str) -> list[str]:
    axis = axes.packed[number]
    labels: list[str] = axis["labels"]
    indices = axis.get(unit)
    if indices is None:
        return labels
    starts = [0, *(i for i, (a, b) in enumerate(pairwise(indices), 1) if a != b), len(labels)]
    return ["".join(labels[start:end]) for start, end in pairwise(starts)]
