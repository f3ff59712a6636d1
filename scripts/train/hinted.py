"""Train the two captioners with a hint that come with the package, on scenes drawn by the package.

    python -m scripts.train.hinted [--out FOLDER] [--steps N]

Both begin as `caption-shapes`. Its ViT stays as it is, and so do its decoder's self-attention and feed-forward layers;
what is trained is the hint's encoder, the cross-attention, the embeddings and the norms. Half of the scenes are in
shades of grey, where only a hint can know a colour. Hints are made anew in each step: none, of some things or all,
often with a shape that is not there, and of colours by chance, so that no colour follows from what is seen. What a hint
says wins over what can be seen (`xattn_viz.shapes.prompts`).

To find a colour in a hint, a word must know which shape comes next, and the hint's colour which shape it is of: each is
of no use without the other, and in trials of up to 2,500 updates captions alone taught neither. So two layers that are
thrown away afterwards ask for both: each colour and shape of the hint for its other half, and the decoder, after its
first layer, for the word after the next.
Only what was trained is stored, in float16, with the evaluation beside it; one folder a model in FOLDER.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, PreTrainedTokenizerFast

from scripts.train import evaluation
from scripts.train.hinting import colours_said
from scripts.train.shared import asked_for, rate, word_tokenizer, write_down
from xattn_viz.models.families.captioner import JOINS, Join
from xattn_viz.models.families.captioner.hinted import base, is_learned, load, with_hint
from xattn_viz.shapes import COLOURS, SHAPES, Scene, draw
from xattn_viz.shapes.prompts import HINT_WORDS, hint, hinted_caption
from xattn_viz.shapes.scene import in_grey, random_scene

SEED = 11
SCENES, STEPS, BATCH = 16_000, 3_000, 48
RATE, WARM_UP = 1e-3, 200
LONGEST = 21  # tokens of the longest hint: four clauses of four words, commas, the first and the last
GREY = 0.5  # of the scenes
HELP = 0.3  # how much the losses of the layers that are thrown away count
FOLDER = Path(__file__).parents[2] / "xattn_viz/models/captioner"


@dataclass(frozen=True)
class Seen:
    """Scenes, which of them are in grey, and what the ViT makes of them: `states` `[scene, position, width]`."""

    scenes: Sequence[Scene]
    grey: Sequence[bool]
    states: Tensor


def main() -> None:
    """Train, store, load what was stored, and measure it: first the one, then the other."""
    given = asked_for(__doc__, FOLDER, STEPS)
    seen = look()
    for name, join in JOINS.items():
        torch.manual_seed(SEED)
        words = word_tokenizer(HINT_WORDS, model_max_length=LONGEST)
        model, captions, config = build(join, words)
        began = time.monotonic()
        train(model, words, captions, seen, given.steps)
        minutes = (time.monotonic() - began) / 60
        folder = given.out / name
        store(model, words, config, join, folder)
        trained = {"seed": SEED, "steps": given.steps, "scenes": SCENES, "minutes": round(minutes, 1)}
        write_down(folder, {**trained, **evaluation.hinted(load(name, folder))})


def look() -> Seen:
    """The scenes of the training as the ViT of `caption-shapes` sees them."""
    random = np.random.default_rng(SEED)
    scenes = [random_scene(random) for _ in range(SCENES)]
    grey = (random.random(SCENES) < GREY).tolist()
    model, _, preprocessor = base()
    states = []
    with torch.inference_mode():
        for begin in range(0, SCENES, 100):
            pictures = [
                in_grey(draw(scene)) if is_grey else draw(scene)
                for scene, is_grey in zip(scenes[begin : begin + 100], grey[begin : begin + 100], strict=True)
            ]
            values = torch.cat([preprocessor.values(picture) for picture in pictures])
            states.append(model.encoder(values).last_hidden_state.half())
    return Seen(scenes, grey, torch.cat(states))


def build(join: Join, words: PreTrainedTokenizerFast) -> tuple[Any, PreTrainedTokenizerFast, BertConfig]:
    """`caption-shapes` with an untrained encoder for hints, the tokenizer of captions, the encoder's configuration."""
    model, captions, _ = base()
    width, heads = model.config.decoder.n_embd, model.config.decoder.n_head
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=heads,
        intermediate_size=width,
        max_position_embeddings=LONGEST,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=words.pad_token_id,
    )
    model = with_hint(model, config, join)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_learned(name))
    return model, captions, config


