"""Tracing a drawing against drawing without maps: `draw-shapes`, and a U-Net with the layers of Stable Diffusion 1.5.

    python -m benchmarks.diffusion [FOLDER of draw-shapes]

Ours is `trace`: every cross-attention layer's weights at every step, the maps, the pictures as they form. The peer is
the same weights in the same loop with diffusers' own fused attention, nothing captured, the last picture decoded. To
reach: at most 1.3, and at most 60 MB more at the peak.

The second U-Net has the blocks, heads and grids of Stable Diffusion 1.5, a quarter of its channels and random weights.
Captured maps are as large as in the real one, and everything else costs about a sixteenth: the real ratio is lower. All
take turns in one process on one thread, without guidance, which would halve the share of capturing.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from benchmarks._memory import peak_megabytes
from xattn_viz.models.families import diffusion
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.families.diffusion.results import Learnt, Picture, find_sites
from xattn_viz.models.families.diffusion.unet import install

MEGABYTES = 60


@dataclass(frozen=True)
class Case:
    """A model and what it draws: in `steps` steps for the time, in `most` for the memory."""

    name: str
    model: DiffusionAdapter
    prompt: str
    steps: int
    most: int
    rounds: int

    def peer(self) -> Callable[[int], Picture]:
        """The same without maps, with a U-Net of its own."""
        parts = self.model.model
        unet = copy.deepcopy(parts.unet)
        unet.set_attn_processor(AttnProcessor2_0())
        prompt = parts.words.read(self.prompt)

        @torch.inference_mode()
        def draw(steps: int) -> Picture:
            said = parts.reader(prompt.ids, attention_mask=prompt.mask).last_hidden_state
            schedule = copy.deepcopy(parts.schedule)
            schedule.set_timesteps(steps)
            size = unet.config.sample_size
            shape = (1, unet.config.in_channels, size, size)
            latents = torch.randn(shape, generator=torch.Generator().manual_seed(0))
            for time in schedule.timesteps:
                made = unet(latents, time, said, encoder_attention_mask=prompt.mask).sample
                clips = bool(schedule.config.clip_sample)
                latents = schedule.step(made, time, latents, use_clipped_model_output=clips).prev_sample
            picture: Picture = parts.decoder.decode(latents)
            return picture

        return draw

    def trace(self, steps: int) -> Picture:
        """Ours."""
        drawn = self.model.trace(self.prompt, steps=steps, guidance=1).picture
        assert drawn is not None
        return drawn


def stable_diffusion() -> DiffusionAdapter:
    """A model with the layers of Stable Diffusion 1.5, and pictures of 512 x 512."""
    small = diffusion.FAMILY.example()
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(80, 160, 320, 320),
        attention_head_dim=8,
        cross_attention_dim=small.model.reader.config.hidden_size,
        norm_num_groups=16,
    ).eval()
    autoencoder = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
    ).eval()
    install(unet)
    parts = replace(small.model, unet=unet, sites=find_sites(unet), decoder=Learnt(autoencoder))
    return DiffusionAdapter(small.card, parts)


def measure(case: Case) -> None:
    """Measure a case, and print its figures."""
    draw = case.peer()
    ways = {"trace": case.trace, "plain": draw}
    parts = (case.model.model.unet, case.model.model.reader)
    # Forked before anything has run: memory that a run left free would hide what the next one needs.
    peaks = {name: peak_megabytes(partial(way, case.most), parts) for name, way in ways.items()}
    drawn, expected = case.trace(2), draw(2)
    assert np.abs(drawn.astype(int) - expected).max() <= 1
    measures = {name: partial(seconds, partial(way, case.steps)) for name, way in ways.items()}
    interleaved(measures, 1)  # warm
    times = interleaved(measures, case.rounds)
    figure(
        f"{case.name}: trace / draw",
        paired_ratio(times["trace"], times["plain"]),
        at_most=1.3,
        details=f"medians {milliseconds(times['trace'])} and {milliseconds(times['plain'])}, {case.steps} steps",
    )
    more = peaks["trace"] - peaks["plain"]
    reach = "reached" if more <= MEGABYTES else "MISSED"
    print(
        f"{case.name}: {more:+.0f} MB at its peak beside +{peaks['plain']:.0f} MB, {case.most} steps "
        f"(reach <= {MEGABYTES}: {reach})",
        flush=True,
    )


def main() -> None:
    """Measure both."""
    torch.set_num_threads(1)
    own = diffusion.FAMILY.load(sys.argv[1] if len(sys.argv) > 1 else diffusion.OWN)
    measure(Case("draw-shapes", own, "a red circle left of a blue square", 25, 25, 15))
    # 75 pieces and both ends: as many keys as Stable Diffusion can have.
    measure(Case("Stable Diffusion's layers", stable_diffusion(), " ".join(["the"] * 75), 3, 12, 5))


if __name__ == "__main__":
    main()
