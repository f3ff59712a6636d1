from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import Scene, Thing, caption, draw, prompts
from xattn_viz.shapes.prompts import hint, hinted_caption, parse_hint, things_of_unique_shape
from xattn_viz.shapes.scene import RELATIONS, in_grey
from xattn_viz.shapes.sentence import words


def test_a_prompt_and_its_scene_say_the_same() -> None:
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        prompt, scene = prompts.random_prompt(random)
        named, relation = prompts.parse_prompt(prompt)
        assert named == tuple((thing.colour, thing.shape) for thing in scene.things)
        assert len(prompt.split()) <= prompts.LONGEST
        assert set(prompt.split()) <= set(prompts.PROMPT_WORDS)
        seen.add(relation)
        if len(scene.things) == 2:
            one, other = scene.things
            across, down = one.x - other.x, one.y - other.y
            lies = {"left of": -across, "right of": across, "above": -down, "below": down}
            assert relation is not None
            assert lies[relation] > 0.3
    assert seen == {None, *RELATIONS}


def test_prompts_that_judge_are_never_trained_on() -> None:
    random = np.random.default_rng(1)
    trained = {prompts.random_prompt(random, two=True, trained=True)[0] for _ in range(2_000)}
    judging = {prompts.random_prompt(random, two=True, trained=False)[0] for _ in range(500)}
    assert not trained & judging
    assert len(judging) > 100


@pytest.mark.parametrize(
    ("words", "named", "relation"),
    [
        ("an orange ring", (("orange", "ring"),), None),
        ("a red circle right of a blue star", (("red", "circle"), ("blue", "star")), "right of"),
        ("a circle", (), None),
        ("", (), None),
    ],
)
def test_what_a_prompt_names_is_read(words: str, named: tuple[tuple[str, str], ...], relation: str | None) -> None:
    assert prompts.parse_prompt(words) == (named, relation)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Red circle, left of the orange square.", "a red circle left of an orange square"),
        ("an red circle", "a red circle"),
        ("circle", "a circle"),
        ("red a circle above of", "a red circle above of"),
        ("the", ""),
    ],
)
def test_articles_stand_where_models_learned_them(typed: str, read: str) -> None:
    found = prompts.with_articles(words(typed))
    assert " ".join(word.text for word in found) == read
    for word in found:
        assert typed[word.start : word.end].lower() in (word.text, "", "an", "the")


def test_prompts_by_chance_keep_their_articles() -> None:
    random = np.random.default_rng(4)
    for _ in range(300):
        prompt, _ = prompts.random_prompt(random)
        bare = prompt.replace("an ", "").replace("a ", "")
        for typed in (prompt, bare, prompt.upper()):
            assert " ".join(word.text for word in prompts.with_articles(words(typed))) == prompt


def test_a_prompt_names_things_in_their_order() -> None:
    things = (Thing("red", "star", 0.2, 0.5, 0.2), Thing("orange", "ring", 0.8, 0.5, 0.2))
    assert prompts.prompt(things, "above") == "a red star above an orange ring"
    assert prompts.prompt(things[:1]) == "a red star"


CIRCLE, SQUARE = Thing("red", "circle", 0.3, 0.2, 0.1), Thing("blue", "square", 0.4, 0.7, 0.17)
SCENE = Scene((CIRCLE, SQUARE))


def test_a_hint_says_what_it_was_made_of() -> None:
    colours = {"circle": "red", "square": "blue"}
    assert hint(colours) == "the circle is red, the square is blue"
    assert parse_hint(hint(colours)) == colours
    assert parse_hint("The CIRCLE is red, the circle is blue, the star red, is") == {"circle": "red"}
    assert (hint({}), parse_hint("")) == ("", {})


@pytest.mark.parametrize(
    ("colours", "grey", "expected"),
    [
        ({}, False, "a small red circle above a large blue square"),
        ({}, True, "a small circle above a large square"),
        ({"square": "pink"}, True, "a small circle above a large pink square"),
        ({"square": "pink"}, False, "a small red circle above a large pink square"),
        ({"star": "pink"}, True, "a small circle above a large square"),
    ],
)
def test_a_hint_wins_and_what_nobody_knows_is_left_out(colours: dict[str, str], grey: bool, expected: str) -> None:
    assert hinted_caption(SCENE, colours, grey=grey) == expected


def test_a_hint_cannot_tell_two_things_of_one_shape() -> None:
    twins = Scene((CIRCLE, Thing("green", "circle", 0.8, 0.3, 0.1), SQUARE))
    assert things_of_unique_shape(twins) == [SQUARE]
    assert hinted_caption(twins, {"circle": "pink"}, grey=False) == caption(twins)


def test_grey_is_grey_and_stays_so() -> None:
    picture = in_grey(draw(SCENE))
    assert (picture == picture[..., :1]).all()
    assert picture.std() > 10
    np.testing.assert_array_equal(in_grey(picture), picture)
