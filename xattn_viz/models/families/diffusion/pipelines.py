"""Pipelines of diffusers at work, with the exact weights of what reads their prompts: SDXL, SD3, FLUX and PixArt.

Each run has a pipeline object and a scheduler of its own, which keep state, around the parts that all runs share. The
library's own `__call__` draws; the scheduler's steps are where a run is looked at.
"""

from __future__ import annotations

import copy
import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel

from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import ModelError
from xattn_viz.models.families.diffusion import GUIDANCE
from xattn_viz.models.families.diffusion.concepts import Concepts, named, own_tokens
from xattn_viz.models.families.diffusion.joint import Watch, install, watching
from xattn_viz.models.families.diffusion.prompt import Joined, Prompt, Words, unread
from xattn_viz.models.families.diffusion.results import BOTH, Decoder, Learnt, Picture, Plan, See, Site, find_sites
from xattn_viz.models.families.diffusion.unet import Denoised, Settings
from xattn_viz.models.provenance import Identity

#: Schedulers by the names that people know them by. All take a step of the network for each of their own.
SCHEDULERS = {
    "DDIM": "DDIMScheduler",
    "Euler": "EulerDiscreteScheduler",
    "Euler ancestral": "EulerAncestralDiscreteScheduler",
    "DPM++ 2M": "DPMSolverMultistepScheduler",
    "UniPC": "UniPCMultistepScheduler",
    "LMS": "LMSDiscreteScheduler",
}
#: What else a folder may name as its own.
OTHER_SCHEDULERS = {"PNDM": "PNDMScheduler", "Flow Euler": "FlowMatchEulerDiscreteScheduler"}


