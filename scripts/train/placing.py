"""Teach a text encoder what a prompt puts where, before anything is drawn.

Stable Diffusion's text encoder is trained before its U-Net, against pictures (CLIP). This one learns from two
questions: does anything lie at this place, and which colour and which shape does it have? Each is asked by a
cross-attention layer that is thrown away afterwards. The first may read any token; the second only the shape words, so
that it is they that hold their things, and not whichever token comes last. It takes half a minute, and spares the U-Net
from learning to read by drawing.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel

from scripts.train.shared import rate
from xattn_viz.shapes.prompts import DRAWN_COLOURS, DRAWN_SHAPES
from xattn_viz.shapes.scene import FAR, MIDDLE, NEAR, Scene

STEPS, BATCH, RATE, WARM_UP = 750, 128, 1e-3, 100
PLACES = ((MIDDLE, MIDDLE), (MIDDLE, NEAR), (MIDDLE, FAR), (NEAR, MIDDLE), (FAR, MIDDLE))
ANSWERS = (len(DRAWN_COLOURS), len(DRAWN_SHAPES))
EMPTY = -1  # the number of no colour and no shape


class Asker(nn.Module):
    """Asks the tokens of a prompt, for every place, whether anything lies there, and which colour and shape it has."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(len(PLACES), width))
        self.any_token, self.shape_words = (nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2))
        self.whether, self.which = nn.Linear(width, 2), nn.Linear(width, sum(ANSWERS))

    def forward(self, said: Tensor, padding: Tensor, mute: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits `[prompt, place, answer]` for embeddings `[prompt, token, width]`: whether, which colour, which shape.

        `padding` and `mute` `[prompt, token]` are the tokens that the first and the second layer do not read.
        """
        asked = self.places.expand(len(said), -1, -1)
        seen, _ = self.any_token(asked, said, said, key_padding_mask=padding, need_weights=False)
        read, _ = self.shape_words(asked, said, said, key_padding_mask=mute, need_weights=False)
        colours, shapes = self.which(read).split(ANSWERS, dim=-1)
        return self.whether(seen), colours, shapes


def lies_where(scenes: list[Scene]) -> Tensor:
    """Numbers of the colour and the shape at each place, `[scene, place, 2]`; `EMPTY` where nothing lies."""
    answers = torch.full((len(scenes), len(PLACES), 2), EMPTY)
    for row, scene in enumerate(scenes):
        for thing in scene.things:
            place = min(
                range(len(PLACES)), key=lambda at: (PLACES[at][0] - thing.x) ** 2 + (PLACES[at][1] - thing.y) ** 2
            )
            pair = (DRAWN_COLOURS.index(thing.colour), DRAWN_SHAPES.index(thing.shape))
            answers[row, place] = torch.tensor(pair)
    return answers


def learn(reader: CLIPTextModel, ids: Tensor, shapes: Tensor, answers: Tensor, pick: torch.Generator) -> float:
    """Train the text encoder on prompts `[scene, token]`; returns what share of the last prompts was understood.

    `shapes` are the ids of shape words, `answers` what `lies_where` gives.
    """
    asker = Asker(reader.config.hidden_size)
    both = nn.ModuleList([reader, asker])
    optimizer = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, STEPS, WARM_UP))
    began, right = time.monotonic(), 0.0
    for step in range(STEPS):
        chosen = torch.randint(len(ids), (BATCH,), generator=pick)
        read = ids[chosen]
        padding = read == reader.config.pad_token_id
        mute = ~torch.isin(read, shapes)
        logits = asker(reader(read, attention_mask=(~padding).long()).last_hidden_state, padding, mute)
        lies = answers[chosen]
        answered = list(zip(logits, ((lies[..., 0] != EMPTY).long(), *lies.unbind(-1)), strict=True))
        losses = [
            functional.cross_entropy(each.flatten(0, 1), wanted.flatten(), ignore_index=EMPTY)
            for each, wanted in answered
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        rates.step()
        found = torch.stack([(each.argmax(-1) == wanted) | (wanted == EMPTY) for each, wanted in answered])
        right = found.all(0).all(-1).float().mean().item()
        if step % 250 == 249:
            print(f"prompts, step {step + 1}: {right:.3f} right, {time.monotonic() - began:.0f} s", flush=True)
    return right
