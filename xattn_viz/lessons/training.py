"""Toy tasks whose answers are read from known places, and training a model of one, update by update.

One can say before training what a map ought to be. Whoever iterates decides when it stops and whether it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from xattn_viz.core.records import quoted
from xattn_viz.lessons.model import EncoderDecoder, FixedContext, Order, Predicted, initialised

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


#: The most updates of a training.
MOST_STEPS = 1500
# Updates from one record to the next: a map forms early, and in few of them.
_EARLY, _EVERY_EARLY, _EVERY = 100, 5, 25
BATCH, HELD_OUT = 64, 256
_WARM_UP = 50
# For the fixed context the best of 0.01, 0.02, 0.04 and 0.08 on the longest sources of `reverse`.
_RATES = {"cross-attention": 0.01, "fixed context": 0.08}
# What is held out, and the example whose map is shown, are the same for every seed.
_HELD_OUT_SEED = 1706_03762
_SORTED = " To sort, a vector need only hold which letters there are, not their order."

Kind = Literal["cross-attention", "fixed context"]


@dataclass(frozen=True)
class Setting:
    """What is trained: the model (`layers` and `order` are those of cross-attention), its task, and for how long.

    Each batch has one of the `lengths`, the task's own where there are none. `seed` decides the first weights and all
    batches. Raises ValueError on what cannot be trained.
    """

    task: str = "reverse"
    model: Kind = "cross-attention"
    layers: int = 1
    order: Order = "usual"
    seed: int = 0
    lengths: tuple[int, ...] = ()
    steps: int = 400

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"There is no task {quoted(self.task)}: choose one of {', '.join(TASKS)}.")
        if not 0 <= self.steps <= MOST_STEPS:
            raise ValueError(f"A training has 0 to {MOST_STEPS} steps: got {self.steps}.")
        if not 1 <= self.layers <= 2:
            raise ValueError(f"A model has one or two layers: got {self.layers}.")


@dataclass(frozen=True)
class Record:
    """How a training stands after `step` updates, on examples that it is not trained on.

    `loss` is the cross-entropy in nats a symbol. `symbols` and `outputs` are the shares of symbols and of whole outputs
    that are right, one a length; when all symbols are right after the right ones before, greedy decoding writes that
    very output. `on_path` is the share of the cross-attention that lies on the path, one a layer. `weights`
    `[layer, head, query, key]` are those of the one example, and `predicted` its output, symbol by symbol. A model
    without attention has no layer of either.
    """

    step: int
    loss: float
    symbols: tuple[float, ...]
    outputs: tuple[float, ...]
    on_path: tuple[float, ...]
    weights: NDArray[np.float32]
    predicted: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """The example whose map is recorded: its symbols, and its `path` `[query, key]`."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    path: NDArray[np.bool_]

    def on_path(self, weights: NDArray[np.float32]) -> tuple[float, ...]:
        """The share of a record's `weights` that lies on the path, one a layer."""
        shares = on_path(torch.from_numpy(weights)[None], torch.from_numpy(self.path)[None])
        return tuple(float(share) for share in shares)


