"""A model that draws at work: its U-Net, denoising step by step, with the exact weights of its cross-attention.

Threads share a U-Net, so it gets one stateless processor when it is loaded, and what a call wants of it (a `Watch`)
travels with the call, through diffusers' own `cross_attention_kwargs`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from diffusers import DDIMScheduler
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import quoted
from xattn_viz.models import provenance as base
from xattn_viz.models.base import ModelError, check_number
from xattn_viz.models.families.diffusion import MOST_WEIGHT
from xattn_viz.models.families.diffusion.concepts import CONCEPTS, Concepts, beside, named, own_tokens
from xattn_viz.models.families.diffusion.prompt import Prompt, Words
from xattn_viz.models.families.diffusion.results import Decoder, Picture, See, Site
from xattn_viz.models.families.diffusion.start import Start
from xattn_viz.models.provenance import Identity


@dataclass(frozen=True)
class Settings(base.Settings):
    """What `trace` was asked for; see `DiffusionAdapter.check`. What a model does not offer is None."""

    seed: int = 0
    steps: int = 1
    guidance: float = 1.0
    negative_prompt: str = ""
    weights: Mapping[int, float] = field(default_factory=dict)
    scheduler: str | None = None
    size: int | None = None
    start: Start | None = None
    concepts: str | None = None

    @classmethod
    def of(
        cls, checked: base.Settings, negative_prompt: object, weights: object, start: Start | None = None
    ) -> Settings:
        """The settings of a run. Raises ModelError with one sentence about what cannot be."""
        if negative_prompt and checked.options["guidance"] == 1:
            raise ModelError("A negative prompt works by guidance: give a guidance above 1, or leave it away.")
        own = {**vars(checked), **checked.options, "options": {}, "start": start}
        own.pop("negative_prompt", None)
        return cls(**own, negative_prompt=str(negative_prompt or ""), weights=_check_weights(weights or {}))

    @property
    def is_guided(self) -> bool:
        """Whether the model also draws without the prompt, to be pushed away from that."""
        return self.guidance > 1

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        said = {**super().as_keywords(), "weights": {str(word): factor for word, factor in self.weights.items()}}
        begun = said.pop("start")
        said |= {} if begun is None else {**begun, "start": begun["picture"]}
        said.pop("picture", None)
        offered = ("scheduler", "size", "mask", "concepts")  # of some only
        return {name: value for name, value in said.items() if name not in offered or value is not None}


def _check_weights(given: object) -> dict[int, float]:
    if not isinstance(given, Mapping):
        raise ModelError(f"weights are a factor for each word's number, such as {{2: 1.5}}: got {quoted(given)}.")
    return {
        int(check_number(word, "A word's number", 0, 10_000)): check_number(factor, "A weight", 0, MOST_WEIGHT)
        for word, factor in given.items()
    }


@dataclass(frozen=True)
class Watch:
    """What one pass of the U-Net is to do besides.

    `off` are heads whose output is set to zero, by module; `bias` `[key]` is added to every score before the softmax;
    `see` is called with each cross-attention module and its weights, and those of `concepts`, which it looks for.
    """

    off: Mapping[Attention, Sequence[int]] = field(default_factory=dict)
    bias: Tensor | None = None
    see: See | None = None
    concepts: Concepts | None = None


class Processor(AttnProcessor2_0):  # type: ignore[misc]
    """Fused attention as diffusers does it, which heeds a call's `watch` in cross-attention."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Attend. The parameters' names are diffusers': it hands over no others."""
        if watch is None or encoder_hidden_states is None:
            attended: Tensor = super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
            return attended
        query = _by_head(attn, attn.to_q(hidden_states))
        key, value = (_by_head(attn, to(encoder_hidden_states)) for to in (attn.to_k, attn.to_v))
        mask = _mask(attention_mask, watch.bias)
        output = scaled_dot_product_attention(query, key, value, mask, scale=attn.scale)
        off = list(watch.off.get(attn, ()))
        if off:
            output[:, off] = 0
        if watch.see is not None:
            scores = _scores(query[0], key[0], attn.scale, mask)
            found: dict[MapKind, Tensor] = {"cross": scores.softmax(-1)}
            if watch.concepts is not None:
                found[CONCEPTS] = beside(query[0], watch.concepts.keys(attn), attn.scale, scores)
            for weights in found.values():
                weights[off] = 0
            watch.see(attn, found)
        merged = output.transpose(1, 2).flatten(2)  # [batch, query, head x d_v]
        projected: Tensor = attn.to_out[0](merged) / attn.rescale_output_factor
        return projected


