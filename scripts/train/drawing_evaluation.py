"""How often `draw-shapes` draws what was asked for, judged by code that knows no model.

    python -m scripts.train.drawing_evaluation FOLDER [--count N] [--guidance G] [--steps N]

The prompts of two things are none that the model was trained on. Noise and prompts are always the same, and the
pictures are those that the page shows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.models.families import diffusion
from xattn_viz.shapes import prompts
from xattn_viz.shapes.judge import mark_drawing
from xattn_viz.shapes.scene import draw

UNSEEN = 90_002  # the seed of the prompts; the noise of each has its number for a seed
#: The least that the judge must score on true drawings for its word on the model's to count.
JUDGE = 0.98

Pictures = NDArray[np.uint8]


def main() -> None:
    """Print the shares as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--guidance", type=float, default=1.0)
    asked.add_argument("--steps", type=int, default=25)
    given = vars(asked.parse_args())
    print(json.dumps(prompts_right(given.pop("folder"), **given), indent=2))


def prompts_right(folder: Path, count: int = 200, *, guidance: float = 1.0, steps: int = 25) -> dict[str, Any]:
    """The shares of `count` prompts of one thing and of `count` of two that are drawn right, and of what in them.

    `judge` holds the shares that true drawings of the same prompts score. Raises ValueError where that is too little
    for a judgement.
    """
    chance = np.random.default_rng(UNSEEN)
    asked = {
        "one": [prompts.random_prompt(chance, two=False) for _ in range(count)],
        "two": [prompts.random_prompt(chance, two=True, trained=False) for _ in range(count)],
    }
    said = {name: [prompt for prompt, _ in each] for name, each in asked.items()}
    painter = diffusion.FAMILY.load(str(folder))
    pixels = painter.plain(said["one"][0], steps=1).shape[0]
    truth = {
        name: shares(said[name], [draw(scene, pixels) for _, scene in each])["fully"] for name, each in asked.items()
    }
    if min(truth.values()) < JUDGE:
        raise ValueError(f"The judge is no judge: on true drawings it scores {truth}.")
    drawn = {
        name: shares(each, [painter.plain(p, seed=i, guidance=guidance, steps=steps) for i, p in enumerate(each)])
        for name, each in said.items()
    }
    return {**drawn, "judge": truth, "count": count, "guidance": guidance, "steps": steps}


def shares(said: Sequence[str], drawn: Sequence[Pictures]) -> dict[str, float]:
    """What share of pictures is right, fully and in each respect."""
    marked = [mark_drawing(prompt, picture) for prompt, picture in zip(said, drawn, strict=True)]
    return {name: sum(each[name] for each in marked) / len(marked) for name in marked[0]}


if __name__ == "__main__":
    main()
