"""Whether a picture is one that the models of coloured shapes know: what is told of others, and of scenes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import out_of_distribution as foreign
from scripts.train.out_of_distribution import OWN, seen
from xattn_viz.cli import main
from xattn_viz.models import out_of_distribution, registry
from xattn_viz.models.families.captioner import QUESTION
from xattn_viz.models.folder import ROOT_VARIABLE
from xattn_viz.models.out_of_distribution import Distribution, summary
from xattn_viz.shapes import Scene, Thing, draw

SCENE = draw(Scene((Thing("red", "circle", 0.3, 0.3, 0.17), Thing("blue", "star", 0.7, 0.7, 0.09))))
FOREIGN = [name for name in foreign.OTHER if name != "four to six shapes"]


def photograph() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """One of the repository's own screenshots, which is no scene either."""
    with Image.open(Path(__file__).parents[2] / "docs/translate-light.png") as picture:
        return np.asarray(picture.convert("RGB"))


MODELS = [card.name for card in registry.cards() if card.knows == "shapes" and card.input_kind == "image"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_shapes_says_that_a_picture_is_of_another_kind(name: str) -> None:
    model = registry.load(name)
    # One that knows charts too takes a screenshot for one at times (docs/images.md).
    asks = any(option.name == QUESTION for option in model.card.options)
    asked = {"question": "how many shapes ?"} if asks else {}
    other = foreign.OTHER["shapes on dark paper"](np.random.default_rng(0)) if asks else photograph()
    trace = model.trace(other, **asked)  # type: ignore[arg-type]  # options only
    (note,) = (said for said in trace.remarks if "knows only coloured shapes" in said)
    assert note.startswith("This model knows only coloured shapes")
    assert "and this picture is of another kind" in note
    assert trace.note("unfamiliar") == note
    assert model.trace(SCENE, **asked).note("unfamiliar") is None  # type: ignore[arg-type]


def test_a_root_for_the_folders_of_others_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    assert out_of_distribution.encoder()(SCENE).shape == (65, 128)


def test_the_command_line_says_it_apart_from_the_caption(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, pixels in (("photograph.png", photograph()), ("scene.png", SCENE)):
        Image.fromarray(pixels).save(tmp_path / name)
    assert main(["trace", "caption-shapes", str(tmp_path / "photograph.png")]) == 0
    said = capsys.readouterr()
    assert "knows only coloured shapes on paper" in said.err
    assert "knows only" not in said.out
    assert main(["trace", "caption-shapes", str(tmp_path / "scene.png")]) == 0
    assert "knows only" not in capsys.readouterr().err


@pytest.mark.parametrize("way", OWN)
def test_scenes_are_told_apart_in_all_the_ways_in_which_they_come(way: str) -> None:
    random, detector = np.random.default_rng(5), out_of_distribution.detector()
    far = [detector.distance(seen(OWN[way](random))) for _ in range(40)]
    assert np.mean(np.array(far) > 1) <= 0.05
    assert np.median(far) < 0.8


@pytest.mark.parametrize("kind", FOREIGN)
def test_pictures_of_another_kind_are_found(kind: str) -> None:
    random, detector = np.random.default_rng(6), out_of_distribution.detector()
    far = [detector.distance(seen(foreign.OTHER[kind](random))) for _ in range(40)]
    assert np.mean(np.array(far) > 1) >= 0.9


def test_the_distance_is_that_of_mahalanobis(tmp_path: Path) -> None:
    """With all directions kept, against the inverse of the covariance; and it comes back from its file."""
    random = np.random.default_rng(1)
    states = random.normal(size=(200, 4, 2)).astype(np.float32) * np.array([3, 0.5], np.float32)
    summaries = np.stack([summary(one) for one in states])
    known = Distribution.of(summaries, 5)
    inverse = np.linalg.inv(np.cov(summaries.T.astype(np.float64)))
    away = summaries - summaries.mean(0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away) / summaries.shape[1])
    np.testing.assert_allclose([known.distance(one) for one in states], expected, rtol=1e-3)
    known.write(tmp_path / "known.npz")
    again = Distribution.read(tmp_path / "known.npz")
    np.testing.assert_allclose(again.distance(states[0]), expected[0], rtol=1e-2)
