from __future__ import annotations

import pytest

from xattn_viz.shapes import Thing


def test_a_thing_is_called_by_its_radius_and_boxed_within_the_paper() -> None:
    assert Thing("red", "star", 0.5, 0.5, 0.1).size == "small"
    assert Thing("red", "star", 0.5, 0.5, 0.2).size == "large"
    assert Thing("red", "star", 0.1, 0.5, 0.2).box == pytest.approx((0, 0.3, 0.3, 0.7))


@pytest.mark.parametrize(
    ("colour", "shape", "x", "words"),
    [
        ("teal", "star", 0.5, "no colour 'teal'.*there are red, orange"),
        ("red", "heart", 0.5, "no shape 'heart'.*there are circle"),
        ("red", "star", 1.5, "lies off the paper"),
    ],
)
def test_what_has_no_name_or_place_is_refused(colour: str, shape: str, x: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Thing(colour, shape, x, 0.5, 0.2)
