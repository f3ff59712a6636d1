"""Pictures, drawings, captions, places: right ones pass, and each kind of wrong one fails where it is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xattn_viz.shapes import draw, judge, prompts
from xattn_viz.shapes.judge import (
    NOTHING,
    RightPlaces,
    at_places,
    count_right,
    drawing_verdict,
    label_of,
    mark_caption,
    mark_drawing,
)
from xattn_viz.shapes.scene import Scene, Thing, random_scene
from xattn_viz.shapes.sentence import parse

Random = np.random.Generator


def named(scene: Scene) -> list[tuple[str, str]]:
    return [(thing.colour, thing.shape) for thing in sorted(scene.things, key=lambda thing: thing.x)]


@pytest.mark.parametrize(
    ("pixels", "make"),
    [(96, random_scene), (48, lambda random: prompts.random_prompt(random)[1])],
    ids=["scenes that are read", "scenes that are drawn"],
)
def test_true_drawings_are_read_back(pixels: int, make: Callable[[Random], Scene]) -> None:
    random = np.random.default_rng(3)
    scenes = [make(random) for _ in range(200)]
    found = [judge(draw(scene, pixels)) for scene in scenes]
    right = [sorted(named(s)) == sorted((f.colour, f.shape) for f in fs) for s, fs in zip(scenes, found, strict=True)]
    assert np.mean(right) >= 0.98


def test_a_thing_is_found_where_it_lies_and_a_speck_is_none() -> None:
    picture = draw(Scene((Thing("purple", "ring", 0.3, 0.7, 0.15),)), 96).copy()
    picture[2:4, 2:4] = (214, 40, 40)
    (ring,) = judge(picture)
    assert (ring.colour, ring.shape) == ("purple", "ring")
    assert (ring.x, ring.y) == pytest.approx((0.3, 0.7), abs=0.01)
    assert ring.fit > 0.85


def test_empty_paper_holds_nothing_and_a_bar_fits_no_shape() -> None:
    paper = np.full((48, 48, 3), 240, np.uint8)
    assert judge(paper) == ()
    paper[20:25, 5:45] = (37, 99, 235)
    (bar,) = judge(paper)
    assert bar.colour == "blue"
    assert bar.fit < 0.5


PROMPT = "a red circle above a blue square"
ABOVE, BELOW, LEFT, RIGHT = (0.5, 0.27), (0.5, 0.73), (0.27, 0.5), (0.73, 0.5)


def things(*named: tuple[str, str, tuple[float, float]]) -> Scene:
    return Scene(tuple(Thing(colour, shape, *place, 0.19) for colour, shape, place in named))


@pytest.mark.parametrize(
    ("scene", "wrong"),
    [
        (things(("red", "circle", ABOVE), ("blue", "square", BELOW)), set()),
        (things(("red", "circle", BELOW), ("blue", "square", ABOVE)), {"relation", "fully"}),
        (things(("red", "circle", LEFT), ("blue", "square", RIGHT)), {"relation", "fully"}),
        (things(("red", "square", ABOVE), ("blue", "circle", BELOW)), {"pairs", "fully"}),
        (things(("red", "circle", ABOVE), ("green", "square", BELOW)), {"colours", "pairs", "fully"}),
        (things(("red", "star", ABOVE), ("blue", "square", BELOW)), {"shapes", "pairs", "fully"}),
        (things(("red", "circle", ABOVE)), {"count", "colours", "shapes", "pairs", "relation", "fully"}),
    ],
)
def test_each_fault_is_found(scene: Scene, wrong: set[str]) -> None:
    marked = mark_drawing(PROMPT, draw(scene, 48))
    assert {name for name, mark in marked.items() if not mark} == wrong


def test_the_verdict_says_what_is_there_instead() -> None:
    right = draw(things(("red", "circle", ABOVE), ("blue", "square", BELOW)), 48)
    assert drawing_verdict(PROMPT, right) == "Drawn as asked."
    assert "where they belong" in drawing_verdict("a red circle below a blue square", right)
    assert (
        drawing_verdict("a red star above a blue square", right) == "Not as asked: it shows red circle and blue square."
    )
    assert drawing_verdict("a red circle", right * 0 + 245) == "Not as asked: it shows nothing that has a name."
    for prompt in ("red", "a red circle a blue square", "a red circle above", "red circle above blue square"):
        assert drawing_verdict(prompt, right) == ""


TRUE = "a large red circle left of a small blue star"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (TRUE, "Right to the last word."),
        ("a small red circle left of a small blue star", "Not quite: “small” stands for “large”."),
        (
            "a large red ring left of a small green star",
            "Not quite: “ring” stands for “circle”; “green” stands for “blue”.",
        ),
        ("a large red circle", "Not quite: “left of a small blue star” is missing."),
        (f"{TRUE}, {TRUE}", f"Not quite: “, {TRUE}” is too much."),
        ("", f"Not quite: “{TRUE}” is missing."),
    ],
)
def test_a_caption_is_right_or_its_wrong_words_are_named(written: str, said: str) -> None:
    assert mark_caption(written, parse(TRUE)) == said


RED = Thing("red", "circle", 0.6, 0.4, 0.17)


@pytest.mark.parametrize(
    "other",
    [Thing("blue", "star", 0.6, 0.55, 0.1), Thing("blue", "star", 0.3, 0.72, 0.1)],
    ids=["overlap", "on a diagonal"],
)
def test_a_scene_unlike_those_of_the_training_is_called_so(other: Thing) -> None:
    assert "no scene of the training was like it" in mark_caption("", Scene((RED, other)))


RING = Thing("red", "ring", 0.375, 0.375, 0.13)
CROSS = Thing("blue", "cross", 0.625, 0.375, 0.26)
# The middles of a grid of 4 lie at 0.125, 0.375, 0.625 and 0.875: the cross reaches those beside, above and below it.
WHERE = [
    *(None, None, CROSS, None),
    *(None, RING, CROSS, CROSS),
    *(None, None, CROSS, None),
    *(None, None, None, None),
]


def test_a_thing_lies_where_its_circle_does_and_the_later_one_on_top() -> None:
    assert list(at_places(Scene((CROSS, RING)), 4)) == WHERE
    under = [CROSS if thing is RING else thing for thing in WHERE]
    assert list(at_places(Scene((RING, CROSS)), 4)) == under


def test_answers_are_counted_over_all_places_and_over_those_inside() -> None:
    scene = Scene((CROSS, RING))
    answers = [label_of(thing) for thing in WHERE]
    assert count_right(answers, scene) == RightPlaces(16, 16, 5, 5)
    answers[0], answers[5], answers[6] = "blue cross", NOTHING, "blue ring"
    assert count_right(answers, scene) == RightPlaces(13, 16, 3, 5)
    with pytest.raises(ValueError, match="15 answers are not those of a square grid"):
        count_right(answers[1:], scene)
