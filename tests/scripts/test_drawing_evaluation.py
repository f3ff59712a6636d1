from __future__ import annotations

import json

import numpy as np

from scripts.train.drawing_evaluation import JUDGE, prompts_right, regions, shares
from xattn_viz.models.families import diffusion
from xattn_viz.shapes import draw, prompts


def test_the_judge_passes_true_drawings() -> None:
    chance = np.random.default_rng(5)
    for two in (False, True):
        asked = [prompts.random_prompt(chance, two=two) for _ in range(100)]
        said = [prompt for prompt, _ in asked]
        assert shares(said, [draw(scene, 48) for _, scene in asked])["fully"] >= JUDGE


def test_the_packaged_model_draws_as_often_right_as_is_written_beside_it() -> None:
    said = json.loads((diffusion.OWN_FOLDER / "evaluation.json").read_text(encoding="utf-8"))["drawn"]
    assert min(said["judge"].values()) >= JUDGE
    assert said["count"] == 200
    assert said["one"]["fully"] >= 0.95
    assert said["two"]["fully"] >= 0.6
    few = prompts_right(diffusion.OWN_FOLDER, 12, steps=10)
    assert few["one"]["fully"] + few["two"]["fully"] >= 1.5  # of 24 that are drawn in fewer steps


def test_regions_of_words_are_those_of_their_things() -> None:
    found = regions(diffusion.OWN_FOLDER, 6, steps=10)
    assert found["prompts"] >= 3
    for kind in ("colour", "shape"):  # of the head that is best, which no training made so
        best = found[f"{kind}: head"]
        assert best["iou"] > 1.5 * found["all"]
        assert best["iou"] > 2 * best["other"]


def test_guidance_does_not_break_the_pictures() -> None:
    guided = prompts_right(diffusion.OWN_FOLDER, 5, guidance=5.0, steps=10)
    assert guided["one"]["fully"] + guided["two"]["fully"] >= 1.6  # of 10
