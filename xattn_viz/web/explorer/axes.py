"""Axes packed for the explorer's script: labels made visible, the text between them, words and sentences.

Frames of sound have no labels but times, their padding left out: n + 1 edges in seconds. Patches of a picture have
the rows and columns of their grid besides; they are the first positions that are not special, row by row, and `parts`
says what stands behind them.

Several maps of a trace share an axis (the source is read by the cross-attention and by the encoder), so that each axis
is packed once and named by number. Two outputs of one source stand row by row: which token, word or sentence of one
stands for which of the other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
import sentencex  # type: ignore[import-untyped]

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import Span, visible, visible_text

#: A row of one output and its counterpart in the other; None where there is none.
Pair = tuple[int | None, int | None]

_HALVES = re.compile("[\ud800-\udfff]")  # lone surrogates, halves of a character


class Axes:
    """The axes of one payload, in the order of their numbers: `packed` is what the header holds.

    `sentences` says whether the sentence of each position is packed too.
    """

    def __init__(self, *, sentences: bool) -> None:
        self.packed: list[dict[str, Any]] = []
        self._sentences = sentences
        self._numbers: dict[tuple[Axis, str | None], int] = {}

    def add(self, axis: Axis, text: Any) -> int:
        """The number of an axis over its own text (anything but a string: sound or pictures)."""
        key = (axis, text if isinstance(text, str) else None)
        if key not in self._numbers:
            self._numbers[key] = len(self.packed)
            self.packed.append(_pack(axis, *key[1:], sentences=self._sentences))
        return self._numbers[key]

    def sentence_groups(self, number: int) -> list[list[int]]:
        """The positions of each sentence of an axis, in order; each position alone where it has no sentences."""
        axis = self.packed[number]
        indices = axis.get("sentences") or range(len(axis["labels"]))
        groups: list[list[int]] = []
        for position, index in enumerate(indices):
            if index == len(groups):
                groups.append([])
            groups[index].append(position)
        return groups


def own_frames(axis: Axis) -> int:
    """How many positions an axis has before its padding; all of them where it is no sound, or nothing but padding."""
    own = np.flatnonzero(~axis.is_padding)
    return int(own[-1]) + 1 if len(own) else 0


def sentence_spans(text: str) -> list[Span]:
    """The sentences of a text as (start, end) in characters, white space around them left out.

    By the rules for English of `sentencex`, which know the full stops of other scripts too.
    """
    found = sentencex.get_sentence_boundaries("en", _HALVES.sub("\ufffd", text))  # which takes nothing but UTF-8
    spans = [(bound["start_index"], bound["end_index"]) for bound in found]
    stripped = [(end - len(text[start:end].lstrip()), start + len(text[start:end].rstrip())) for start, end in spans]
    return [(start, end) for start, end in stripped if start < end]


def sentence_indices(text: str, spans: Sequence[Span], special: Sequence[bool]) -> tuple[int, ...]:
    """The sentence that each token belongs to, numbered 0, 1, 2, … without gaps, in order.

    A token that reaches into two sentences belongs to the first of them, a blank between two to the one before it.
    Special tokens are alone.
    """
    starts = [start for start, _ in sentence_spans(text)]
    indices: list[int] = []
    previous: object = None
    for position, (start, end) in enumerate(spans):
        begin = start + len(text[start:end]) - len(text[start:end].lstrip())  # a piece often brings its blank
        sentence = (
            ("alone", position)
            if special[position]
            else ("sentence", max(bisect_right(starts, min(begin, end - 1)), 1))
        )
        indices.append(indices[-1] + (sentence != previous) if indices else 0)
        previous = sentence
    return tuple(indices)


def _pack(axis: Axis, text: str | None, *, sentences: bool) -> dict[str, Any]:
    if axis.kind == "audio" and axis.times is not None:
        own = axis.times[: own_frames(axis)]
        return {"kind": axis.kind, "edges": [round(start, 4) for start, _ in own] + [round(own[-1][1], 4)]}
    labels = [visible(axis.name(i)) for i in range(len(axis))]
    special = axis.is_special.tolist()
    packed: dict[str, Any] = {"kind": axis.kind, "labels": labels, "words": axis.words, "special": special}
    if axis.grid is not None:
        packed["grid"] = axis.grid
    if axis.parts is not None:
        packed["parts"] = [(visible(name), start, end) for name, start, end in axis.parts]
    if axis.spans is not None and text is not None:
        marks = [not own and not axis.name(position).strip() for position, own in enumerate(special)]
        packed |= _between(axis.spans, marks, text)
        if sentences:
            packed["sentences"] = sentence_indices(text, axis.spans, special)
    return packed


def _between(spans: Sequence[Span], marks: Sequence[bool], text: str) -> dict[str, Any]:
    """The text before each token and after the last one, and the tokens that are blank; `marks` are those of a space.

    Blank ones have a sign for a label in a map, and stand as they are in a sentence.
    """
    gaps, blanks, end = [], {}, 0
    for position, (start, stop) in enumerate(spans):
        inside = text[start:stop].strip()
        # A mark often covers nothing: the space counts to the token behind it, or to none.
        if start == stop and marks[position] and text[end : end + 1].isspace():
            start, stop = end, end + 1
        if not inside and stop > max(start, end):
            inside = blanks[position] = text[max(start, end) : stop]
        start = text.find(inside, max(start, end) if position in blanks else start)
        gaps.append(visible_text(text[end : max(end, start)]))
        end = max(end, start + len(inside))
    return {"gaps": gaps, "rest": visible_text(text[end:])} | ({"blanks": blanks} if blanks else {})


def paired(labels: Sequence[str], others: Sequence[str]) -> list[Pair]:
    """Every row of both outputs, once and in order, beside its counterpart.

    Equal labels that `difflib` matches stand beside each other; between them rows are paired in turn, and what one
    output has more of has no counterpart.
    """
    found: list[Pair] = []
    for _, i, i_end, j, j_end in SequenceMatcher(None, labels, others, autojunk=False).get_opcodes():
        found.extend(zip_longest(range(i, i_end), range(j, j_end)))
    return found


def paired_by_units(axes: Axes, number: int, other: int) -> dict[str, list[Pair]]:
    """The pairs of two axes, by their numbers, for each unit: "pieces", "words" and, if there are any, "sentences"."""
    some = any("sentences" in axes.packed[n] for n in (number, other))
    units = ["pieces", "words", *(["sentences"] if some else [])]
    return {unit: paired(_labels(axes, number, unit), _labels(axes, other, unit)) for unit in units}


def _labels(axes: Axes, number: int, unit: str) -> list[str]:
    axis = axes.packed[number]
    labels: list[str] = axis["labels"]
    indices = axis.get(unit)
    if indices is None:
        return labels
    starts = [0, *(i for i, (a, b) in enumerate(pairwise(indices), 1) if a != b), len(labels)]
    return ["".join(labels[start:end]) for start, end in pairwise(starts)]