class Training:
    """An iterator of records: the first before any update, then one every few updates until the last.

    It can be left and taken up again at any record. The same setting gives the same records on one machine.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting, self.step = setting, 0
        self.task: Task = TASKS[setting.task]
        self.lengths = setting.lengths or (self.task.length,)
        self.model = _make_model(setting)
        self._batches = Generator().manual_seed(setting.seed)
        drawn = Generator().manual_seed(_HELD_OUT_SEED)
        self._held_out = [self.task.sample(drawn, HELD_OUT, length, held_out=True) for length in self.lengths]
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=_RATES[setting.model], betas=(0.9, 0.98))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate)
        self._begun = False
        first = self._held_out[0]
        self._own = first.source[0] != PADDING
        self.example = Example(
            tuple(self.task.words(first.source[0][self._own])),
            tuple(self.task.words(first.target[0])),
            first.path[0][:, self._own].numpy(),
        )

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def __iter__(self) -> Training:
        return self

    def __next__(self) -> Record:
        if self._begun:
            if self.step >= self.setting.steps:
                raise StopIteration
            every = _EVERY_EARLY if self.step < _EARLY else _EVERY
            for _ in range(min(every, self.setting.steps - self.step)):
                self.update()
        self._begun = True
        return self._record()

    def update(self) -> None:
        """One update on a fresh batch."""
        chosen = int(torch.randint(len(self.lengths), (1,), generator=self._batches))
        batch = self.task.sample(self._batches, BATCH, self.lengths[chosen])
        self._optimizer.zero_grad()
        _loss(self._predicted(batch), batch).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._schedule.step()
        self.step += 1

    def _rate(self, step: int) -> float:
        # Up to the full rate, then down to nothing at the last step.
        left = (self.setting.steps - step) / max(1, self.setting.steps - _WARM_UP)
        return min((step + 1) / _WARM_UP, max(0.0, left))

    def _predicted(self, batch: Batch) -> Predicted:
        predicted: Predicted = self.model(batch.source, batch.read(), batch.padding)
        return predicted

    @torch.no_grad()
    def _record(self) -> Record:
        all_predicted = [self._predicted(batch) for batch in self._held_out]
        pairs = list(zip(all_predicted, self._held_out, strict=True))
        right = [predicted.logits.argmax(-1) == batch.target for predicted, batch in pairs]
        shares = torch.stack([on_path(predicted.weights, batch.path) for predicted, batch in pairs])
        first = all_predicted[0]
        return Record(
            self.step,
            float(np.mean([float(_loss(predicted, batch)) for predicted, batch in pairs])),
            tuple(float(ok.float().mean()) for ok in right),
            tuple(float(ok.all(1).float().mean()) for ok in right),
            tuple(float(share) for share in shares.mean(0)),
            first.weights[0][..., self._own].numpy(),
            tuple(self.task.words(first.logits[0].argmax(-1))),
        )


def on_path(weights: Tensor, path: Tensor) -> Tensor:
    """The share of the weight on the path, `[layer]`, over the rows that have one and over all heads.

    `weights` is `[batch, layer, head, query, key]`, `path` `[batch, query, key]`.
    """
    share = (weights * path[:, None, None]).sum(-1)  # [batch, layer, head, query]
    return share.movedim(-1, 1)[path.any(-1)].mean((0, 2))  # [batch, query, layer, head] -> [layer]


def _make_model(setting: Setting) -> nn.Module:
    symbols = len(TASKS[setting.task].symbols)
    with torch.device("meta"):
        if setting.model == "fixed context":
            model: nn.Module = FixedContext(symbols)
        else:
            model = EncoderDecoder(symbols, layers=setting.layers, order=setting.order)
    return initialised(model, Generator().manual_seed(setting.seed))


def _loss(predicted: Predicted, batch: Batch) -> Tensor:
    return functional.cross_entropy(predicted.logits.flatten(0, 1), batch.target.flatten())


def map_sentence(training: Training, record: Record) -> str:
    """How much of the map of the example lies where it ought to, and how well the task is solved."""
    return (
        f"Weight on {training.task.path}: {_on_path(training, record)}. Of unseen examples {record.symbols[0]:.2f} of "
        f"the symbols are right, {record.outputs[0]:.2f} of the outputs."
    )


def lengths_sentence(trainings: Mapping[str, Training], records: Mapping[str, Record]) -> str:
    """How well each model writes the longest outputs, and how large it is."""
    longest = max(next(iter(trainings.values())).lengths)
    shares = ", ".join(f"{name} {record.outputs[-1]:.2f}" for name, record in records.items())
    sizes = " and ".join(f"{training.parameters:,}" for training in trainings.values())
    said = f"Outputs of {longest} letters that are right: {shares}. The same examples for both; {sizes} parameters."
    return said + _SORTED if any(training.task.name == "sort" for training in trainings.values()) else said


def orders_sentence(trainings: Mapping[str, Training], records: Mapping[str, Record]) -> str:
    """How much of the map of each order lies where it ought to."""
    path = next(iter(trainings.values())).task.path
    said = "; ".join(f"{name} {_on_path(training, records[name])}" for name, training in trainings.items())
    outputs = " and ".join(f"{record.outputs[0]:.2f}" for record in records.values())
    return f"Weight on {path}: {said}. Unseen outputs that are right: {outputs}."


def _on_path(training: Training, record: Record) -> str:
    shares = [f"{share:.2f}" for share in training.example.on_path(record.weights)]
    return shares[0] if len(shares) == 1 else f"{shares[0]} in layer 1, {shares[1]} in layer 2"


def snippet(settings: Iterable[Setting]) -> str:
    """A script that trains what the settings say and prints of the last records what the page says of them."""
    return "\n".join(
        [
            "from xattn_viz.lessons.training import Setting, Training",
            "",
            "settings = [",
            *(f"    {_written(setting)}," for setting in settings),
            "]",
            "for setting in settings:",
            "    for record in Training(setting):",
            "        pass  # record.weights: [layer, head, query, key] of one example",
            "    print(record.step, record.loss, record.outputs, record.on_path)",
        ]
    )


def _written(setting: Setting) -> str:
    """The setting as one would write it: its task, and what differs from the defaults."""
    plain = Setting()
    names = [field.name for field in fields(setting)]
    said = [name for name in names if name == "task" or getattr(setting, name) != getattr(plain, name)]
    return f"Setting({', '.join(f'{name}={getattr(setting, name)!r}' for name in said)})"