def install(unet: Any) -> None:
    """Give all attention modules of a U-Net the processor; once, before anyone runs it."""
    unet.set_attn_processor(Processor())


def _by_head(attn: Attention, projected: Tensor) -> Tensor:
    """`[batch, position, head x d_k]` as `[batch, head, position, d_k]`."""
    batch, positions, _ = projected.shape
    return projected.view(batch, positions, attn.heads, -1).transpose(1, 2)


def _mask(attention_mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """What is added to the scores, `[batch, 1, 1, key]`. diffusers' own, `[batch, 1, key]`, has -10,000 at padding."""
    mask = None if attention_mask is None else attention_mask[:, None]
    if bias is None:
        return mask
    return bias[None, None, None] if mask is None else mask + bias


def _scores(query: Tensor, key: Tensor, scale: float, mask: Tensor | None) -> Tensor:
    """q kᵀ scale + mask in float32, `[head, query, key]`: the weights are its softmax."""
    scores = (query.float() * scale) @ key.float().transpose(-1, -2)
    if mask is not None:
        scores += mask[0].float()
    return scores


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

    said = ""
    takes_negative_prompts, begins_as_pictures = True, False
    side: int | None = None  # of pictures to begin with, of which it takes none

    @property
    def networks(self) -> tuple[Any, ...]:
        """Its networks."""
        return (self.reader, self.unet, getattr(self.decoder, "autoencoder", None))

    def sites_at(self, size: int | None) -> Mapping[Any, Site]:
        """Its layers; its pictures have one size."""
        return self.sites

    def steps_of(self, settings: Settings) -> int:
        """How many steps a run takes."""
        return settings.steps

    def decoding(self, settings: Settings) -> dict[str, Any]:
        """How pictures are drawn, for the provenance."""
        schedule = self.schedule.config
        return {
            "method": "DDIM",
            "prediction_type": schedule.prediction_type,
            "timestep_spacing": schedule.timestep_spacing,
        }

    def read(self, text: object) -> Prompt:
        """Read a prompt. Raises InputError as `Words.read`."""
        return self.words.read(text)

    def read_concepts(self, said: str | None) -> dict[str, Prompt]:
        """Read what to look for, each concept by itself. Raises InputError as `Words.read`."""
        return {name: self.words.read(name, "concept") for name in named(said or "")}

    def read_without(self, text: str) -> Prompt:
        """Read what to draw away from. Raises InputError as `Words.read`."""
        return self.words.read_without(text)

    def draw(
        self,
        prompt: Prompt,
        without: Prompt | None,
        settings: Settings,
        see: See | None = None,
        on_step: Callable[[Denoised], object] = lambda step: None,
        *,
        is_mean: bool = False,
    ) -> Picture:
        """The picture; `on_step` is called after each step. `see` may be called with heads where `is_mean`."""
        for step in self.denoise(prompt, without, settings, see):
            on_step(step)
        return self.decoder.decode(step.latents)

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
        concepts = None if see is None else self._concepts(settings)
        with_prompt = Watch(off, None if bias is None else bias.to(self.unet.device, self.unet.dtype), see, concepts)
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

    def _concepts(self, settings: Settings) -> Concepts | None:
        read = self.read_concepts(settings.concepts)
        states = {name: self._read(each)[0, own_tokens(name, each)].mean(0) for name, each in read.items()}
        return Concepts(states) if states else None

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