@dataclass(frozen=True)
class Reads:
    """A tokenizer whose tokens are keys, by its part of the folder, and how many positions they have.

    None is as many as it says itself. `is_masked`: padding is not looked at; `is_lower`: capital letters are lowered.
    """

    part: str
    length: int | None = None
    is_masked: bool = False
    is_lower: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of pipeline: its classes to draw, and to draw from a picture; what it reads prompts by; its defaults.

    `reads` are the encoders whose tokens are its keys, in their order, by names for people. `encode` turns a prompt and
    what to draw away from into what the pipeline takes. `joint` says where the text stands in a joint sequence. `said`
    is what people should know of its keys.
    """

    draws: str
    redraws: str
    network: str
    encoders: Mapping[str, type]
    reads: Mapping[str, Reads]
    encode: Callable[[Any, str, str | None, bool], dict[str, Any]]
    guidance: str
    steps: str
    joint: str = ""
    said: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    is_distilled: bool = False

    @property
    def part(self) -> str:
        """The folder of the network that draws."""
        return "unet" if self.network.startswith("UNet") else "transformer"


def _encode_sd(pipe: Any, text: str, without: str | None, is_guided: bool) -> dict[str, Any]:
    own, other = pipe.encode_prompt(text, pipe.device, 1, is_guided, without)
    return {"prompt_embeds": own, "negative_prompt_embeds": other}


def _encode_xl(pipe: Any, text: str, without: str | None, is_guided: bool) -> dict[str, Any]:
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    made = pipe.encode_prompt(text, do_classifier_free_guidance=is_guided, negative_prompt=without)
    return dict(zip(names, made, strict=True))


def _encode_sd3(pipe: Any, text: str, without: str | None, is_guided: bool) -> dict[str, Any]:
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    made = pipe.encode_prompt(text, text, text, do_classifier_free_guidance=is_guided, negative_prompt=without)
    return dict(zip(names, made, strict=True))


def _encode_flux(pipe: Any, text: str, without: str | None, is_guided: bool) -> dict[str, Any]:
    length = _flux_length(pipe.transformer)
    own, pooled, _ = pipe.encode_prompt(text, text, max_sequence_length=length)
    return {"prompt_embeds": own, "pooled_prompt_embeds": pooled, "max_sequence_length": length}


def _encode_pixart(length: int, pipe: Any, text: str, without: str | None, is_guided: bool) -> dict[str, Any]:
    names = (
        "prompt_embeds",
        "prompt_attention_mask",
        "negative_prompt_embeds",
        "negative_prompt_attention_mask",
    )
    made = pipe.encode_prompt(
        text, is_guided, negative_prompt=without or "", clean_caption=False, max_sequence_length=length
    )
    return {
        **dict(zip(names, made, strict=True)),
        "negative_prompt": None,
        "use_resolution_binning": False,
        "clean_caption": False,
        "max_sequence_length": length,
    }


def _flux_length(transformer: Any) -> int:
    """How many tokens of T5 it reads: the variant that was distilled to few steps (schnell) half as many."""
    return 512 if transformer.config.guidance_embeds else 256


_T5 = {"text_encoder": T5EncoderModel}
KINDS: Mapping[str, Kind] = {
    "StableDiffusionPipeline": Kind(
        "StableDiffusionPipeline",
        "StableDiffusion",
        "UNet2DConditionModel",
        {"text_encoder": CLIPTextModel},
        {"": Reads("tokenizer")},
        _encode_sd,
        GUIDANCE,
        "25",
        extra={"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False},
    ),
    "StableDiffusionXLPipeline": Kind(
        "StableDiffusionXLPipeline",
        "StableDiffusionXL",
        "UNet2DConditionModel",
        {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection},
        {"": Reads("tokenizer")},
        _encode_xl,
        "5",
        "25",
        said="Each key is one token as both text encoders read it: their features are joined, so no weight says which "
        "of them was looked at. The second one’s summary of the prompt and the picture’s size come in with the step.",
        extra={"add_watermarker": False},
    ),
    "StableDiffusion3Pipeline": Kind(
        "StableDiffusion3Pipeline",
        "StableDiffusion3",
        "SD3Transformer2DModel",
        {
            "text_encoder": CLIPTextModelWithProjection,
            "text_encoder_2": CLIPTextModelWithProjection,
            "text_encoder_3": T5EncoderModel,
        },
        {"CLIP": Reads("tokenizer"), "T5": Reads("tokenizer_3", 256)},
        _encode_sd3,
        "7",
        "28",
        joint="last",
        said="The prompt is read twice: first its tokens by both CLIP encoders, whose features are joined, then by T5.",
    ),
    "FluxPipeline": Kind(
        "FluxPipeline",
        "Flux",
        "FluxTransformer2DModel",
        {"text_encoder": CLIPTextModel, "text_encoder_2": T5EncoderModel},
        {"": Reads("tokenizer_2", 512)},
        _encode_flux,
        "3.5",
        "28",
        joint="first",
        said="Keys are tokens as T5 reads them; CLIP’s summary of the prompt comes in with the step and has no keys.",
        is_distilled=True,
    ),
    "PixArtAlphaPipeline": Kind(
        "PixArtAlphaPipeline",
        "",
        "PixArtTransformer2DModel",
        _T5,
        {"": Reads("tokenizer", 120, is_masked=True, is_lower=True)},
        functools.partial(_encode_pixart, 120),
        "4.5",
        "20",
    ),
    "PixArtSigmaPipeline": Kind(
        "PixArtSigmaPipeline",
        "",
        "PixArtTransformer2DModel",
        _T5,
        {"": Reads("tokenizer", 300, is_masked=True, is_lower=True)},
        functools.partial(_encode_pixart, 300),
        "4.5",
        "20",
    ),
}


class Pipeline:
    """The parts of a pipeline, which threads share; each run makes a pipeline and a scheduler of its own."""

    def __init__(
        self, kind: Kind, parts: Mapping[str, Any], scheduler: Any, identity: Callable[[Any], Identity]
    ) -> None:
        """`parts` are the modules and tokenizers by their names, None where an optional one is not there."""
        self.kind, self.parts, self._scheduler = kind, dict(parts), scheduler
        self.network = parts[kind.part]
        for part in parts.values():
            if isinstance(part, nn.Module):
                part.eval().requires_grad_(False)
            elif part is not None:
                part.split_special_tokens = True  # what someone types is text, even where it looks like a token
        # Some turn to float32 and back within a run, for the sake of float16; threads share it, and none is in float16.
        parts["vae"].register_to_config(force_upcast=False)
        install(self.network)
        self.identity = identity(self.network)
        self.decoder: Decoder = Learnt(parts["vae"])
        self._words = {name: self._reader(reads) for name, reads in kind.reads.items()}
        self._reading = threading.Lock()  # a tokenizer sets its padding at each call
        self._scale = 2 ** (len(parts["vae"].config.block_out_channels) - 1)
        self.sites = self.sites_at(None)

    def _reader(self, reads: Reads) -> Words | None:
        tokenizer = self.parts.get(reads.part)
        if tokenizer is None:
            return None
        length = self._length(reads) or int(tokenizer.model_max_length)
        return Words(copy.deepcopy(tokenizer), length, masked=reads.is_masked)

    def _length(self, reads: Reads) -> int | None:
        return _flux_length(self.network) if self.kind.draws == "FluxPipeline" else reads.length

    @property
    def kinds(self) -> tuple[MapKind, ...]:
        """The kinds of its maps."""
        return BOTH if self.kind.joint else ("cross",)

    @property
    def said(self) -> str:
        """What people should know of its keys."""
        return self.kind.said

    @property
    def takes_negative_prompts(self) -> bool:
        """Whether it can draw away from something: not where guidance was trained into it."""
        return not self.kind.is_distilled

    @property
    def begins_as_pictures(self) -> bool:
        """Whether the library has a way to begin as a picture with it."""
        return bool(self.kind.redraws)

    @property
    def most_tokens(self) -> int:
        """How many tokens of a prompt all its encoders whose tokens are keys can read."""
        most: int = min(words.most for words in self._words.values() if words is not None)
        return most

    def most_bytes(self, steps: int) -> int:
        """How many bytes the maps of the longest prompt take at most, in so many steps at its own size."""
        keys = sum(self._length(reads) or self.most_tokens + 2 for reads in self.kind.reads.values())
        sites = tuple(self.sites.values())
        return Plan.of(sites, keys, steps).size(sites, keys)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Its networks."""
        return tuple(part for part in self.parts.values() if isinstance(part, nn.Module))

    @property
    def side(self) -> int:
        """The rows of pixels of the pictures that it was made for."""
        side: int = (getattr(self.network.config, "sample_size", None) or 128) * self._scale
        return side

    @property
    def guides(self) -> bool:
        """Whether guidance changes anything: a FLUX that was distilled to few steps takes none."""
        return not self.kind.is_distilled or bool(self.network.config.guidance_embeds)

    @property
    def schedulers(self) -> dict[str, str]:
        """The schedulers that it can draw with, its own first, by their names for people."""
        own = type(self._scheduler).__name__
        known = {name: of for name, of in (SCHEDULERS | OTHER_SCHEDULERS).items() if of == own}
        others = {one.__name__ for one in self._scheduler.compatibles}
        if known.keys() & {"Flow Euler"}:  # the others here are trained for another way of adding noise
            others = set()
        return known | {name: of for name, of in SCHEDULERS.items() if of in others}

    def sites_at(self, size: int | None) -> dict[Any, Site]:
        """The layers that read the prompt in their order, for pictures of so many rows of pixels."""
        side = (size or self.side) // self._scale
        if self.kind.part == "unet":
            return dict(find_sites(self.network, side))
        patch = 2 if self.kind.draws == "FluxPipeline" else int(self.network.config.patch_size)
        ends, joint = (".attn2",) if not self.kind.joint else (".attn",), self.kind.joint
        return {
            module: Site(name.rpartition(".")[0], int(module.heads), side // patch, joint)  # type: ignore[arg-type]
            for name, module in self.network.named_modules()
            if name.endswith(ends) and "transformer_blocks." in name
        }

    def read(self, text: object, name: str = "prompt") -> Joined:
        """Read a prompt. Raises InputError where it is empty or too long for an encoder whose tokens are keys."""
        parts = {}
        for part, reads in self.kind.reads.items():
            words = self._words[part]
            said = text.lower() if reads.is_lower and isinstance(text, str) else text
            is_without = name == "negative prompt"
            read = None if words is None else words.read_without(said) if is_without else words.read(said, name)
            parts[part] = unread(reads.length or 0) if read is None else read
        return Joined(parts, str(text))

    def read_concepts(self, said: str | None) -> dict[str, Prompt]:
        """Read what to look for, each concept by itself, by the only encoder there is. Raises InputError as `read`."""
        return {name: next(iter(self.read(name, "concept").parts.values())) for name in named(said or "")}

    def _concepts(self, pipe: Any, settings: Settings) -> Concepts | None:
        """Embeddings of concepts as the cross-attention layers get those of the prompt."""
        states = {}
        for name, read in self.read_concepts(settings.concepts).items():
            said = self.kind.encode(pipe, read.plain, None, False)["prompt_embeds"]
            projection = getattr(self.network, "caption_projection", None)
            said = said if projection is None else projection(said)
            states[name] = said[0, own_tokens(name, read)].mean(0)
        return Concepts(states) if states else None

    def read_without(self, text: str) -> str | None:
        """What to draw away from, checked; None for nothing in particular. Raises InputError as `read`."""
        if text:
            self.read(text, "negative prompt")
        return text or None

    def steps_of(self, settings: Settings) -> int:
        """How many steps a run takes."""
        if settings.start is not None:
            return self.steps_begun(settings.steps, settings.start.strength)
        scheduler = self._scheduler_of(settings)
        try:
            scheduler.set_timesteps(settings.steps)
            return len(scheduler.timesteps)
        except ValueError:  # one that wants to know the length of the sequence too
            return settings.steps

    def steps_begun(self, steps: int, strength: float) -> int:
        """How many of so many steps are taken from a picture: the library rounds down for a U-Net, up for others."""
        taken = min(steps * strength, steps)
        return int(taken) if self.kind.part == "unet" else steps - int(steps - taken)

    def decoding(self, settings: Settings) -> dict[str, Any]:
        """How pictures are drawn, for the provenance."""
        config = self._scheduler_of(settings).config
        names = ("prediction_type", "timestep_spacing", "shift")
        said = {name: config[name] for name in names if config.get(name) is not None}
        return {"method": settings.scheduler, **said}

    def draw(
        self,
        prompt: Joined,
        without: str | None,
        settings: Settings,
        see: See | None = None,
        on_step: Callable[[Denoised], object] | None = None,
        *,
        is_mean: bool = False,
    ) -> Picture:
        """The picture, by the library's own pipeline; `on_step` is called after each step of the scheduler."""
        size = settings.size or self.side
        sites = self.sites_at(size)
        modules, off = list(sites), dict[nn.Module, list[int]]()
        for _, layer, head in settings.ablate:
            off.setdefault(modules[layer], []).append(head)
        pipe = self._pipe(settings)
        pipe.set_progress_bar_config(disable=True)
        if on_step is not None:
            _observe(pipe.scheduler, lambda step: on_step(self._unpacked(pipe, step, size)))
        with self._reading:
            said = self.kind.encode(pipe, prompt.plain, without, settings.guidance > 1)
            concepts = None if see is None else self._concepts(pipe, settings)
        watch = Watch(sites, prompt.length, off, prompt.bias(settings.weights), see, is_mean, concepts)
        asked = {
            "height": size,
            "width": size,
            "num_inference_steps": settings.steps,
            "guidance_scale": settings.guidance,
            "generator": torch.Generator().manual_seed(settings.seed),
            "output_type": "np",
        }
        if settings.start is not None:
            asked["image"], asked["mask_image"] = settings.start.images()
            asked["strength"] = settings.start.strength
        taken = inspect.signature(pipe.__call__).parameters
        with watching(watch):
            drawn = pipe(**said, **{name: value for name, value in asked.items() if name in taken}).images[0]
        picture: Picture = (drawn * 255).round().astype(np.uint8)
        return picture

    def _pipe(self, settings: Settings) -> Any:
        name, start = self.kind.draws, settings.start
        if start is not None:
            name = f"{self.kind.redraws}{'Img2Img' if start.mask is None else 'Inpaint'}Pipeline"
        made = getattr(diffusers, name)
        return made(**self.parts, scheduler=self._scheduler_of(settings), **self.kind.extra)

    def _scheduler_of(self, settings: Settings) -> Any:
        """A scheduler for one run."""
        own, wanted = self._scheduler, self.schedulers.get(settings.scheduler or "", type(self._scheduler).__name__)
        if type(own).__name__ == wanted:
            return copy.deepcopy(own)
        return getattr(diffusers, wanted).from_config(own.config)

    def _unpacked(self, pipe: Any, step: Denoised, size: int) -> Denoised:
        """With latents `[1, channel, row, column]`: those of FLUX are a sequence of blocks."""
        if self.kind.draws != "FluxPipeline":
            return step
        return Denoised(*(pipe._unpack_latents(each, size, size, self._scale) for each in step))


def _observe(scheduler: Any, on_step: Callable[[Denoised], object]) -> None:
    """Let a scheduler tell of each of its steps: the latents then, and the clean ones that are predicted from there."""
    own = scheduler.step

    @functools.wraps(own)  # pipelines look at its signature
    def step(model_output: Tensor, timestep: Any, sample: Tensor, *given: Any, **named: Any) -> Any:
        is_dict = named.pop("return_dict", True)
        made = own(model_output, timestep, sample, *given, return_dict=True, **named)
        prediction = _prediction(scheduler, made, model_output, sample)
        on_step(Denoised(made.prev_sample, prediction))
        return made if is_dict else (made.prev_sample, prediction)

    scheduler.step = step


def _prediction(scheduler: Any, made: Any, output: Tensor, sample: Tensor) -> Tensor:
    """The clean latents that a step predicts; where a scheduler does not say, the latents as they are."""
    found: Tensor | None = getattr(made, "pred_original_sample", None)
    if found is None and isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
        found = sample - scheduler.sigmas[scheduler.step_index - 1].to(sample) * output
    if found is None and (outputs := getattr(scheduler, "model_outputs", None)):  # DPM++ and UniPC keep predictions
        found = outputs[-1]
    latents: Tensor = made.prev_sample
    return latents if found is None else found


def check_kind(name: str, kind: object) -> None:
    """Raise ModelError, in one sentence, for a pipeline that cannot be shown."""
    if kind in KINDS:
        return
    if str(kind).startswith("Kandinsky"):
        raise ModelError(
            f"{name} is a {kind!s:.60}: its decoder reads an embedding of a picture, which its prior makes of the "
            "prompt, so no part of the picture looks at a word, and there is no such map to show."
        )
    raise ModelError(
        f"{name} is a {kind!s:.60}: only Stable Diffusion 1.x, 2.x, XL and 3.x, FLUX and PixArt can be shown "
        f"({', '.join(KINDS)})."
    )
