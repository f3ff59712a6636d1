"""Folders of small Perceivers that classify pictures, as people publish them: real architectures, random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PerceiverConfig, PerceiverImageProcessorPil

from tests.checkpoints import spread

#: The kinds, with rows and columns of pixels, and of the keys that their maps have.
SIDES = {"Learned": (24, 24), "Fourier": (110, 55), "ConvProcessing": (64, 15)}
CLASSES = ("ant", "bee", "cat, cats", "dog", "eel", "fox", "gnu")


def write(folder: Path, kind: str, **changes: Any) -> Path:
    """Write the checkpoint of a kind into a folder: 2 layers of self-attention that are run twice."""
    torch.manual_seed(5)
    side = SIDES[kind][0]
    config = PerceiverConfig(
        num_latents=5,
        d_latents=32,
        num_blocks=2,
        num_self_attends_per_block=2,
        num_self_attention_heads=4,
        num_cross_attention_heads=1,
        image_size=side,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: number for number, name in enumerate(CLASSES)},
        **changes,
    )
    model = getattr(transformers, f"PerceiverForImageClassification{kind}")(config)
    spread(model)
    model.save_pretrained(folder)
    size, crop = ({"height": pixels, "width": pixels} for pixels in (side, side + 8))
    PerceiverImageProcessorPil(size=size, crop_size=crop).save_pretrained(folder)
    return folder
