"""A loaded model that draws: its parts, and one run of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from diffusers import DDIMScheduler
from diffusers.models.attention_processor import Attention
from torch import Tensor

from xattn_viz.models.families.diffusion.capture import See, Watch
from xattn_viz.models.families.diffusion.decoders import Decoder
from xattn_viz.models.families.diffusion.prompt import Prompt, Words
from xattn_viz.models.families.diffusion.settings import Settings
from xattn_viz.models.families.diffusion.sites import Site
from xattn_viz.models.provenance import Identity


class Denoised(NamedTuple):
    """What a step leaves: latents with less noise, and the clean ones that the model predicts from there."""

    latents: Tensor
    prediction: Tensor


@dataclass(frozen=True)
class Model:
    """The parts. Nothing in them changes during a run: `schedule` is copied for each, because a scheduler counts."""

    words: Words
    reader: Any
    unet: Any
    schedule: DDIMScheduler
    decoder: Decoder
    sites: Mapping[Attention, Site]
    identity: Identity

    def denoise(
        self, prompt: Prompt, without: Prompt | None, settings: Settings, see: See | None = None
    ) -> Iterator[Denoised]:
        """Take the noise away, step by step, by DDIM (Song et al. 2021), which adds none of its own.

        With `without`, each step is pushed away from what is drawn for that (classifier-free guidance, Ho & Salimans
        2022). `see` is called with each cross-attention layer's weights under the prompt; see `Watch`.
        """
        modules = list(self.sites)
        off: dict[Attention, list[int]] = {}
        for _, layer, head in settings.ablate:
            off.setdefault(modules[layer], []).append(head)
        bias = prompt.bias(settings.weights)
        with_prompt = Watch(off, None if bias is None else bias.to(self.unet.device, self.unet.dtype), see)
        said = self._read(prompt)
        apart = None if without is None else self._read(without)
        schedule = copy.deepcopy(self.schedule)
        schedule.set_timesteps(settings.steps)
        # Where the predicted picture is clipped to its range, the noise is derived anew from it. The two would not fit
        # each other otherwise, and guidance, which overshoots the range, would add up the difference step by step.
        clips = bool(schedule.config.clip_sample)
        latents = self._noise(settings.seed) * schedule.init_noise_sigma
        for time in schedule.timesteps:
            made = self._predict(latents, time, said, prompt, with_prompt)
            if apart is not None and without is not None:
                other = self._predict(latents, time, apart, without, Watch(off))
                made = other + settings.guidance * (made - other)
            step = schedule.step(made, time, latents, use_clipped_model_output=clips)
            latents = step.prev_sample
            yield Denoised(latents, step.pred_original_sample)

    def _noise(self, seed: int) -> Tensor:
        """The noise of a seed, the same on every device."""
        size = self.unet.config.sample_size
        shape = (1, self.unet.config.in_channels, size, size)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return noise.to(self.unet.device, self.unet.dtype)

    def _read(self, prompt: Prompt) -> Tensor:
        device = self.reader.device
        mask = None if prompt.mask is None else prompt.mask.to(device)
        read: Tensor = self.reader(prompt.ids.to(device), attention_mask=mask).last_hidden_state
        return read.to(self.unet.dtype)

    def _predict(self, latents: Tensor, time: Tensor, said: Tensor, prompt: Prompt, watch: Watch) -> Tensor:
        mask = None if prompt.mask is None else prompt.mask.to(latents.device)
        made: Tensor = self.unet(
            latents,
            time,
            encoder_hidden_states=said,
            encoder_attention_mask=mask,
            cross_attention_kwargs={"watch": watch},
        ).sample
        return made
