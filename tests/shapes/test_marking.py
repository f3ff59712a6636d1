from __future__ import annotations

import pytest

from xattn_viz.shapes.marking import mark
from xattn_viz.shapes.reading import read
from xattn_viz.shapes.scene import Scene, Thing

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
    assert mark(written, read(TRUE)) == said


RED = Thing("red", "circle", 0.6, 0.4, 0.17)


@pytest.mark.parametrize(
    "other",
    [Thing("blue", "star", 0.6, 0.55, 0.1), Thing("blue", "star", 0.3, 0.72, 0.1)],
    ids=["overlap", "on a diagonal"],
)
def test_a_scene_unlike_those_of_the_training_is_called_so(other: Thing) -> None:
    assert "no scene of the training was like it" in mark("", Scene((RED, other)))
