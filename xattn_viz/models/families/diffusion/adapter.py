"""Traces from a model that draws: a prompt in, a picture and attention maps out; and how such a model is loaded.

Whatever goes wrong on the way from a name or a folder to an adapter is said in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from tokenizers import processors
from torch import Tensor
from transformers import AutoConfig, CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from xattn_viz.core.trace import Layer, Trace
from xattn_viz.models.base import Adapter, Hooks, ModelCard, ModelError, OnProgress
from xattn_viz.models.checkpoint import Checkpoint, device, line, without_bars
from xattn_viz.models.engine.results import LIBRARIES
from xattn_viz.models.families.diffusion import (
    FAMILY,
    GUIDANCE,
    INDEX,
    OWN,
    OWN_FOLDER,
    OWN_GUIDANCE,
    PIPELINE,
    card,
    options,
)
from xattn_viz.models.families.diffusion.prompt import Prompt, Words
from xattn_viz.models.families.diffusion.results import (
    PREVIEWS,
    Blocks,
    Gathering,
    Learnt,
    Picture,
    Plan,
    StepPictures,
    find_sites,
)
from xattn_viz.models.families.diffusion.unet import Model, Settings, install
from xattn_viz.models.folder import Folder, find_folder
from xattn_viz.models.hub.fetching import Form, fetch, weights
from xattn_viz.models.provenance import Identity, Size, provenance
from xattn_viz.models.resources import bytes_held, run_slot
from xattn_viz.models.tiny import SENTENCES, byte_level, randomise


class DiffusionAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    further = ("negative_prompt", "weights")

    def __init__(self, card: ModelCard, model: Model) -> None:
        self.card, self.model = card, model
        parts = (model.reader, model.unet, getattr(model.decoder, "autoencoder", None))
        self.memory = bytes_held(*parts)
        self.size = Size({"cross": tuple(site.heads for site in model.sites.values())})

    def check(self, *, negative_prompt: str = "", weights: Mapping[int, float] | None = None, **asked: Any) -> Settings:
        """As `Adapter.check`.

        Options, each a number or what says one: `seed`; `steps`, 1 to 100; `guidance`, where 1 is none. With guidance
        above 1, `negative_prompt` says what to draw away from (nothing in particular unless given), and the maps are
        those under the prompt itself. `weights` is a factor for each word's number, from 0, as `tokens.word_spans`
        counts them: {2: 1.5} makes the third word weigh more, 0 leaves it out. In every layer and step, the word's
        attention weights are multiplied by it and each row is divided by its sum: the attention re-weighting of Hertz
        et al. 2022 (Prompt-to-Prompt Image Editing with Cross Attention Control), but rows stay distributions. A prompt
        can say the same itself: "a (blue:1.5) circle".
        """
        return Settings.of(super().check(**asked), negative_prompt, weights)

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:  # type: ignore[override]
        """The pictures and maps of a prompt.

        There is one cross map with `step` None, the mean over all steps, and one for each step that is kept. Queries
        are the places of the picture, on one grid for all layers; keys are the tokens of the prompt. Layers are
        numbered in the order in which the U-Net runs them; `layers` names each one's block and the rows and
        columns that it has itself. `pictures` holds for each step that is kept what the model
        then takes the finished picture to be, and last that picture. `gathering` says what is kept.

        Raises InputError for a prompt that is empty or too long, or holds words that the model does not know.
        """
        prompt, without = self._read(input, settings)
        with run_slot(hooks.on_step), torch.inference_mode():
            return self._run(prompt, without, settings, hooks)

    def plain(self, input: Any, **options: Any) -> Picture:
        """Only the finished picture, `[row, column, 3]`, with nothing recorded."""
        settings = self.check(**options)
        prompt, without = self._read(input, settings)
        with run_slot(), torch.inference_mode():
            *_, last = self.model.denoise(prompt, without, settings)
            return self.model.decoder.decode(last.latents)

    def _read(self, input: Any, settings: Settings) -> tuple[Prompt, Prompt | None]:
        prompt = self.model.words.read(input)
        prompt.bias(settings.weights)  # refused here rather than in the queue
        return prompt, self.model.words.read_without(settings.negative_prompt) if settings.is_guided else None

    def _run(self, prompt: Prompt, without: Prompt | None, settings: Settings, hooks: Hooks) -> Trace:
        sites = self.model.sites
        plan = Plan.of(tuple(sites.values()), len(prompt.axis()), settings.steps)
        gathering = Gathering(sites, plan, prompt, ablated=bool(settings.ablate))
        made = StepPictures(self.model.decoder)

        def see(module: Attention, weights: Tensor) -> None:
            hooks.report(0, 0)  # a step of a large model takes many seconds
            gathering.see(module, weights)

        hooks.report(0, settings.steps)
        steps = self.model.denoise(prompt, without, settings, see)
        for done, step in enumerate(steps, start=1):
            gathering.end()
            if done - 1 in plan.steps:
                made.add(step.prediction)
            if done < settings.steps:
                hooks.report(done, settings.steps)
                hooks.show(lambda: self._made(prompt, settings, plan, gathering, made.so_far()))
        return self._made(prompt, settings, plan, gathering, made.finished(step.latents))

    def _made(
        self, prompt: Prompt, settings: Settings, plan: Plan, gathering: Gathering, pictures: tuple[Picture, ...]
    ) -> Trace:
        sites, schedule = tuple(self.model.sites.values()), self.model.schedule.config
        notes = [
            *([prompt.note] if prompt.note else []),
            *plan.notes(sites, settings.steps),
            *(() if self.model.decoder.is_cheap else (PREVIEWS,)),
        ]
        decoding = {
            "method": "DDIM",
            "prediction_type": schedule.prediction_type,
            "timestep_spacing": schedule.timestep_spacing,
        }
        libraries = (*LIBRARIES, diffusers)
        text = prompt.tokens.text
        said = provenance(self.model.identity, settings.as_keywords(), decoding, text, libraries)
        layers = tuple(Layer(site.name, (site.grid, site.grid)) for site in sites)
        trace = Trace(gathering.maps(), text, "", provenance=said, pictures=pictures, layers=layers)
        return trace.with_notes(*self.model.identity.notes, *notes)


_FORM: Form = "pipeline"
# How older autoencoders call the parts of their attention, and how they are called today.
_OLDER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_SPECIAL = ("<pad>", "<s>", "</s>")
_LENGTH, _WIDTH = 96, 16


def load(
    name_or_folder: str | Folder, *, revision: str | None = None, on_progress: OnProgress | None = None
) -> DiffusionAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    if name_or_folder == OWN:
        if not OWN_FOLDER.is_dir():
            raise ModelError(f"{OWN} is not in this installation: python -m scripts.train.diffusion makes it.")
        return _load(_checked(OWN, Folder(OWN_FOLDER, links_anywhere=True)))
    if (folder := find_folder(name_or_folder)) is not None:
        return _load(_checked(str(folder), folder))
    name = str(name_or_folder)
    found = fetch(
        name,
        revision,
        (_FORM,),
        on_progress=on_progress,
        check=lambda index: _check_kind(name, Folder(index.parent)),
    )
    return _load(_checked(name, Folder(found.folder), found.commit, found.notes))


def _checked(name: str, folder: Folder, commit: str | None = None, notes: tuple[str, ...] = ()) -> Checkpoint:
    """The files of a pipeline of the right kind. Raises ModelError for any other, and where its weights are missing."""
    if folder.has(INDEX):
        _check_kind(name, folder)
    of_weights = weights(folder.names(), (_FORM,))
    if of_weights is None:
        raise ModelError(f"{name} has no weights in safetensors that can be read: a U-Net's and a text encoder's.")
    if folder.has(INDEX) and not _has_autoencoder(folder):
        raise ModelError(f"{name} has no autoencoder (vae), without which its pictures cannot be seen.")
    return Checkpoint(name, folder, _FORM, tuple(of_weights[1]), commit, notes).checked()


def _check_kind(name: str, folder: Folder) -> None:
    """Raise ModelError where a model_index.json names another pipeline."""
    try:
        kind = folder.json(INDEX)["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name} cannot be loaded: its {INDEX} is damaged.") from error
    if kind != PIPELINE:
        raise ModelError(f"{name} is a {kind!s:.60}: only Stable Diffusion 1.x and 2.x can be shown ({PIPELINE}).")


def _load(found: Checkpoint) -> DiffusionAdapter:
    where = device()
    # Weights may be stored in float16, which processors compute slowly or not at all.
    dtype = torch.float16 if where.type == "cuda" else torch.float32
    tokenizer = found.tokenizer("tokenizer")
    part = ""
    try:
        with found.copied() as folder:
            part = "scheduler"
            schedule = DDIMScheduler.from_pretrained(folder / part, **_sampling(found.folder))
            part = "text_encoder"
            reader = _reader(folder / part, found.state(part), dtype)
            part = "unet"
            unet = _filled(UNet2DConditionModel, folder / part, found.state(part), dtype)
            part, autoencoder = "vae", None
            if _has_autoencoder(found.folder):
                state = {_today(name): tensor for name, tensor in found.state(part).items()}
                autoencoder = _filled(AutoencoderKL, folder / part, state, dtype)
    except ModelError:
        raise
    except Exception as error:  # torch and both libraries each raise their own
        raise ModelError(
            f"{found.name} cannot be loaded: its {part} is damaged or does not fit ({line(error)})."
        ) from error
    for loaded in (reader, unet, autoencoder):
        if loaded is not None:
            loaded.to(where)
    return assemble(
        found.name, tokenizer, reader, unet, schedule, autoencoder, found.digest(), found.commit, found.notes
    )


def _has_autoencoder(folder: Folder) -> bool:
    return folder.has("vae/config.json")


def _sampling(folder: Folder) -> dict[str, Any]:
    """How to draw, where the schedule that a model was trained with does not say it.

    Pixels reach from -1 to 1, which helps; what an autoencoder makes of them has no such bounds. A model of ours begins
    at the last of its noise levels, which is pure noise, as its pictures do (Lin et al. 2024, Common Diffusion Noise
    Schedules and Sample Steps Are Flawed).
    """
    return {"clip_sample": False} if _has_autoencoder(folder) else {"timestep_spacing": "trailing"}


def _reader(folder: Path, state: dict[str, Tensor], dtype: torch.dtype) -> Any:
    """The text encoder with its weights. Raises ValueError where some are missing: they would be random."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with without_bars():
        model, report = CLIPTextModel.from_pretrained(
            None, config=config, state_dict=state, dtype=dtype, output_loading_info=True
        )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"it lacks {len(missing)} of its parameters, such as {missing[0]!r}")
    return model


