"""Tasks whose answers are read from known places, so that one can say before training what a map ought to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import torch
from torch import Generator, Tensor

#: Indices that every vocabulary begins with: what fills up a shorter source, and what the decoder reads first.
PADDING, START = 0, 1
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_DAY, _DAYS = date(1990, 1, 1), 365 * 60


class Batch(NamedTuple):
    """Examples of a task.

    `source` `[batch, key]` and `target` `[batch, query]` are indices of symbols. `padding` `[batch, key]` is True where
    the source is filled up. `path` `[batch, query, key]` is True where a symbol of the target ought to be read from; a
    row without any is a symbol that is nowhere in the source.
    """

    source: Tensor
    target: Tensor
    padding: Tensor
    path: Tensor

    def read(self) -> Tensor:
        """What the decoder reads at each step, `[batch, query]`: the start, then the target up to the one before."""
        start = torch.full_like(self.target[:, :1], START)
        return torch.cat([start, self.target[:, :-1]], 1)


@dataclass(frozen=True)
class Task:
    """A task: its title, the symbols by index, and the length of its examples (`grows`: whether that can be chosen).

    `path` says in words where a map of it ought to have its weight.
    """

    name: str
    title: str
    symbols: tuple[str, ...]
    length: int
    grows: bool
    path: str
    _make: Callable[[Generator, int, int, bool], Batch]

    def sample(self, generator: Generator, batch: int, length: int | None = None, *, held_out: bool = False) -> Batch:
        """Examples drawn from `generator`; `held_out` are those that are never trained on.

        Raises ValueError on a length that the task does not have.
        """
        length = self.length if length is None else length
        if not self.grows and length != self.length:
            raise ValueError(f"{self.title} are {self.length} characters long: got {length}.")
        if not 1 <= length <= len(LETTERS):
            raise ValueError(f"A source has 1 to {len(LETTERS)} letters, no two alike: got {length}.")
        return self._make(generator, batch, length, held_out)

    def words(self, indices: Tensor) -> list[str]:
        """The symbols of a row of indices."""
        return [self.symbols[int(index)] for index in indices]


def _letters(order: Callable[[Tensor], Tensor]) -> Callable[[Generator, int, int, bool], Batch]:
    """Letters, no two alike, and the same in another order: `order` says from which position each is read.

    There are so many rows of letters that those held out are simply drawn as well: of 26 letters four can stand in
    358,800 orders, eight in 63 thousand million.
    """

    def make(generator: Generator, batch: int, length: int, held_out: bool) -> Batch:
        drawn = torch.rand(batch, len(LETTERS), generator=generator).argsort(1)[:, :length]
        positions = order(drawn)
        path = torch.nn.functional.one_hot(positions, length).bool()
        source = drawn + START + 1
        return Batch(source, source.gather(1, positions), torch.zeros_like(source, dtype=torch.bool), path)

    return make


def _forwards(drawn: Tensor) -> Tensor:
    return torch.arange(drawn.shape[1]).expand_as(drawn)


def _backwards(drawn: Tensor) -> Tensor:
    return _forwards(drawn).flip(1)


def _alphabetically(drawn: Tensor) -> Tensor:
    return drawn.argsort(1)


_CHARACTERS = tuple(sorted(set("".join(MONTHS)))) + tuple("0123456789 -")
_DATE_LENGTH = len("22 nov 2026")


def _dates(generator: Generator, batch: int, length: int, held_out: bool) -> Batch:
    """Days of sixty years: "22 nov 2026" and "2026-11-22". Year, month and day are read from theirs.

    Every tenth day is held out.
    """
    tens = torch.randint(_DAYS // 10, (batch,), generator=generator) * 10
    others = torch.randint(1, 10, (batch,), generator=generator)
    days = (tens if held_out else tens + others).tolist()
    written = [_FIRST_DAY + timedelta(day) for day in days]
    sources = [f"{day.day} {MONTHS[day.month - 1]} {day.year}" for day in written]
    index = {character: START + 1 + i for i, character in enumerate(_CHARACTERS)}
    source = torch.tensor([[index[c] for c in text] + [PADDING] * (length - len(text)) for text in sources])
    target = torch.tensor([[index[c] for c in day.isoformat()] for day in written])
    path = torch.zeros(batch, target.shape[1], length, dtype=torch.bool)
    for row, text in zip(path, sources, strict=True):
        month = text.index(" ") + 1
        row[0:4, month + 4 : len(text)] = True
        row[5:7, month : month + 3] = True
        row[8:10, 0 : month - 1] = True
    return Batch(source, target, source == PADDING, path)


def _named(*tasks: Task) -> dict[str, Task]:
    return {task.name: task for task in tasks}


_OF_LETTERS = ("", "start", *LETTERS)

#: The tasks by name.
TASKS = _named(
    Task("copy", "Copy", _OF_LETTERS, 8, True, "the diagonal", _letters(_forwards)),
    Task("reverse", "Reverse", _OF_LETTERS, 8, True, "the anti-diagonal", _letters(_backwards)),
    Task("sort", "Sort", _OF_LETTERS, 8, True, "the permutation that sorts", _letters(_alphabetically)),
    Task("dates", "Dates", ("", "start", *_CHARACTERS), _DATE_LENGTH, False, "the field that is written", _dates),
)
