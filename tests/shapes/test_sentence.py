from __future__ import annotations

import numpy as np
import pytest

from tests.growth import MOST, growth
from xattn_viz.shapes import caption, phrase, prompts
from xattn_viz.shapes.scene import Scene, Thing, is_clear, random_scene
from xattn_viz.shapes.sentence import MOST_CHARACTERS, named, nearest, ordered, parse, too_long, unknown, words


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


RED, BLUE, PINK = ("red", "circle"), ("blue", "square"), ("orange", "star")


def scene(*placed: tuple[tuple[str, str], float, float, float]) -> Scene:
    return Scene(tuple(Thing(*named, x, y, radius) for named, x, y, radius in placed))


def test_one_two_and_three_things_are_told_in_their_order() -> None:
    red, blue, star = (RED, 0.7, 0.2, 0.1), (BLUE, 0.2, 0.3, 0.2), (PINK, 0.45, 0.9, 0.1)
    assert caption(scene(red)) == "a small red circle"
    assert caption(scene(red, blue)) == caption(scene(blue, red)) == "a large blue square left of a small red circle"
    assert caption(scene((BLUE, 0.6, 0.8, 0.2), red)) == "a small red circle above a large blue square"
    told = caption(scene(red, star, blue))
    assert told == "a large blue square, a small orange star and a small red circle"


def test_without_sizes_the_article_fits_the_colour() -> None:
    assert phrase(Thing("orange", "ring", 0.5, 0.5, 0.1), sized=False) == "an orange ring"
    assert phrase(Thing("red", "ring", 0.5, 0.5, 0.1), sized=False) == "a red ring"


def test_nothing_and_a_crowd_have_no_caption() -> None:
    for many in (0, 4):
        with pytest.raises(ValueError, match=f"A scene of {many} things"):
            caption(scene(*[(RED, 0.5, 0.5, 0.1)] * many))


def test_what_lies_near_a_diagonal_or_level_is_not_clear() -> None:
    assert is_clear(scene((RED, 0.2, 0.5, 0.1), (BLUE, 0.8, 0.5, 0.1)))
    assert not is_clear(scene((RED, 0.2, 0.2, 0.1), (BLUE, 0.8, 0.75, 0.1)))
    assert not is_clear(scene((RED, 0.2, 0.2, 0.1), (BLUE, 0.25, 0.75, 0.1), (PINK, 0.8, 0.5, 0.1)))


def test_every_thing_of_a_true_caption_is_named_by_its_colour_and_its_shape() -> None:
    random = np.random.default_rng(11)
    for _ in range(100):
        scene = random_scene(random)
        words = caption(scene).replace(",", " ,").split()
        found = named(words, ordered(scene))
        assert [thing for _, thing in found[::2]] == [thing for _, thing in found[1::2]] == ordered(scene)
        assert [words[place] for place, _ in found] == [
            word for thing in ordered(scene) for word in (thing.colour, thing.shape)
        ]


def test_alike_things_are_told_by_their_order_and_what_is_not_there_is_left_out() -> None:
    lower, upper = Thing("red", "ring", 0.4, 0.8, 0.1), Thing("red", "ring", 0.6, 0.2, 0.1)
    things = ordered(Scene((lower, upper)))
    words = ["a", "Red", "ring", "above", "a", "red", "ring", "and", "a", "red", "ring"]
    assert named(words, things) == ((1, upper), (2, upper), (5, lower), (6, lower))
    assert named(["a", "blue", "ring", "above", "a", "red", "star"], things) == ()
    assert named([], things) == ()
