"""Teach a text encoder what a prompt puts where, before anything is drawn.

Stable Diffusion's text encoder is trained before its U-Net, against pictures (CLIP). This one learns from a question:
which colour and which shape lie at this place? The answer is a softmax over its tokens, read by one cross-attention
layer that is thrown away afterwards. It takes half a minute, and spares the U-Net from learning to read by drawing.
"""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPTextModel

from scripts.train.shared import rate
from xattn_viz.scenes.prompts import DRAWN_COLOURS, DRAWN_SHAPES
from xattn_viz.scenes.relation import FAR, MIDDLE, NEAR
from xattn_viz.scenes.scene import Scene

STEPS, BATCH, RATE, WARM_UP = 1_000, 128, 1e-3, 100
PLACES = ((MIDDLE, MIDDLE), (MIDDLE, NEAR), (MIDDLE, FAR), (NEAR, MIDDLE), (FAR, MIDDLE))
ANSWERS = (1 + len(DRAWN_COLOURS), 1 + len(DRAWN_SHAPES))  # the first says that nothing lies there


class Asker(nn.Module):
    """Asks the tokens of a prompt, for every place, which colour and which shape lie there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(len(PLACES), width))
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.answer = nn.Linear(width, sum(ANSWERS))

    def forward(self, said: torch.Tensor, padding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits `[prompt, place, colour]` and `[prompt, place, shape]` for embeddings `[prompt, token, width]`."""
        asked = self.places.expand(len(said), -1, -1)
        read, _ = self.attend(asked, said, said, key_padding_mask=padding, need_weights=False)
        colours, shapes = self.answer(read).split(ANSWERS, dim=-1)
        return colours, shapes


def lies_where(scenes: list[Scene]) -> torch.Tensor:
    """Numbers of the colour and the shape at each place, `[scene, place, 2]`; 0 where nothing lies."""
    answers = torch.zeros(len(scenes), len(PLACES), 2, dtype=torch.long)
    for row, scene in enumerate(scenes):
        for thing in scene.things:
            place = min(
                range(len(PLACES)), key=lambda at: (PLACES[at][0] - thing.x) ** 2 + (PLACES[at][1] - thing.y) ** 2
            )
            pair = (1 + DRAWN_COLOURS.index(thing.colour), 1 + DRAWN_SHAPES.index(thing.shape))
            answers[row, place] = torch.tensor(pair)
    return answers


def learn(reader: CLIPTextModel, ids: torch.Tensor, answers: torch.Tensor, pick: torch.Generator) -> float:
    """Train the text encoder on prompts `[scene, token]`; returns what share of the last answers was right."""
    asker = Asker(reader.config.hidden_size)
    both = nn.ModuleList([reader, asker])
    optimizer = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, STEPS, WARM_UP))
    began, right = time.monotonic(), 0.0
    for step in range(STEPS):
        chosen = torch.randint(len(ids), (BATCH,), generator=pick)
        mask = ids[chosen] != reader.config.pad_token_id
        logits = asker(reader(ids[chosen], attention_mask=mask.long()).last_hidden_state, ~mask)
        answered = list(zip(logits, answers[chosen].unbind(-1), strict=True))
        losses = [functional.cross_entropy(each.flatten(0, 1), wanted.flatten()) for each, wanted in answered]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        rates.step()
        found = torch.stack([each.argmax(-1) == wanted for each, wanted in answered])
        right = found.all(0).all(-1).float().mean().item()
        if step % 250 == 249:
            print(f"prompts, step {step + 1}: {right:.3f} right, {time.monotonic() - began:.0f} s", flush=True)
    return right
