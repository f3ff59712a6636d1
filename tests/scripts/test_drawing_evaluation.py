"""The judgement of drawings: right drawings pass, and each kind of wrong one fails where it is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.train.drawing_evaluation import JUDGE, right, shares
from xattn_viz.scenes import Scene, Thing, draw, prompts

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
    marks = right(PROMPT, draw(scene, 48))
    assert {name for name, mark in marks.items() if not mark} == wrong


def test_the_judge_passes_true_drawings() -> None:
    chance = np.random.default_rng(5)
    for two in (False, True):
        asked = [prompts.example(chance, two=two) for _ in range(100)]
        said = [prompt for prompt, _ in asked]
        assert shares(said, [draw(scene, 48) for _, scene in asked])["fully"] >= JUDGE
