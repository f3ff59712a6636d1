"""The judgement of drawings: right drawings pass, and each kind of wrong one fails where it is wrong."""

from __future__ import annotations

import pytest

from xattn_viz.shapes import Scene, Thing, draw
from xattn_viz.shapes.checking import marks, verdict

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
    marked = marks(PROMPT, draw(scene, 48))
    assert {name for name, mark in marked.items() if not mark} == wrong


def test_the_verdict_says_what_is_there_instead() -> None:
    right = draw(things(("red", "circle", ABOVE), ("blue", "square", BELOW)), 48)
    assert verdict(PROMPT, right) == "Drawn as asked."
    assert "where they belong" in verdict("a red circle below a blue square", right)
    assert verdict("a red star above a blue square", right) == "Not as asked: it shows red circle and blue square."
    assert verdict("a red circle", right * 0 + 245) == "Not as asked: it shows nothing that has a name."
    for prompt in ("red", "a red circle a blue square", "a red circle above", "red circle above blue square"):
        assert verdict(prompt, right) == ""
