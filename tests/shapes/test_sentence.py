from __future__ import annotations

import numpy as np
import pytest

from tests.growth import MOST, growth
from xattn_viz.shapes import caption, prompts
from xattn_viz.shapes.scene import Scene, is_clear, random_scene
from xattn_viz.shapes.sentence import MOST_CHARACTERS, nearest, parse, too_long, unknown, words


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
    known = prompts.PROMPT_WORDS
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
    assert growth(prompts.parse_hint, piece) < MOST
    assert growth(prompts.parse_prompt, piece) < MOST


def apart(scene: Scene) -> bool:
    things = scene.things
    return all(
        np.hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius for i, a in enumerate(things) for b in things[i + 1 :]
    )


def test_what_a_caption_says_is_a_scene_of_that_caption() -> None:
    """Whatever caption the generator can write: reading it makes a clear scene, none over another, so captioned."""
    random = np.random.default_rng(5)
    for _ in range(300):
        said = caption(random_scene(random))
        scene = parse(said)
        assert caption(scene) == said
        assert is_clear(scene)
        assert apart(scene)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("red circle", "a large red circle"),
        ("The small red circle.", "a small red circle"),
        ("a red circle below a blue square", "a large blue square above a large red circle"),
        ("a red circle right of a blue square", "a large blue square left of a large red circle"),
        ("A red circle to the left of a blue square!", "a large red circle left of a large blue square"),
        ("a red circle and a small blue square", "a large red circle left of a small blue square"),
        ("a red ring, a blue star, and a pink cross", "a large red ring, a large blue star and a large pink cross"),
        ("A red ring. A blue star; a pink cross!", "a large red ring, a large blue star and a large pink cross"),
        ("the RED-circle, and a “blue star”,", "a large red circle left of a large blue star"),
        ("a small, red circle", "a small red circle"),
        ("a red ring, a blue star and a red ring", "a large red ring, a large blue star and a large red ring"),
    ],
)
def test_people_may_say_it_in_several_ways(sentence: str, said: str) -> None:
    assert caption(parse(sentence)) == said


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("a bleu hexagon", "no “bleu” (nearest: “blue”), “hexagon” (nearest: “"),
        ("a mauve ring", "”) in a scene: it knows small, large, red,"),
        ("<b>a red circle</b>", "no “b” (nearest: “"),
        ("a circle and a star", "“a circle” is no thing, “a star” is no thing"),
        ("a red circle " * 20_000, "260,000 characters, and at most 2,000 are read"),
        ("", "Something is missing"),
        ("a circle", "“a circle” is no thing"),
        ("a circle red", "is no thing"),
        ("a red circle left of", "Something is missing"),
        ("a red circle left a blue square", "is no thing"),
        ("a red circle, a blue ring, a pink star and a green cross", "4 things"),
        ("a red circle above a blue ring above a green star", "between two things"),
        ("a red circle above a blue ring and a green star", "between two things"),
    ],
)
def test_what_it_does_not_understand_it_says_in_a_sentence(sentence: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        parse(sentence)
    assert problem in str(refused.value)
