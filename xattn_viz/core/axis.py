"""What the positions of one side of an attention map stand for: tokens, frames, patches."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.tokens import visible

AxisKind = Literal["text", "audio", "image", "latent"]


@dataclass(frozen=True)
class Axis:
    """What the positions of one side of a map stand for. Every field holds one entry a position.

    `labels` are strings for people; `spans` (start, end) in characters of the axis's own text; `words` the index of the
    word that a position belongs to (0, 1, 2, … without gaps, in order); `special` marks `</s>`, prompts and padding;
    `times` (start, end) in seconds of the whole recording. `grid` is (rows, columns) of image patches, which are the
    positions that are not special, row by row; those that are (a class token) have no place in the picture; the label
    of one that does says what a model answers there, empty where it says nothing. `parts` names stretches of
    concatenated sequences as (name, start, end) positions; behind a picture may then stand others, such as the words of
    a hint, which have no place in it either.

    Raises ValueError when the fields disagree about how many positions there are, when `words` skips or goes back, and
    for times that are no numbers, a grid without rows or columns, and parts that begin or end where no position is.
    """

    kind: AxisKind
    labels: tuple[str, ...] | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    words: tuple[int, ...] | None = None
    special: tuple[bool, ...] | None = None
    times: tuple[tuple[float, float], ...] | None = None
    grid: tuple[int, int] | None = None
    parts: tuple[tuple[str, int, int], ...] | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(value) for name in _PER_POSITION if (value := getattr(self, name)) is not None}
        if self.grid is not None:
            if min(self.grid) < 1:
                raise ValueError(f"A grid needs a row and a column at least: got {self.grid}.")
            lengths["grid"] = len(self)
        if not lengths:
            raise ValueError(
                "An axis needs labels, spans, words, special, times or a grid: nothing names its positions."
            )
        if len(set(lengths.values())) > 1:
            raise ValueError(f"An axis's fields disagree about its length: {lengths}.")
        if self.words is not None:
            steps = np.diff(np.array((-1, *self.words)))
            if len(self.words) and (self.words[0] != 0 or ((steps != 0) & (steps != 1)).any()):
                raise ValueError(f"Word indices must start at 0 and rise by 0 or 1: {self.words}.")

        if not all(math.isfinite(second) for time in self.times or () for second in time):
            raise ValueError("Times must be finite numbers of seconds.")
        for name, start, end in self.parts or ():
            if not 0 <= start <= end <= len(self):
                raise ValueError(f"The part {name!r:.60} reaches from {start} to {end}, of {len(self)} positions.")

    def __len__(self) -> int:
        if self.grid is not None:
            own = self.grid[0] * self.grid[1] + sum(self.special or ())
            return max(own, self.parts[-1][2]) if self.parts else own
        return len(next(value for name in _PER_POSITION if (value := getattr(self, name)) is not None))

    def name(self, position: int) -> str:
        """The label of a position, or its seconds, or its place in the grid, counted from 1."""
        if self.grid is not None and position in (patches := self.patches):
            row, column = divmod(int(np.searchsorted(patches, position)), self.grid[1])
            place, label = f"row {row + 1}, column {column + 1}", self.labels[position] if self.labels else ""
            return f"{place} ({label})" if label else place
        if self.labels is not None:
            return self.labels[position]
        if self.times is not None:
            return "{:.2f}–{:.2f} s".format(*self.times[position])
        return str(position)

    def __repr__(self) -> str:
        count, special = len(self), int(self.is_special.sum())
        if self.grid is not None:
            said = f"{self.grid[0]} × {self.grid[1]} patches"
        else:
            shown = [*range(min(count, _MOST_SHOWN - 2)), *range(max(count - 2, _MOST_SHOWN - 2), count)]
            names = [visible(self.name(i))[:_LONGEST_SHOWN] for i in shown]
            names[-2:-2] = ["…"] * (count > _MOST_SHOWN)
            said = " · ".join(names)
        return f"Axis({self.kind}, {count}: {said}{f', {special} special' if special else ''})"

    @classmethod
    def picture(cls, rows: int, columns: int, special: Sequence[str] = ()) -> Axis:
        """The patches of a picture, row by row, behind special positions of these names such as `[CLS]`."""
        if not special:
            return cls("image", grid=(rows, columns))
        patches = rows * columns
        labels, marks = (*special, *("",) * patches), (*(True,) * len(special), *(False,) * patches)
        return cls("image", labels=labels, special=marks, grid=(rows, columns))

    @property
    def patches(self) -> NDArray[np.intp]:
        """The positions that lie in the grid, row by row, `[patch]`; none on an axis without one."""
        if self.grid is None:
            return np.zeros(0, np.intp)
        return np.flatnonzero(~self.is_special)[: self.grid[0] * self.grid[1]]

    @property
    def is_timed(self) -> bool:
        """Whether positions are frames of sound, each at its moment."""
        return self.kind == "audio" and bool(self.times)

    @property
    def is_special(self) -> NDArray[np.bool_]:
        """Which positions are special, `[position]`."""
        return np.array(self.special if self.special is not None else (False,) * len(self), dtype=bool)

    @property
    def is_padding(self) -> NDArray[np.bool_]:
        """Which frames of sound are special, which means padding, `[position]`; none on an axis of anything else.

        None either where all are: nothing would be left to look at.
        """
        special = self.is_special
        return special if self.kind == "audio" and not special.all() else np.zeros_like(special)

    def take(self, positions: Iterable[int]) -> Axis:
        """The axis of some of the positions, in that order. Words are numbered anew.

        A grid survives where all of its patches do, and in their order.
        """
        chosen = list(positions)
        if self.grid is not None:
            return self._take_patches(chosen)
        picked: dict[str, Any] = {
            name: tuple(value[i] for i in chosen)
            for name in _PER_POSITION
            if (value := getattr(self, name)) is not None
        }
        if "words" in picked:
            old = picked["words"]
            fresh = np.cumsum([0, *(a != b for a, b in pairwise(old))])
            picked["words"] = tuple(int(i) for i in fresh[: len(old)])
        if not picked:
            picked["labels"] = tuple(self.name(i) for i in chosen)
        return Axis(self.kind, **picked)

    def _take_patches(self, chosen: list[int]) -> Axis:
        marks = tuple(self.is_special[chosen].tolist())
        special = marks if any(marks) else None
        names = tuple(self.name(i) for i in chosen)
        patches = self.patches.tolist()
        own = set(patches)
        if [i for i in chosen if i in own] != patches or chosen != sorted(chosen):
            return Axis(self.kind, labels=names, special=special)
        labels = self.labels or ("",) * len(self)
        kept = tuple(labels[i] if i in own else name for i, name in zip(chosen, names, strict=True))
        parts = self.parts and tuple(
            (name, bisect_left(chosen, start), bisect_left(chosen, end)) for name, start, end in self.parts
        )
        return Axis(self.kind, labels=kept if any(kept) else None, special=special, grid=self.grid, parts=parts)

    def to_words(self) -> Axis:
        """The axis whose positions are this one's words: labels joined, spans and times from first to last piece.

        Raises ValueError on an axis without words.
        """
        groups = self.word_groups()
        first, last = [g[0] for g in groups], [g[-1] for g in groups]
        return Axis(
            self.kind,
            labels=self.labels and tuple(self._word_name(g) for g in groups),
            spans=self.spans and tuple((self.spans[a][0], self.spans[b][1]) for a, b in zip(first, last, strict=True)),
            words=tuple(range(len(groups))),
            special=self.special and tuple(all(self.special[i] for i in g) for g in groups),
            times=self.times and tuple((self.times[a][0], self.times[b][1]) for a, b in zip(first, last, strict=True)),
        )

    def _word_name(self, positions: Sequence[int]) -> str:
        """The labels of a word's pieces, each character once; the mark of a space is no part of its name."""
        labels, end = self.labels or (), 0
        name = ""
        for i in positions:
            start, stop = self.spans[i] if self.spans is not None else (0, 0)
            if not labels[i].isspace():
                # Pieces that make one character only together have it all for a label.
                name += labels[i][max(end - start, 0) :] if stop > start else labels[i]
            end = max(end, stop)
        return name or "".join(labels[i] for i in positions)

    def word_groups(self) -> list[list[int]]:
        """The positions of each word, in order. Raises ValueError on an axis without words."""
        if self.words is None:
            raise ValueError(f"This {self.kind} axis of {len(self)} positions carries no words.")
        groups: list[list[int]] = [[] for _ in range(max(self.words, default=-1) + 1)]
        for position, word in enumerate(self.words):
            groups[word].append(position)
        return groups


_MOST_SHOWN, _LONGEST_SHOWN = 9, 24  # positions, and characters of each, that a representation shows
_PER_POSITION = ("labels", "spans", "words", "special", "times")
