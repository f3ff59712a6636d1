from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from itertools import combinations
from math import hypot
from typing import Any

import numpy as np
import pytest

from xattn_viz.examples import HINTS, SCENES, SceneExample
from xattn_viz.models import registry
from xattn_viz.shapes import COLOURS, SHAPES, Scene, Thing, draw
from xattn_viz.shapes.scene import PAPER, RELATIONS, from_link, is_clear, positions, random_scene, snippet, to_link


def test_a_thing_is_called_by_its_radius_and_boxed_within_the_paper() -> None:
    assert Thing("red", "star", 0.5, 0.5, 0.1).size == "small"
    assert Thing("red", "star", 0.5, 0.5, 0.2).size == "large"
    assert Thing("red", "star", 0.1, 0.5, 0.2).box == pytest.approx((0, 0.3, 0.3, 0.7))


@pytest.mark.parametrize(
    ("colour", "shape", "x", "words"),
    [
        ("teal", "star", 0.5, "no colour 'teal'.*there are red, orange"),
        ("red", "heart", 0.5, "no shape 'heart'.*there are circle"),
        ("red", "star", 1.5, "lies off the paper"),
    ],
)
def test_what_has_no_name_or_place_is_refused(colour: str, shape: str, x: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Thing(colour, shape, x, 0.5, 0.2)


@pytest.mark.parametrize(
    ("relation", "across", "down"), [("above", 0, -1), ("below", 0, 1), ("left of", -1, 0), ("right of", 1, 0)]
)
def test_the_thing_named_first_lies_as_the_relation_says(relation: str, across: int, down: int) -> None:
    assert relation in RELATIONS
    (x, y), (other_x, other_y) = positions(relation)
    assert (x - other_x, y - other_y) == pytest.approx((0.46 * across, 0.46 * down))


def test_scenes_are_clear_without_overlap_and_the_same_for_a_seed() -> None:
    scenes = [random_scene(random) for random in [np.random.default_rng(1)] for _ in range(200)]
    again = [random_scene(random) for random in [np.random.default_rng(1)] for _ in range(200)]
    assert scenes == again
    counts = np.bincount([len(scene.things) for scene in scenes], minlength=4) / len(scenes)
    np.testing.assert_allclose(counts, [0, 0.3, 0.5, 0.2], atol=0.1)  # three standard deviations of 200
    for scene in scenes:
        assert is_clear(scene)
        for one, other in combinations(scene.things, 2):
            assert hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius


def test_pairs_held_out_never_occur_and_pairs_asked_for_always_do() -> None:
    random, pairs = np.random.default_rng(2), [("red", "ring"), ("blue", "square")]
    for _ in range(100):
        without, among = random_scene(random, without=pairs), random_scene(random, among=pairs)
        assert not {(thing.colour, thing.shape) for thing in without.things} & set(pairs)
        assert {(thing.colour, thing.shape) for thing in among.things} & set(pairs)


def test_a_scene_comes_back_to_a_hundredth() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        scene = random_scene(random)
        back = from_link(to_link(scene))
        assert [(thing.colour, thing.shape) for thing in back.things] == [(t.colour, t.shape) for t in scene.things]
        for ours, theirs in zip(back.things, scene.things, strict=True):
            assert (ours.x, ours.y, ours.radius) == pytest.approx((theirs.x, theirs.y, theirs.radius), abs=0.00501)
        assert from_link(to_link(back)) == back
        assert (draw(from_link(to_link(back))) == draw(back)).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "red-circle",
        "red-circle-30-45-17_",
        "red-circle-30-45-0",
        "red-circle-30-145-17",
        "red-circle-30-45-99",
        "mauve-circle-30-45-17",
        "red-disc-30-45-17",
        "red-circle-\u0663-45-17",
        "<b>-circle-30-45-17",
        "_".join(["red-circle-30-45-17"] * 4),
        "_" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_link(text)


@pytest.mark.parametrize("example", [*SCENES, *HINTS], ids=lambda example: f"{example.slug} {example.model}")
def test_the_script_draws_the_scene_and_prints_its_caption(example: SceneExample) -> None:
    names: dict[str, Any] = {}
    options: dict[str, Any] = dict(example.options)
    printed = StringIO()
    with redirect_stdout(printed):
        exec(snippet(example.scene, example.model, options), names)  # noqa: S102
    assert names["scene"] == example.scene
    trace = registry.load(example.model).trace(draw(example.scene), **options)
    said, *rows = printed.getvalue().splitlines()
    assert said == trace.output
    weights = trace.cross.weights.mean((0, 1))
    wanted = [
        f"{label} {trace.cross.keys.name(int(row.argmax()))}"
        for label, row in zip(trace.cross.queries.labels or (), weights, strict=True)
    ]
    assert rows == wanted


# What share of the square around it a shape covers: π/4, 0.84², 3√3/16 and so on, from its own geometry.
COVERED = {
    "circle": np.pi / 4,
    "square": 0.84**2,
    "triangle": 3 * np.sqrt(3) / 16,
    "star": 10 * 0.5 * 0.45 * np.sin(np.pi / 5) / 4,
    "cross": (2 * 2 * 0.64 - 0.64**2) / 4,
    "ring": np.pi / 4 * (1 - 0.55**2),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_covers_what_its_geometry_says(shape: str) -> None:
    picture = draw(Scene((Thing("blue", shape, 0.4, 0.6, 0.25),)), 200).astype(float)
    ink = (PAPER[0] - picture[:, :, 0]) / (PAPER[0] - COLOURS["blue"][0])  # edges count by half
    # Pillow draws the pixels that an edge passes through: half a pixel of 800 more on each side.
    assert ink.sum() == pytest.approx(COVERED[shape] * (0.5 * 200) ** 2, rel=0.02)
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)
    assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(80, abs=1)
    if shape not in ("triangle", "star"):  # these reach farther up than down
        assert (rows[0] + rows[-1] + 1) / 2 == pytest.approx(120, abs=1)


def test_later_things_lie_on_top_and_the_paper_has_its_colour() -> None:
    things = (Thing("red", "square", 0.5, 0.5, 0.3), Thing("green", "circle", 0.5, 0.5, 0.1))
    picture = draw(Scene(things, paper=(10, 20, 30)), 64)
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    assert tuple(picture[32, 32]) == COLOURS["green"]
    assert tuple(picture[32, 20]) == COLOURS["red"]
    assert tuple(picture[0, 0]) == (10, 20, 30)
