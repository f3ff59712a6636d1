"""How often `draw-shapes` draws what was asked for, judged by code that knows no model.

    python -m scripts.train.drawing_evaluation FOLDER [--count N] [--guidance G] [--steps N] [--spacing S]

The prompts of two things are none that the model was trained on. Noise and prompts are always the same.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from xattn_viz.scenes import judge, prompts
from xattn_viz.scenes.draw import draw
from xattn_viz.scenes.judge import Found

UNSEEN = 90_002  # the seed of prompts and noise
BATCH = 50
#: The least that the judge must score on true drawings for its word on the model's to count.
JUDGE = 0.98

Pair = tuple[str, str]
Pictures = NDArray[np.uint8]


def main() -> None:
    """Print the shares as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--guidance", type=float, default=1.0)
    asked.add_argument("--steps", type=int, default=25)
    asked.add_argument("--spacing", choices=("trailing", "leading", "linspace"), default="trailing")
    given = vars(asked.parse_args())
    print(json.dumps(prompts_right(given.pop("folder"), **given), indent=2))


def prompts_right(
    folder: Path, count: int = 200, *, guidance: float = 1.0, steps: int = 25, spacing: str = "trailing"
) -> dict[str, Any]:
    """The shares of `count` prompts of one thing and of `count` of two that are drawn right, and of what in them.

    `judge` holds the shares that true drawings of the same prompts score. Raises ValueError where that is too little
    for a judgement.
    """
    chance = np.random.default_rng(UNSEEN)
    asked = {
        "one": [prompts.example(chance, two=False) for _ in range(count)],
        "two": [prompts.example(chance, two=True, trained=False) for _ in range(count)],
    }
    said = {name: [prompt for prompt, _ in each] for name, each in asked.items()}
    form = json.loads((folder / "unet" / "config.json").read_bytes())
    pixels = form["sample_size"] * _block(form["in_channels"])
    truth = {
        name: shares(said[name], [draw(scene, pixels) for _, scene in each])["fully"] for name, each in asked.items()
    }
    if min(truth.values()) < JUDGE:
        raise ValueError(f"The judge is no judge: on true drawings it scores {truth}.")
    drawn = {name: shares(each, pictures(folder, each, guidance, steps, spacing)) for name, each in said.items()}
    return {**drawn, "judge": truth, "count": count, "guidance": guidance, "steps": steps, "spacing": spacing}


def shares(said: Sequence[str], drawn: Sequence[Pictures]) -> dict[str, float]:
    """What share of pictures is right, fully and in each respect."""
    marks = [right(prompt, picture) for prompt, picture in zip(said, drawn, strict=True)]
    return {name: sum(mark[name] for mark in marks) / len(marks) for name in marks[0]}


def right(prompt: str, picture: Pictures) -> dict[str, bool]:
    """Whether a picture shows what a prompt asks for: so many things, of these colours, these shapes, so placed.

    `pairs` counts colours with their shapes, wherever they lie. `relation` holds where two things lie along the
    relation's direction and fit the words in that order at least as well as in the other. `fully`: exactly the things
    asked for, each in its place.
    """
    named, relation = prompts.wanted(prompt)
    seen = judge(picture)
    found = [(thing.colour, thing.shape) for thing in seen]
    marks = {
        "count": len(found) == len(named),
        "colours": Counter(colour for colour, _ in found) == Counter(colour for colour, _ in named),
        "shapes": Counter(shape for _, shape in found) == Counter(shape for _, shape in named),
        "pairs": Counter(found) == Counter(named),
    }
    if relation is None:
        return {**marks, "fully": marks["pairs"]}
    placed = _in_order(seen, relation)
    marks["relation"] = placed is not None and _fit(placed, named) >= _fit(placed[::-1], named)
    return {**marks, "fully": placed is not None and placed == list(named)}


def _in_order(seen: Sequence[Found], relation: str) -> list[Pair] | None:
    """The two things found, that first which a relation names first; None where they do not lie along it."""
    if len(seen) != 2:
        return None
    across, down = abs(seen[0].x - seen[1].x), abs(seen[0].y - seen[1].y)
    upright = relation in ("above", "below")
    if (down > across) != upright:
        return None
    order = sorted(seen, key=lambda thing: thing.y if upright else thing.x)
    return [(thing.colour, thing.shape) for thing in (order if relation in ("above", "left of") else order[::-1])]


def _fit(placed: Sequence[Pair], named: Sequence[Pair]) -> int:
    return sum(a == b for pair, other in zip(placed, named, strict=True) for a, b in zip(pair, other, strict=True))


@torch.inference_mode()
def pictures(folder: Path, said: Sequence[str], guidance: float, steps: int, spacing: str) -> list[Pictures]:
    """The pictures that the model in a folder draws, `[row, column, 3]` each, nothing recorded."""
    words = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    reader = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
    painter = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32, low_cpu_mem_usage=False)
    schedule = DDIMScheduler.from_pretrained(folder / "scheduler", timestep_spacing=spacing)
    chance = torch.Generator().manual_seed(UNSEEN)
    channels, size = painter.config.in_channels, painter.config.sample_size
    drawn: list[Pictures] = []
    for begin in range(0, len(said), BATCH):
        batch = list(said[begin : begin + BATCH])
        noise = torch.randn((len(batch), channels, size, size), generator=chance)
        prompt = _read(words, reader, batch)
        empty = _read(words, reader, [""] * len(batch)) if guidance != 1 else None
        clean = _denoise(painter, schedule, noise, prompt, empty, guidance, steps)
        shown = functional.pixel_shuffle(clean, _block(channels))
        drawn.extend(((shown.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).byte().numpy())
    return drawn


def _block(channels: int) -> int:
    """How many pixels a side become one place of so many channels."""
    return int((channels // 3) ** 0.5)


def _read(words: Any, reader: Any, said: list[str]) -> tuple[Tensor, Tensor]:
    """What the text encoder makes of prompts, and which of their tokens are no padding."""
    read = words(said, padding="max_length", return_tensors="pt")
    mask = (read.input_ids != words.pad_token_id).long()
    return reader(read.input_ids, attention_mask=mask).last_hidden_state, mask


def _denoise(
    painter: Any,
    schedule: Any,
    noise: Tensor,
    prompt: tuple[Tensor, Tensor],
    empty: tuple[Tensor, Tensor] | None,
    guidance: float,
    steps: int,
) -> Tensor:
    schedule.set_timesteps(steps)
    for level in schedule.timesteps:
        velocity = painter(noise, level, prompt[0], encoder_attention_mask=prompt[1]).sample
        if empty is not None:
            without = painter(noise, level, empty[0], encoder_attention_mask=empty[1]).sample
            velocity = without + guidance * (velocity - without)
        noise = schedule.step(velocity, level, noise).prev_sample
    return noise


if __name__ == "__main__":
    main()
