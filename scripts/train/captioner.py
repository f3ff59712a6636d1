"""Train `caption-shapes`, the captioner that comes with the package, on scenes drawn by the package.

    python -m scripts.train.captioner [--out FOLDER] [--steps N]

A ViT reads the picture, a GPT-2 with cross-attention writes the caption: the architecture of ViT-GPT2, small. Pairs of
colour and shape in `HELD_OUT` never occur in training. So that the model can read them all the same, a shape must not
follow from the colour written before it: words that the decoder reads are hidden by chance (word dropout, Bowman et al.
2016), and some scenes have colours without a name, whose words are neither read nor learned.
Weights are stored in float16 with the evaluation beside them.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, VisionEncoderDecoderModel, ViTImageProcessor

from scripts.train import evaluation
from scripts.train.shared import asked_for, rate, vit_gpt2, waves, word_tokenizer, write_down
from xattn_viz.shapes import COLOURS, SHAPES, caption, draw
from xattn_viz.shapes.scene import PAPER, random_scene

SEED = 7
PIXELS, PATCH = 96, 12
SCENES, STEPS, BATCH = 60_000, 5_500, 64
RATE, WARM_UP = 1e-3, 300
WIDTH, HEADS = 128, 4
LONGEST = 22  # tokens of the longest caption, with the first and the last
#: Never seen together in training.
HELD_OUT = (("red", "ring"), ("yellow", "star"), ("green", "triangle"), ("blue", "square"))
HIDDEN = 0.2  # of the words that the decoder reads
NAMELESS = 0.25  # of the scenes have colours without a name
FAR = 60  # how far these are from every named colour and from the paper, in levels of red, green and blue
FOLDER = Path(__file__).parents[2] / "xattn_viz/models/families/captioner/caption-shapes"


def main() -> None:
    """Train, store, load what was stored, and measure it."""
    given = asked_for(__doc__, FOLDER, STEPS)
    torch.manual_seed(SEED)
    words = tokenizer()
    model = build(words)
    began = time.monotonic()
    train(model, words, given.steps)
    minutes = (time.monotonic() - began) / 60
    store(model, words, given.out)
    measured = evaluation.captions(given.out, held_out=HELD_OUT)
    trained = {"seed": SEED, "steps": given.steps, "scenes": SCENES, "minutes": round(minutes, 1)}
    write_down(given.out, {**trained, **measured})


def tokenizer() -> PreTrainedTokenizerFast:
    """The words of captions."""
    return word_tokenizer(["a", "small", "large", *COLOURS, *SHAPES, "above", "left", "of", "and", ","])


def build(words: PreTrainedTokenizerFast) -> VisionEncoderDecoderModel:
    """The untrained model."""
    config = vit_gpt2(words, pixels=PIXELS, patch=PATCH, width=WIDTH, heads=HEADS, layers=(3, 2), longest=LONGEST)
    model = VisionEncoderDecoderModel(config)
    with torch.no_grad():
        # From random ones the model learns late which of two things lies farther to the left than above.
        model.encoder.embeddings.position_embeddings[0, 1:] = 0.5 * waves(PIXELS // PATCH, WIDTH)
    return model


def train(model: VisionEncoderDecoderModel, words: PreTrainedTokenizerFast, steps: int) -> None:
    """Minimise the cross-entropy of the next word; nothing says where to look."""
    pictures, captions, learned = scenes(words)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, WARM_UP))
    pick = torch.Generator().manual_seed(SEED)
    model.train()
    for step in range(steps):
        chosen = torch.randint(len(pictures), (BATCH,), generator=pick)
        pixels = pictures[chosen].permute(0, 3, 1, 2).float() / 127.5 - 1
        ids, known = captions[chosen], learned[chosen]
        hidden = ~known | (torch.rand(ids.shape, generator=pick) < HIDDEN)
        hidden[:, 0] = False
        read = torch.where(hidden, words.unk_token_id, ids)[:, :-1]
        logits = model(pixel_values=pixels, decoder_input_ids=read, use_cache=False).logits
        wanted = torch.where(known, ids, words.pad_token_id)[:, 1:]
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=words.pad_token_id)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}", flush=True)
    model.eval()


def scenes(words: PreTrainedTokenizerFast) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures `[scene, row, column, 3]`, the ids of their captions `[scene, token]`, padded, and which are learned."""
    random = np.random.default_rng(SEED)
    made = [random_scene(random, without=HELD_OUT) for _ in range(SCENES)]
    nameless = random.random(SCENES) < NAMELESS
    pictures = np.stack(
        [
            draw(scene, PIXELS, colours_without_a_name(random) if strange else COLOURS)
            for scene, strange in zip(made, nameless, strict=True)
        ]
    )
    ids = words([caption(scene) for scene in made], padding="max_length", max_length=LONGEST, return_tensors="pt")
    colours = torch.tensor(words.convert_tokens_to_ids(list(COLOURS)))
    unnamed = torch.isin(ids.input_ids, colours) & torch.from_numpy(nameless)[:, None]
    return torch.from_numpy(pictures), ids.input_ids, ~unnamed


def colours_without_a_name(random: np.random.Generator) -> dict[str, tuple[int, int, int]]:
    """For each named colour another that is like none of them."""
    taken = np.array([*COLOURS.values(), PAPER])
    found: dict[str, tuple[int, int, int]] = {}
    for name in COLOURS:
        while name not in found:
            red, green, blue = random.integers(0, 256, 3).tolist()
            if np.linalg.norm(taken - (red, green, blue), axis=1).min() > FAR:
                found[name] = (red, green, blue)
    return found


def store(model: VisionEncoderDecoderModel, words: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the folder that `from_pretrained` reads, weights in float16."""
    model.generation_config.update(
        decoder_start_token_id=words.bos_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        max_length=LONGEST + 2,
    )
    model.half().save_pretrained(folder)
    words.save_pretrained(folder)
    look = {"size": {"height": PIXELS, "width": PIXELS}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    ViTImageProcessor(**look).save_pretrained(folder)


if __name__ == "__main__":
    main()
