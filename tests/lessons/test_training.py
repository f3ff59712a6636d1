"""What training reaches. Shares are of examples that were not trained on, and move a few hundredths with the seed."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator

from xattn_viz.lessons.training import (
    HELD_OUT,
    MOST_STEPS,
    PADDING,
    START,
    TASKS,
    Record,
    Setting,
    Training,
    on_path,
    snippet,
)

LENGTHS = (4, 10, 16)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """Threads of models this small wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def trained(**said: Any) -> tuple[Training, list[Record]]:
    training = Training(Setting(**said))
    return training, list(training)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reverse_learns_the_anti_diagonal(seed: int) -> None:
    training, records = trained(task="reverse", seed=seed, steps=150)
    assert records[-1].step == 150 <= MOST_STEPS
    assert records[0].on_path[0] == pytest.approx(1 / 8, abs=0.03)  # one key of eight, by chance
    assert records[-1].on_path[0] > 0.9
    assert records[-1].outputs[0] > 0.95
    (shown,) = training.example.on_path(records[-1].weights)
    assert shown > 0.9
    assert shown == pytest.approx(float(np.fliplr(records[-1].weights[0, 0]).trace()) / 8, abs=1e-6)
    assert records[-1].predicted == training.example.target == training.example.source[::-1]


def test_copy_learns_the_diagonal() -> None:
    training, records = trained(task="copy", steps=150)
    assert records[-1].on_path[0] > 0.9
    assert float(records[-1].weights[0, 0].trace()) / 8 == pytest.approx(
        training.example.on_path(records[-1].weights)[0], abs=1e-6
    )


def test_sort_learns_the_permutation_with_a_part_of_its_weight_on_neighbours_in_the_alphabet() -> None:
    """0.61 to 0.75 lie on the letter itself; most of the rest on the letter before or after it in the sorted row."""
    training, records = trained(task="sort", steps=250)
    assert records[-1].outputs[0] > 0.95
    assert records[-1].on_path[0] > 0.5
    weights = records[-1].weights[0, 0]
    order = training.example.path.argmax(1)
    sorted_keys = weights[:, order]  # [query, rank of the key]
    near = np.triu(np.tril(sorted_keys, 2), -2).sum() / 8
    assert near > 0.9


def test_dates_are_read_from_their_fields() -> None:
    _, records = trained(task="dates", steps=200)
    assert records[-1].outputs[0] > 0.9
    assert records[-1].on_path[0] > 0.6 > 1.5 * records[0].on_path[0]


@pytest.mark.parametrize("task", ["reverse", "sort"])
def test_cross_attention_before_self_attention_trains_too(task: str) -> None:
    _, records = trained(task=task, order="swapped", steps=150 if task == "reverse" else 250)
    assert records[-1].outputs[0] > 0.95
    assert records[-1].on_path[0] > (0.9 if task == "reverse" else 0.3)


def test_both_of_two_layers_find_the_path() -> None:
    _, records = trained(task="copy", layers=2, steps=150)
    assert records[-1].weights.shape == (2, 1, 8, 8)
    assert min(records[-1].on_path) > 0.7
    assert max(records[-1].on_path) > 0.9


def test_a_fixed_context_falls_behind_as_length_grows() -> None:
    """Of 16 letters it writes hardly a copy that is right, where cross-attention writes nearly all."""
    (cross, ours), (fixed, theirs) = (
        trained(task="copy", lengths=LENGTHS, steps=250, model=model) for model in ("cross-attention", "fixed context")
    )
    assert fixed.parameters > cross.parameters  # it is not the smaller of the two
    ahead = [a - b for a, b in zip(ours[-1].symbols, theirs[-1].symbols, strict=True)]
    assert ahead == sorted(ahead)
    assert ahead[-1] > 0.2
    assert theirs[-1].outputs[0] > 0.5 > 0.2 > theirs[-1].outputs[-1]
    assert ours[-1].outputs[-1] > 0.8


def test_both_models_are_trained_on_the_very_same_batches() -> None:
    cross, fixed = (Training(Setting(lengths=LENGTHS, model=model)) for model in ("cross-attention", "fixed context"))
    seen: dict[Training, list[torch.Tensor]] = {}
    for training in (cross, fixed):
        made, sample = seen.setdefault(training, []), training.task.sample
        object.__setattr__(training, "task", Spy(sample, made))
        for _ in range(4):
            training.update()
    assert all(torch.equal(a, b) for a, b in zip(seen[cross], seen[fixed], strict=True))


class Spy:
    """A task that notes the sources which it gives."""

    def __init__(self, sample: Any, made: list[torch.Tensor]) -> None:
        self._sample, self._made = sample, made

    def sample(self, *settings: Any) -> Any:
        batch = self._sample(*settings)
        self._made.append(batch.source)
        return batch


