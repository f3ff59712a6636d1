"""Train `perceive-shapes`, the Perceiver that comes with the package, on scenes drawn by the package.

    python -m scripts.train.perceiver [--out FOLDER] [--steps N]

Latents read the patches of the picture once, then each other, and are asked for each place of a grid what lies there:
Perceiver IO, small. Weights are stored in float16 with the evaluation beside them.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PerceiverConfig, ViTImageProcessor

from scripts.train import perceiver_evaluation
from scripts.train.shared import asked_for, rate, waves, write_down
from xattn_viz.models.families.perceiver.network import PerceiverForPlaces
from xattn_viz.shapes import COLOURS, SHAPES, Scene, draw
from xattn_viz.shapes.judge import at_places
from xattn_viz.shapes.scene import random_scene

SEED = 13
PIXELS, PATCH, PLACES = 96, 8, 12
SCENES, STEPS, BATCH = 30_000, 7_000, 32
RATE, WARM_UP = 2e-3, 300
LATENTS, WIDTH, READERS, HEADS, LAYERS = 32, 96, 8, 4, 3
NOWHERE = -100  # where there is no shape to learn: cross_entropy leaves it out
FOLDER = Path(__file__).parents[2] / "xattn_viz/models/families/perceiver/perceive-shapes"


def main() -> None:
    """Train, store, load what was stored, and measure it."""
    given = asked_for(__doc__, FOLDER, STEPS)
    torch.manual_seed(SEED)
    model = build()
    began = time.monotonic()
    train(model, given.steps)
    minutes = (time.monotonic() - began) / 60
    store(model, given.out)
    measured = perceiver_evaluation.places(given.out)
    trained = {"seed": SEED, "steps": given.steps, "scenes": SCENES, "minutes": round(minutes, 1)}
    write_down(given.out, {**trained, **measured})


def build() -> PerceiverForPlaces:
    """The untrained model."""
    config = PerceiverConfig(
        num_latents=LATENTS,
        d_latents=WIDTH,
        num_self_attends_per_block=LAYERS,
        num_self_attention_heads=HEADS,
        num_cross_attention_heads=READERS,
        cross_attention_shape_for_attention="q",
        self_attention_widening_factor=2,
        cross_attention_widening_factor=2,
        attention_probs_dropout_prob=0.0,
        initializer_range=WIDTH**-0.5,  # the usual 0.02 is for wide layers: all attention would long stay even
        image_size=PIXELS,
        patch_size=PATCH,
        patch_channels=WIDTH,
        position_bands=PIXELS // PATCH // 2,
        places=PLACES,
        colours=list(COLOURS),
        shapes=list(SHAPES),
    )
    model = PerceiverForPlaces(config)
    with torch.no_grad():
        model.perceiver.embeddings.latents.normal_()
        model.perceiver.decoder.output_position_encodings.position_embeddings.copy_(waves(PLACES, WIDTH))
    return model


def train(model: PerceiverForPlaces, steps: int) -> None:
    """Minimise the cross-entropy of colour or nothing at each place, and of shape where there is one."""
    pictures, colours, shapes = scenes()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, WARM_UP))
    pick = torch.Generator().manual_seed(SEED)
    model.train()
    began, summed = time.monotonic(), np.zeros(2)
    for step in range(steps):
        chosen = torch.randint(len(pictures), (BATCH,), generator=pick)
        pixels, colour, shape = pictures[chosen], colours[chosen], shapes[chosen]
        if step % 2:  # every shape is its own mirror image
            pixels, colour, shape = pixels.flip(2), colour.flip(2), shape.flip(2)
        logits = model(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).logits.flatten(0, 1)
        seen, formed = logits.split([1 + len(COLOURS), len(SHAPES)], 1)
        of_colour = functional.cross_entropy(seen, colour.flatten())
        of_shape = functional.cross_entropy(formed, shape.flatten(), ignore_index=NOWHERE)
        optimizer.zero_grad()
        (of_colour + of_shape).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        summed += np.array([of_colour.item(), of_shape.item()])
        if step % 100 == 99:
            colour_loss, shape_loss = summed / 100
            said = f"colour {colour_loss:.4f}, shape {shape_loss:.4f}, {time.monotonic() - began:.0f} s"
            print(f"step {step + 1}: {said}", flush=True)
            summed[:] = 0
    model.eval()


def scenes() -> tuple[Tensor, Tensor, Tensor]:
    """Pictures `[scene, row, column, 3]`, and at each place `[scene, row, column]` the numbers of colour and shape."""
    random = np.random.default_rng(SEED)
    made = [random_scene(random) for _ in range(SCENES)]
    pictures = np.stack([draw(scene, PIXELS) for scene in made])
    colours, shapes = zip(*(answers(scene) for scene in made), strict=True)
    return torch.from_numpy(pictures), torch.stack(colours), torch.stack(shapes)


def answers(scene: Scene) -> tuple[Tensor, Tensor]:
    """The number of the colour at each place, 0 for nothing, and of the shape, `[row, column]`."""
    there = at_places(scene, PLACES)
    colours = [0 if thing is None else 1 + list(COLOURS).index(thing.colour) for thing in there]
    shapes = [NOWHERE if thing is None else SHAPES.index(thing.shape) for thing in there]
    return torch.tensor(colours).view(PLACES, PLACES), torch.tensor(shapes).view(PLACES, PLACES)


def store(model: PerceiverForPlaces, folder: Path) -> None:
    """Write the folder that `from_pretrained` reads, weights in float16."""
    model.half().save_pretrained(folder)
    look = {"size": {"height": PIXELS, "width": PIXELS}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    ViTImageProcessor(**look).save_pretrained(folder)


if __name__ == "__main__":
    main()
