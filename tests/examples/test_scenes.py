"""What the notices of the example scenes say is so."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.train.captioner import HELD_OUT
from xattn_viz.analysis.heads import weight_by_part
from xattn_viz.analysis.localization import Share, share
from xattn_viz.examples import HINTS, SCENES, SceneExample
from xattn_viz.models import registry
from xattn_viz.shapes import COLOURS, caption, draw
from xattn_viz.shapes.scene import is_clear
from xattn_viz.shapes.sentence import named, ordered

BY_SLUG = {example.slug: example for example in SCENES}


def shares(example: SceneExample) -> tuple[list[Share], list[Share]]:
    """How the head to look at reads each colour and each shape that the caption names."""
    cross = registry.load(example.model).trace(draw(example.scene)).cross
    words = [cross.queries.name(i).strip() for i in range(len(cross.queries))]
    colours: list[Share] = []
    shapes: list[Share] = []
    for row, thing in named(words, ordered(example.scene)):
        found = colours if words[row] in COLOURS else shapes
        found.append(share(cross, example.layer, example.head, row, thing.box))
    assert len(colours) == len(shapes) > 0
    return colours, shapes


@pytest.mark.parametrize("slug", ["lantern", "row", "unseen"])
def test_shape_words_look_at_their_shapes(slug: str) -> None:
    _, shapes = shares(BY_SLUG[slug])
    assert all(one.weight > 0.5 and one.hit for one in shapes)


def test_another_head_serves_the_words_for_colours() -> None:
    (colour,), (shape,) = shares(BY_SLUG["alone"])
    assert colour.weight > 0.5
    assert colour.hit
    assert 0.2 < shape.weight < 0.3


def test_the_word_to_look_at_first_is_one_that_the_notice_speaks_of() -> None:
    first = {slug: caption(example.scene).replace(",", " ,").split()[example.word] for slug, example in BY_SLUG.items()}
    assert first == {"lantern": "circle", "row": "ring", "unseen": "star", "alone": "pink"}


def test_one_scene_holds_a_pair_never_trained_together_and_all_are_plain() -> None:
    unseen = [
        example.slug
        for example in SCENES
        if any((thing.colour, thing.shape) in HELD_OUT for thing in example.scene.things)
    ]
    assert unseen == ["unseen"]
    assert all(is_clear(example.scene) and caption(example.scene) for example in SCENES)


@pytest.mark.parametrize("example", HINTS, ids=lambda example: example.model)
def test_colours_of_a_grey_picture_read_the_hint_and_shapes_the_picture(example: SceneExample) -> None:
    options: dict[str, Any] = dict(example.options)
    cross = registry.load(example.model).trace(draw(example.scene), **options).cross
    labels = list(cross.queries.labels or ())
    assert labels[example.word] == "red"
    on_hint = dict(zip(labels, weight_by_part(cross)[example.layer, example.head, :, 1], strict=True))
    assert min(on_hint["red"], on_hint["blue"]) > 0.9
    assert example.model == "hint-separate" or max(on_hint["circle"], on_hint["star"]) < 0.1
    for colour in ("red", "blue"):
        read = cross.keys.name(int(cross.head(example.layer, example.head)[labels.index(colour)].argmax()))
        assert read in (colour, {"red": "circle", "blue": "star"}[colour])
