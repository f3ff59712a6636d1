"""What the small image models can do, measured on scenes that they have never seen."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

from xattn_viz.models.families.captioner.hinted import HintedAdapter
from xattn_viz.shapes import COLOURS, Scene, caption, draw, prompts
from xattn_viz.shapes.scene import random_scene

UNSEEN = 90_001  # the seed of the scenes that judge
COUNT = 1_000
HINTED = 500  # scenes of each kind for a model that reads a hint


def captions(folder: Path, held_out: Collection[tuple[str, str]]) -> dict[str, Any]:
    """The share of captions that are right to the last word: of all pairs, and with pairs never trained together."""
    random = np.random.default_rng(UNSEEN)
    everywhere = [random_scene(random) for _ in range(COUNT)]
    never = [random_scene(random, among=held_out) for _ in range(COUNT)]
    return {
        "exact": exact(folder, everywhere),
        "exact_with_a_pair_never_trained": exact(folder, never),
        "by_things": {
            str(number): exact(folder, [scene for scene in everywhere if len(scene.things) == number])
            for number in (1, 2, 3)
        },
        "held_out": [" ".join(pair) for pair in held_out],
    }


def exact(folder: Path, scenes: list[Scene]) -> float:
    """The share of scenes whose generated caption is the true one."""
    model = VisionEncoderDecoderModel.from_pretrained(folder, dtype=torch.float32).eval()
    words, look = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    right = 0
    for begin in range(0, len(scenes), 100):
        batch = scenes[begin : begin + 100]
        pixels = look([Image.fromarray(draw(scene)) for scene in batch], return_tensors="pt").pixel_values
        written = words.batch_decode(model.generate(pixels), skip_special_tokens=True)
        right += sum(caption(scene) == text for scene, text in zip(batch, written, strict=True))
    return right / len(scenes)


def hinted(model: HintedAdapter) -> dict[str, float]:
    """The share of captions right to the last word of a model that reads a hint, each on scenes of its own.

    In colour without a hint; in grey with one that knows all colours, and with none; in colour with one that says
    other colours than there are. With a hint, no shape occurs twice.
    """
    random = np.random.default_rng(UNSEEN + 1)
    any_scene = [random_scene(random) for _ in range(HINTED)]
    tellable: list[Scene] = []
    while len(tellable) < HINTED:
        scene = random_scene(random)
        if len(prompts.things_of_unique_shape(scene)) == len(scene.things):
            tellable.append(scene)
    nothing: dict[str, str] = {}
    true = [{thing.shape: thing.colour for thing in scene.things} for scene in tellable]
    others = [dict(zip(colours, random.choice(list(COLOURS), len(colours)).tolist(), strict=True)) for colours in true]
    return {
        "colour_without_hint": _right(model, [(scene, nothing, False) for scene in any_scene]),
        "grey_with_hint": _right(model, [(*pair, True) for pair in zip(tellable, true, strict=True)]),
        "grey_without_hint": _right(model, [(scene, nothing, True) for scene in any_scene]),
        "colour_with_another_hint": _right(model, [(*pair, False) for pair in zip(tellable, others, strict=True)]),
    }


def _right(model: HintedAdapter, asked: list[tuple[Scene, dict[str, str], bool]]) -> float:
    right = [
        model.plain(draw(scene), hint=prompts.hint(colours), grey=grey)
        == prompts.hinted_caption(scene, colours, grey=grey)
        for scene, colours, grey in asked
    ]
    return sum(right) / len(right)
