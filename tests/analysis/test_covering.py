"""Squares of a picture that are covered: against a model planted to look at one patch, and against runs by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.analysis.attribution import source_groups
from xattn_viz.analysis.faithfulness import PICTURE_RANKINGS, cover
from xattn_viz.core.axis import Axis
from xattn_viz.core.trace import Answer
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture, covered
from xattn_viz.models.base import ModelError
from xattn_viz.shapes import Scene, Thing, draw

SCENE = Scene((Thing("red", "circle", 0.3, 0.25, 0.12), Thing("blue", "star", 0.65, 0.7, 0.17)))


@pytest.fixture(scope="module")
def captioned() -> tuple[Any, xv.Trace]:
    model = xv.load("caption-shapes")
    return model, model.trace(draw(SCENE))


class Planted:
    """A model whose every token has a log-probability of -1, and of -5 where patch `needed` is covered."""

    def __init__(self, trace: xv.Trace, needed: int) -> None:
        self.card = SimpleNamespace(kinds=("cross",))
        self._key = int(trace.cross.keys.patches[needed])
        self.asked: list[int] = []

    def inspect(self, trace: xv.Trace, on_step: Any = None) -> Planted:
        return self

    def without(self, groups: Any, pairs: Any) -> Any:
        self.asked.append(len(groups))
        return np.array([[-5.0 if self._key in group else -1.0] * len(pairs) for group in groups])


def test_a_planted_model_needs_one_patch_and_nothing_else(captioned: tuple[Any, xv.Trace]) -> None:
    _, trace = captioned
    model = Planted(trace, 21)
    found = xv.attribute(model, trace, "occlusion")
    key = trace.cross.keys.patches[21]
    np.testing.assert_allclose(found.values[0, 0, :, key], 4)
    assert np.count_nonzero(found.values[0, 0, 0]) == 1
    assert model.asked == [66]  # 64 squares, all of it, and nothing of it
    gone, back = xv.deletion_curves(model, trace, seeds=6), xv.insertion_curves(model, trace, seeds=6)
    assert [curve.name for curve in gone.curves] == list(PICTURE_RANKINGS)
    assert gone.followed is not None
    assert back.followed is not None
    assert gone.followed.name == back.followed.name == "occlusion"
    # It falls at the first of ten steps and rises at the first: trapezoids of -1 to -5.
    sizes = gone.curves[1].fractions
    assert gone.curves[1].log_probs.tolist() == [-1] + [-5] * 10
    assert back.curves[1].log_probs.tolist() == [-5] + [-1] * 10
    assert gone.curves[1].area == pytest.approx(-3 * sizes[1] - 5 * (1 - sizes[1]))
    assert back.curves[1].area == pytest.approx(-3 * sizes[1] - 1 * (1 - sizes[1]))
    assert "Occlusion brings it back soonest" in back.sentence
    assert max(model.asked) <= (2 + 6) * 10 + 2  # bounded, whatever the picture


def test_squares_are_at_most_eight_a_side_and_hold_each_patch_once() -> None:
    for rows, columns in ((16, 16), (14, 14), (5, 9), (48, 30), (1, 1)):
        keys = Axis.picture(rows, columns, ("[CLS]",))
        groups = source_groups(keys)
        assert len(groups) <= 64
        assert sorted(key for group in groups for key in group) == keys.patches.tolist()
        first = [(place - 1) // columns for place in groups[0]]
        assert max(first) - min(first) < -(-max(rows, columns) // 8)


def test_a_captioner_is_read_again_over_the_picture_with_squares_covered(captioned: tuple[Any, xv.Trace]) -> None:
    model, trace = captioned
    found = xv.attribute(model, trace, "occlusion")
    assert "covered in the picture’s median colour" in found.how
    log_probs = np.array([step.log_prob for step in trace.steps])
    ids = [step.id for step in trace.steps]
    for square in (10, 18, 45, 63):
        picture = covered(np.asarray(trace.input), (8, 8), [square])
        again = model.trace(Picture(picture, is_resized=True), prefix=ids)
        falls = log_probs - np.array([step.log_prob for step in again.steps])
        np.testing.assert_allclose(found.values[0, 0, :, found.groups[square][0]], falls, atol=2e-4)  # float32
    # What it needs for "circle" lies where the circle is, and for "star" where the star is.
    for row, thing in ((3, SCENE.things[0]), (8, SCENE.things[1])):
        assert trace.cross.queries.name(row) == thing.shape
        place = int(np.argmax(found.values[0, 0, row, trace.cross.keys.patches]))
        left, top, right, bottom = thing.box
        assert left - 0.07 <= (place % 8 + 0.5) / 8 <= right + 0.07
        assert top - 0.07 <= (place // 8 + 0.5) / 8 <= bottom + 0.07
    deleted = xv.deletion_curves(model, trace, seeds=3, points=4)
    nothing = model.trace(Picture(covered(np.asarray(trace.input), (8, 8), range(64)), is_resized=True), prefix=ids)
    for curve in (*deleted.curves, *deleted.random):
        assert curve.log_probs[0] == pytest.approx(log_probs.mean(), abs=1e-3)
        assert curve.log_probs[-1] == pytest.approx(np.mean([step.log_prob for step in nothing.steps]), abs=1e-3)
    kept = trace.with_evidence(deleted).with_maps(found.maps)
    assert kept.of_kind("occlusion").keys.grid == (8, 8)


def test_where_it_looked_is_covered_and_it_writes_anew(captioned: tuple[Any, xv.Trace]) -> None:
    model, trace = captioned
    found = cover(model, trace, squares=5)
    assert (found.before, found.is_changed) == (trace.output, True)
    weights = trace.cross.weights.mean((0, 1)).sum(0)[trace.cross.keys.patches]
    assert found.groups == tuple(np.argsort(-weights, kind="stable")[:5])
    changed = (found.picture != trace.input).any(-1)
    for square in range(64):
        part = changed[square // 8 * 12 :, square % 8 * 12 :][:12, :12]
        assert square in found.groups or not part.any()
    again = cover(model, replace(trace, answers=(Answer("x", 1.0),)), squares=5)
    assert again.groups == found.groups  # all of a caption is written
    for wrong in (0, 65):
        with pytest.raises(InputError, match="Of 64 squares"):
            cover(model, trace, squares=wrong)


def test_what_a_picture_cannot_be_asked_is_said(captioned: tuple[Any, xv.Trace]) -> None:
    model, trace = captioned
    for method in ("value-norms", "input-x-gradient"):
        with pytest.raises(ModelError, match="Of a picture only occlusion"):
            xv.attribute(model, trace, method)
    with pytest.raises(ModelError, match="other weights"):
        xv.attribute(model, replace(trace, provenance={**trace.provenance, "weights_sha256": "0"}), "occlusion")
    text = xv.load("firefox-en-pt")
    with pytest.raises(InputError, match="squares of a picture"):
        cover(text, text.trace("A cat."))
