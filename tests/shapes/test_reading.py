from __future__ import annotations

import numpy as np
import pytest

from xattn_viz.shapes import caption, chance
from xattn_viz.shapes.caption import is_clear
from xattn_viz.shapes.reading import read
from xattn_viz.shapes.scene import Scene


def apart(scene: Scene) -> bool:
    things = scene.things
    return all(
        np.hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius for i, a in enumerate(things) for b in things[i + 1 :]
    )


def test_what_a_caption_says_is_a_scene_of_that_caption() -> None:
    """Whatever caption the generator can write: reading it makes a clear scene, none over another, so captioned."""
    random = np.random.default_rng(5)
    for _ in range(300):
        said = caption(chance.scene(random))
        scene = read(said)
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
    assert caption(read(sentence)) == said


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
        read(sentence)
    assert problem in str(refused.value)