def _filled(kind: Any, folder: Path, state: dict[str, Tensor], dtype: torch.dtype) -> Any:
    """A part of a pipeline with its weights. Raises ValueError where some are missing: they would be random."""
    model = kind.from_config(kind.load_config(folder))
    missing, _ = model.load_state_dict(state, strict=False)
    if missing:
        raise ValueError(f"it lacks {len(missing)} of its parameters, such as {min(missing)!r}")
    return torch.nn.Module.to(model, dtype)  # the library's own complains on stderr, even where it has nothing to keep


def _today(name: str) -> str:
    return re.sub(
        r"(\.attentions\.\d+\.)(query|key|value|proj_attn)(?=\.)", lambda found: found[1] + _OLDER[found[2]], name
    )


def assemble(
    name: str,
    tokenizer: Any,
    reader: Any,
    unet: Any,
    schedule: DDIMScheduler,
    autoencoder: Any | None,
    digest: str,
    commit: str | None = None,
    notes: tuple[str, ...] = (),
) -> DiffusionAdapter:
    """The adapter of a model's parts; without an autoencoder its code is blocks of pixels, and padding is masked.

    Raises ModelError for a U-Net of another form.
    """
    size, channels = unet.config.sample_size, unet.config.in_channels
    if not isinstance(size, int):
        raise ModelError(f"{name} cannot be shown: its U-Net says no square size of pictures.")
    if autoencoder is None and (channels % 3 or round((channels / 3) ** 0.5) ** 2 * 3 != channels):
        raise ModelError(
            f"{name} cannot be shown: it has no autoencoder, and {channels} channels are no block of pixels."
        )
    if channels != unet.config.out_channels:
        raise ModelError(
            f"{name} cannot be shown: it draws from {channels} channels, a picture to begin with among them."
        )
    for part in (reader, unet, autoencoder):
        if part is not None:
            part.eval().requires_grad_(False)
    install(unet)
    if not (sites := find_sites(unet)):
        raise ModelError(f"{name} cannot be shown: its U-Net has no cross-attention.")
    length = min(int(tokenizer.model_max_length), int(reader.config.max_position_embeddings))
    words = Words(tokenizer, length, masked=autoencoder is None)
    decoder = Blocks() if autoencoder is None else Learnt(autoencoder)
    identity = Identity.of(unet, name, commit, digest, notes)
    return DiffusionAdapter(_card(name, autoencoder), Model(words, reader, unet, schedule, decoder, sites, identity))


def _card(name: str, autoencoder: Any | None) -> ModelCard:
    if (known := FAMILY.card_of(name)) is not None:
        return replace(known, download_mb=None)
    return card(name, Path(name).name, options=options(OWN_GUIDANCE if autoencoder is None else GUIDANCE))


def tiny() -> DiffusionAdapter:
    """The tiny model: pictures of 16 x 16 pixels, two levels of 2 heads, 300 byte-level pieces; always the same."""
    reader = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=300,
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=_LENGTH,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=12,
        out_channels=12,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=_WIDTH,
        norm_num_groups=4,
    )
    randomise(reader, vectors=True)
    randomise(unet, vectors=True)
    schedule = DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    return assemble("diffusion-example", _tokenizer(), reader, unet, schedule, None, digest="random")


def _tokenizer() -> PreTrainedTokenizerFast:
    pieces = byte_level(SENTENCES, _SPECIAL, 300)
    ends = [(name, _SPECIAL.index(name)) for name in ("<s>", "</s>")]
    pieces.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        **dict(zip(("pad_token", "bos_token", "eos_token"), _SPECIAL, strict=True)),
        model_max_length=_LENGTH,
    )