def train(
    model: Any, words: PreTrainedTokenizerFast, captions: PreTrainedTokenizerFast, seen: Seen, steps: int
) -> None:
    """Minimise the cross-entropy of the next word, with some help; nothing says which source to read."""
    width = model.config.decoder.n_embd
    halves, ahead = torch.nn.Linear(width, len(words)), torch.nn.Linear(width, len(captions))
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    learned += [*halves.parameters(), *ahead.parameters()]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, WARM_UP))
    random = np.random.default_rng(SEED + 1)
    model.train()
    for step in range(steps):
        chosen = random.integers(SCENES, size=BATCH)
        told = [colours_said(seen.scenes[i], seen.grey[i], random) for i in chosen]
        hints = words([hint(colours) for colours in told], padding=True, return_tensors="pt")
        written = [
            hinted_caption(seen.scenes[i], colours, grey=seen.grey[i]) for i, colours in zip(chosen, told, strict=True)
        ]
        ids = captions(written, padding=True, return_tensors="pt").input_ids
        read = model.encoder.hint(hints.input_ids, attention_mask=hints.attention_mask).last_hidden_state
        sources = torch.cat([seen.states[torch.from_numpy(chosen)].float(), read], 1)
        known = torch.ones(BATCH, sources.shape[1], dtype=torch.long)
        known[:, -hints.input_ids.shape[1] :] = hints.attention_mask
        out = model.decoder(
            ids[:, :-1],
            encoder_hidden_states=sources,
            encoder_attention_mask=known,
            use_cache=False,
            output_hidden_states=True,
        )
        loss = wrong(out.logits, ids[:, 1:])
        helping = wrong(halves(read), other_half(hints.input_ids, words)) + wrong(
            ahead(out.hidden_states[1][:, :-1]), ids[:, 2:]
        )
        loss = loss + HELP * helping
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}, of it help {HELP * helping.item():.4f}", flush=True)
    model.eval()


def wrong(logits: Tensor, ids: Tensor) -> Tensor:
    """The cross-entropy of logits `[batch, token, id]` against ids `[batch, token]`; 0, the padding, does not count."""
    return functional.cross_entropy(logits.flatten(0, 1), ids.flatten(), ignore_index=0, reduction="sum") / max(
        int((ids != 0).sum()), 1
    )


def other_half(ids: Tensor, words: PreTrainedTokenizerFast) -> Tensor:
    """For each shape of hints `[batch, token]` its colour and for each colour its shape; 0 for any other token."""
    shapes, colours = (torch.tensor(words.convert_tokens_to_ids(list(names))) for names in (SHAPES, COLOURS))
    of_shape = torch.where(torch.isin(ids, shapes), ids.roll(-2, 1), 0)  # "circle is red"
    return torch.where(torch.isin(ids, colours), ids.roll(2, 1), of_shape)


def store(model: Any, words: PreTrainedTokenizerFast, config: BertConfig, join: Join, folder: Path) -> None:
    """Write what was trained, in float16; the hint's tokenizer; the configuration of its encoder and the `join`."""
    words.save_pretrained(folder)
    state = {name: value.half().contiguous() for name, value in model.named_parameters() if is_learned(name)}
    save_file(state, folder / "model.safetensors")
    said = json.dumps({**config.to_diff_dict(), "join": join}, indent=2, sort_keys=True)
    (folder / "config.json").write_text(said + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
