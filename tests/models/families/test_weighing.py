"""Weights that a prompt says itself: which there are, which cannot be and why, and that reading them is linear."""

from __future__ import annotations

import pytest

from tests.growth import MOST, growth
from xattn_viz.models.families.diffusion.prompt import read_weights


@pytest.mark.parametrize("has_brackets", [True, False])
@pytest.mark.parametrize(
    ("typed", "plain", "weights"),
    [
        ("a (blue:1.5) ring", "a blue ring", {"blue": 1.5}),
        ("(red ring: 0 ) (a:.5)", "red ring a", {"red ring": 0, "a": 0.5}),
        ("((blue):2)", "(blue)", {"(blue)": 2}),
        ("a (blue) ring", "a (blue) ring", {}),
        ("a ring)", "a ring)", {}),
    ],
)
def test_a_number_behind_a_colon_in_brackets_is_a_weight(
    typed: str, plain: str, weights: dict[str, float], has_brackets: bool
) -> None:
    read = read_weights(typed, has_brackets=has_brackets)
    assert (read.plain, read.faults) == (plain, ())
    assert "".join(typed[place] for place in read.places[:-1]) == plain
    assert read.places[-1] == len(typed)
    for said, factor in weights.items():
        start = plain.index(said)
        assert read.factors[start : start + len(said)] == (factor,) * len(said)
    assert sum(factor != 1 for factor in read.factors) == sum(map(len, weights))


WRONG = [
    ("(blue:-1)", "which is negative"),
    ("(blue:\u22122)", "which is negative"),
    ("(blue:inf)", "which is infinite"),
    ("(blue:∞)", "which is infinite"),
    ("(blue:1e999)", "which is infinite"),
    ("(blue:nan)", "which is no number"),
    ("(blue:11)", "which is too much"),
    ("( :2)", "which weighs no word"),
    ("((blue:2):3)", "which stands around another weight"),
    ("((((((blue:2):3):1):1):1):1)", "which stands around another weight"),
]
# A model that reads any text reads these too.
ONLY_WRONG_WITHOUT_BRACKETS = [
    ("(blue:much)", "which is no number"),
    ("(blue:1,5)", "which is no number"),
    ("(blue:)", "which is no number"),
    ("(blue:2", "whose bracket is not closed"),
    ("(blue: and a very long stretch of words)", "which is no number"),
]


@pytest.mark.parametrize(("typed", "why"), WRONG)
def test_a_weight_that_cannot_be_is_told_as_a_weight(typed: str, why: str) -> None:
    for has_brackets in (True, False):
        read = read_weights(f"a {typed} b", has_brackets=has_brackets)
        (fault,) = read.faults
        assert fault == f"{typed!r}, {why}"
        assert set(read.plain) <= set("a blue")  # its signs and numbers are no words


@pytest.mark.parametrize(("typed", "why"), ONLY_WRONG_WITHOUT_BRACKETS)
def test_what_is_text_for_some_models_is_a_wrong_weight_for_others(typed: str, why: str) -> None:
    assert read_weights(typed).faults == ()
    assert read_weights(typed).plain == typed
    (fault,) = read_weights(typed, has_brackets=False).faults
    assert fault.endswith(f", {why}")
    assert read_weights(typed, has_brackets=False).plain == "blue"


def test_a_weight_without_brackets_is_told_too() -> None:
    read = read_weights("a blue:2 ring", has_brackets=False)
    assert read.plain == "a blue ring"
    assert read.faults == ("':2', which stands in no brackets with its word",)
    assert read_weights("at 10:30").plain == "at 10:30"


def test_all_faults_are_found_and_a_long_one_is_cut() -> None:
    read = read_weights(f"(a:-1) (b:2) ({'c' * 500}:99)")
    assert [fault.split(", which")[1] for fault in read.faults] == [" is negative", " is too much"]
    assert len(read.faults[1]) < 80


@pytest.mark.parametrize("has_brackets", [True, False])
@pytest.mark.parametrize(
    "piece", ["(", "(a", "a", "(a:", "(:", "a:", "a:1", "(a:1)", "(a:1) ", ":1)", "( ", "((a:1)", "🇦"]
)
def test_reading_takes_as_long_as_the_text_is(piece: str, has_brackets: bool) -> None:
    assert growth(lambda text: read_weights(text, has_brackets=has_brackets), piece) < MOST
    closed = growth(
        lambda text: read_weights(text + ":1)" * (len(text) // len(piece)), has_brackets=has_brackets), piece
    )
    assert closed < MOST
