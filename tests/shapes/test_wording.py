from __future__ import annotations

import pytest

from tests.growth import MOST, growth
from xattn_viz.shapes import hints, prompts
from xattn_viz.shapes.wording import MOST_CHARACTERS, nearest, too_long, unknown, words


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("A RED circle, left of the blue square!", ["a", "red", "circle", "left", "of", "the", "blue", "square"]),
        ("“red-circle”; (ring)\u00a0…star", ["red", "circle", "ring", "star"]),
        ("red circle to the left of to the star", ["red", "circle", "left", "of", "to", "the", "star"]),
        ("bl\u200bue \ufeffRing", ["blue", "ring"]),
        ("ｒｅｄ circle's 🔴❤️ 2", ["red", "circle's", "2"]),
        ("cafe\u0301", ["café"]),
        (" ,.;", []),
    ],
)
def test_words_stand_between_signs(typed: str, read: list[str]) -> None:
    assert [word.text for word in words(typed)] == read


def test_a_word_knows_where_it_was_typed() -> None:
    typed = "«Red», to the LEFT"
    assert [typed[word.start : word.end] for word in words(typed)] == ["Red", "LEFT"]


def test_unknown_words_come_each_with_the_nearest_known_one() -> None:
    known = prompts.WORDS
    assert nearest("bleu", known) == "blue"
    assert nearest("sqare", known) == "square"
    assert nearest("cirlces", known) == "circle"
    assert nearest("hexagon", known) not in ("a", "an", "of")
    assert unknown(words("a bleu sqare bleu"), known) == "“bleu” (nearest: “blue”), “sqare” (nearest: “square”)"
    assert unknown(words("a blue square"), known) == ""
    many = unknown(words(" ".join(f"x{number}" for number in range(14))), known)
    assert many.count("nearest") == 10
    assert many.endswith(", 4 more")
    assert len(unknown(words("a" * 2_000), known)) < 100


def test_a_text_has_a_bound() -> None:
    assert too_long("a" * MOST_CHARACTERS, "The prompt") == ""
    assert too_long("(" + "a" * 50_000, "The prompt") == (
        "The prompt has 50,001 characters, and at most 2,000 are read: shorten it."
    )


PIECES = ["a", "a ", "'a", "a'", "a\u0301", "\u200b", "a\u200b", "to the ", "to the left ", "a,", "🇦", "red circle "]


@pytest.mark.parametrize("piece", PIECES)
def test_reading_takes_as_long_as_the_text_is(piece: str) -> None:
    assert growth(words, piece) < MOST
    assert growth(lambda text: prompts.with_articles(words(text)), piece) < MOST
    assert growth(hints.said, piece) < MOST
    assert growth(prompts.wanted, piece) < MOST
