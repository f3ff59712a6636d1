"""Train `draw-shapes`, the diffusion model that comes with the package, on scenes drawn by the package.

    python -m scripts.train.diffusion [--out FOLDER] [--steps N]

A CLIP text encoder reads the prompt and a U-Net with cross-attention takes the noise away: the architecture of Stable
Diffusion, small. Its autoencoder is fixed: blocks of pixels become channels. Scenes hold one thing in the middle, or
two side by side or one above the other. Weights are stored in float16 with the evaluation beside them.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from scripts.train import drawing_evaluation, placing
from scripts.train.shared import asked_for, rate, word_tokenizer, write_down
from xattn_viz.models.families.diffusion import OWN_FOLDER
from xattn_viz.shapes import prompts
from xattn_viz.shapes.scene import draw

SEED = 11
PIXELS, BLOCK = 48, 4
SCENES, STEPS, BATCH = 60_000, 6_000, 32
RATE, WARM_UP, DECAY = 1e-3, 300, 0.999
CHANNELS = (64, 96)  # on the fine grid and on the coarse one
READER_RATE = 2e-4  # the text encoder knows what lies where when the U-Net begins
NOISE_STEPS = 1_000
DROPPED = 0.1  # of the prompts, so that the model also draws without one
WIDTH = 128


def main() -> None:
    """Train, store, load what was stored, and measure it."""
    given = asked_for(__doc__, OWN_FOLDER, STEPS)
    torch.manual_seed(SEED)
    words = tokenizer()
    reader, painter = build(words)
    began = time.monotonic()
    reader, painter = train(reader, painter, words, given.steps, given.out)
    minutes = (time.monotonic() - began) / 60
    store(reader, painter, words, given.out)
    trained = {"seed": SEED, "steps": given.steps, "scenes": SCENES, "minutes": round(minutes, 1)}
    measured = {"drawn": drawing_evaluation.prompts_right(given.out), "regions": drawing_evaluation.regions(given.out)}
    write_down(given.out, {**trained, **measured})


def tokenizer() -> PreTrainedTokenizerFast:
    """The words of prompts."""
    return word_tokenizer(prompts.PROMPT_WORDS, model_max_length=prompts.LONGEST + 2)


def build(words: PreTrainedTokenizerFast) -> tuple[CLIPTextModel, UNet2DConditionModel]:
    """The untrained text encoder and U-Net."""
    reader = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=prompts.LONGEST + 2,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    painter = UNet2DConditionModel(
        sample_size=PIXELS // BLOCK,
        in_channels=3 * BLOCK**2,
        out_channels=3 * BLOCK**2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=WIDTH,
        norm_num_groups=16,
    )
    return reader, painter


def schedule() -> DDPMScheduler:
    """The noise: squared cosine, the model predicts the velocity."""
    return DDPMScheduler(NOISE_STEPS, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")


def train(
    reader: CLIPTextModel, painter: UNet2DConditionModel, words: PreTrainedTokenizerFast, steps: int, folder: Path
) -> tuple[CLIPTextModel, UNet2DConditionModel]:
    """Minimise the error of the predicted velocity; returns the moving average of the weights."""
    pictures, ids, answers = scenes(words)
    empty = words("", padding="max_length", return_tensors="pt").input_ids[0]
    both = torch.nn.ModuleList([reader, painter])
    pick = torch.Generator().manual_seed(SEED)
    placing.learn(reader, ids, torch.tensor(words.convert_tokens_to_ids(list(prompts.DRAWN_SHAPES))), answers, pick)
    kept = copy.deepcopy(both).requires_grad_(False)
    parts = [{"params": painter.parameters()}, {"params": reader.parameters(), "lr": READER_RATE}]
    optimizer = torch.optim.AdamW(parts, lr=RATE, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, WARM_UP))
    noise_levels = schedule()
    began, summed = time.monotonic(), 0.0
    for step in range(steps):
        chosen = torch.randint(len(pictures), (BATCH,), generator=pick)
        clean = functional.pixel_unshuffle(pictures[chosen].permute(0, 3, 1, 2).float() / 127.5 - 1, BLOCK)
        read = torch.where(torch.rand(BATCH, 1, generator=pick) < DROPPED, empty, ids[chosen])
        noise = torch.randn(clean.shape, generator=pick)
        # Strong noise twice as often as weak: there the prompt alone says what belongs where.
        levels = (NOISE_STEPS * torch.rand(BATCH, generator=pick).sqrt()).long()
        noisy = noise_levels.add_noise(clean, noise, levels)
        mask = (read != words.pad_token_id).long()
        said = reader(read, attention_mask=mask).last_hidden_state
        velocity = painter(noisy, levels, said, encoder_attention_mask=mask).sample
        loss = functional.mse_loss(velocity, noise_levels.get_velocity(clean, noise, levels))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        rates.step()
        average(kept, both, min(DECAY, (step + 1) / (step + 10)))
        summed += loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {summed / 100:.4f}, {time.monotonic() - began:.0f} s", flush=True)
            summed = 0.0
        if step % 2_000 == 1_999:
            store(copy.deepcopy(kept[0]), copy.deepcopy(kept[1]), words, folder)
    return kept[0], kept[1]


@torch.no_grad()
def average(kept: torch.nn.Module, current: torch.nn.Module, decay: float) -> None:
    """Move the kept weights a little towards the current ones."""
    torch._foreach_lerp_(list(kept.parameters()), list(current.parameters()), 1 - decay)


def scenes(words: PreTrainedTokenizerFast) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures `[scene, row, column, 3]`, the ids of their prompts `[scene, token]`, padded, and what lies where."""
    random = np.random.default_rng(SEED)
    made = [prompts.random_prompt(random, trained=True) for _ in range(SCENES)]
    pictures = torch.from_numpy(np.stack([draw(scene, PIXELS) for _, scene in made]))
    ids = words([prompt for prompt, _ in made], padding="max_length", return_tensors="pt")
    return pictures, ids.input_ids, placing.lies_where([scene for _, scene in made])


def store(reader: CLIPTextModel, painter: UNet2DConditionModel, words: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the folder that a pipeline of diffusers is stored as, weights in float16."""
    reader.half().save_pretrained(folder / "text_encoder")
    painter.half().save_pretrained(folder / "unet")
    words.save_pretrained(folder / "tokenizer")
    schedule().save_pretrained(folder / "scheduler")


if __name__ == "__main__":
    main()
