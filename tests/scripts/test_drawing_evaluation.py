from __future__ import annotations

import numpy as np

from scripts.train.drawing_evaluation import JUDGE, shares
from xattn_viz.scenes import draw, prompts


def test_the_judge_passes_true_drawings() -> None:
    chance = np.random.default_rng(5)
    for two in (False, True):
        asked = [prompts.example(chance, two=two) for _ in range(100)]
        said = [prompt for prompt, _ in asked]
        assert shares(said, [draw(scene, 48) for _, scene in asked])["fully"] >= JUDGE