def test_a_seed_gives_the_same_training_and_no_other_generator_is_touched() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (list(Training(Setting(seed=seed, steps=12))) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [record.step for record in one] == [0, 5, 10, 12]
    for a, b in zip(one, same, strict=True):
        for x, y in zip(astuple(a), astuple(b), strict=True):
            assert np.array_equal(x, y)
    assert other[-1].loss != one[-1].loss


def test_the_share_of_right_outputs_is_that_of_greedy_decoding() -> None:
    training = Training(Setting(task="dates", steps=60))
    record = list(training)[-1]
    (batch,) = training._held_out
    written = torch.full((HELD_OUT, 1), START)
    with torch.no_grad():
        for _ in range(batch.target.shape[1]):
            logits = training.model(batch.source, written, batch.padding).logits
            written = torch.cat([written, logits[:, -1:].argmax(-1)], 1)
    right = (written[:, 1:] == batch.target).all(1).float().mean()
    assert 0 < record.outputs[0] < 1
    assert record.outputs[0] == pytest.approx(float(right), abs=1.5 / HELD_OUT)  # a tie may fall otherwise


def test_the_share_on_a_path_counts_the_rows_that_have_one() -> None:
    weights = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [0.1, 0.3, 0.6]])[None, None, None]
    path = torch.tensor([[True, True, False], [False, False, False], [False, False, True]])[None]
    assert on_path(weights.expand(1, 2, 1, 3, 3), path).tolist() == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"task": "knit"}, "no task 'knit': choose one of copy, reverse"),
        ({"steps": 1501}, "0 to 1500 steps: got 1501"),
        ({"layers": 3}, "one or two layers: got 3"),
    ],
)
def test_what_cannot_be_trained_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Setting(**said)


@pytest.mark.parametrize(
    "settings",
    [
        [Setting(steps=10)],
        [
            Setting("copy", lengths=(2, 3), steps=10),
            Setting("copy", "fixed context", seed=2, lengths=(2, 3), steps=10),
        ],
    ],
)
def test_the_notebook_prints_the_pages_numbers(settings: list[Setting], capsys: pytest.CaptureFixture[str]) -> None:
    code = snippet(settings)
    assert len(code.splitlines()) <= 15
    exec(code, {})  # noqa: S102 - the script is our own
    for line, setting in zip(capsys.readouterr().out.splitlines(), settings, strict=True):
        last = list(Training(setting))[-1]
        assert line == f"{last.step} {last.loss} {last.outputs} {last.on_path}"


def test_a_training_can_be_left_and_taken_up_again() -> None:
    whole = list(Training(Setting(steps=15)))
    training = Training(Setting(steps=15))
    parts = [*islice(training, 2), *training]
    assert [record.loss for record in parts] == [record.loss for record in whole]


@pytest.mark.parametrize(("name", "rule"), [("copy", list), ("reverse", lambda s: s[::-1]), ("sort", sorted)])
@pytest.mark.parametrize("length", [1, 8, 26])
def test_letters_and_where_each_is_read_from(name: str, rule: object, length: int) -> None:
    task = TASKS[name]
    batch = task.sample(Generator().manual_seed(1), 20, length)
    assert batch.source.shape == batch.target.shape == (20, length)
    assert torch.equal(batch.path.sum(-1), torch.ones(20, length, dtype=torch.long))
    assert torch.equal((batch.path * batch.source[:, None]).sum(-1), batch.target)  # the path leads to the symbol
    for source, target in zip(batch.source, batch.target, strict=True):
        letters = task.words(source)
        assert len(set(letters)) == length
        assert task.words(target) == rule(letters)  # type: ignore[operator]


def test_dates_and_where_each_field_is_read_from() -> None:
    task = TASKS["dates"]
    batch = task.sample(Generator().manual_seed(2), 200)
    for source, target, padding, path in zip(*batch, strict=True):
        said, written = "".join(task.words(source)), "".join(task.words(target))
        assert datetime.strptime(said, "%d %b %Y").date().isoformat() == written
        assert torch.equal(padding, source == PADDING)
        assert not (path & padding).any()
        day, month, year = said.split()
        for query, field in zip(range(10), [year] * 4 + [""] + [month] * 2 + [""] + [day] * 2, strict=True):
            assert "".join(task.words(source[path[query]])) == field
    assert any(padding.any() for padding in batch.padding)


def test_dates_that_are_held_out_are_never_trained_on() -> None:
    task, generator = TASKS["dates"], Generator().manual_seed(3)
    kept, trained = (
        {tuple(row.tolist()) for row in task.sample(generator, 4000, held_out=held_out).target}
        for held_out in (True, False)
    )
    assert len(kept) > 1000
    assert not kept & trained


def test_the_decoder_reads_the_start_and_then_the_target() -> None:
    batch = TASKS["copy"].sample(Generator().manual_seed(4), 3, 5)
    assert torch.equal(batch.read()[:, 0], torch.full((3,), START))
    assert torch.equal(batch.read()[:, 1:], batch.target[:, :-1])


def test_a_length_that_a_task_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="Dates are 11 characters long: got 12"):
        TASKS["dates"].sample(Generator(), 1, 12)
    with pytest.raises(ValueError, match="1 to 26 letters, no two alike: got 27"):
        TASKS["sort"].sample(Generator(), 1, 27)
