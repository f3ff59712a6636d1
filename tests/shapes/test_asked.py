"""Pictures to ask about by name, their questions, and the share of weight on their parts."""

from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import asked
from xattn_viz.shapes.scene import Scene


@pytest.mark.parametrize("kind", asked.KINDS)
def test_a_name_always_draws_the_same_and_its_questions_are_about_what_is_there(kind: str) -> None:
    subject = asked.named(f"{kind}-4")
    asked.named.cache_clear()
    again = asked.named(f"{kind}-4")
    np.testing.assert_array_equal(subject.drawing.picture, again.drawing.picture)
    assert list(subject.questions) == list(again.questions)
    assert {question.text for question in subject.offered} <= set(subject.questions)
    assert isinstance(subject.truth, Scene) == (kind == "scene")
    if kind == "pie":
        most = max(subject.truth.marks, key=lambda mark: mark.tenths)  # type: ignore[union-attr]
        found = subject.questions["which slice is largest ?"]
        assert found.answer == most.label.lower()
        assert f"the slice of {most.label}" in [subject.name_of(part) for part in found.about]
    assert subject.name_of(-1) == "paper"
    assert asked.next_to(f"{kind}-{asked.MOST}") == f"{kind}-1"


@pytest.mark.parametrize("name", ["", "bar", "bar-", "bar-1000", "dot-1", "bar-١", "bar-1 "])
def test_what_is_no_name_is_none(name: str) -> None:
    assert not asked.is_name(name)
    with pytest.raises(ValueError, match="There is no picture"):
        asked.named(name)


def test_weight_on_one_patch_lies_on_the_parts_of_its_pixels() -> None:
    owner = np.full((8, 8), -1, np.int16)
    owner[:2, 2:4] = 0
    owner[4:, 4:] = 1
    weights = np.zeros((2, 2))
    weights[0, 0] = 0.5  # 4 × 4 pixels, of which 4 are of part 0
    shares = asked.share_by_part(weights, owner, 2)
    np.testing.assert_allclose(shares, [0.25, 0, 0.75])
    weights[1, 1] = 0.5  # all of it is part 1
    np.testing.assert_allclose(asked.share_by_part(weights, owner, 2), [0.125, 0.5, 0.375])
    assert not asked.share_by_part(np.zeros((2, 2)), owner, 2).any()
