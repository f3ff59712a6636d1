from __future__ import annotations

from datetime import datetime

import pytest
import torch
from torch import Generator

from xattn_viz.lessons.tasks import PADDING, START, TASKS


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
