"""A model that draws, from its name or folder: every part with its weights, and a sentence for whatever is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from tokenizers import processors
from torch import Tensor
from transformers import AutoConfig, CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from xattn_viz.core.records import quoted
from xattn_viz.models.base import Capability, ModelCard, ModelError, OnProgress, Option
from xattn_viz.models.checkpoint import Checkpoint, device, line, without_bars
from xattn_viz.models.families.diffusion import (
    FAMILY,
    GUIDANCE,
    INDEX,
    MOST_SIDE,
    OWN,
    OWN_FOLDER,
    OWN_GUIDANCE,
    PIPELINE,
    card,
    options,
)
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.families.diffusion.lora import merge
from xattn_viz.models.families.diffusion.pipelines import (
    KINDS,
    OTHER_SCHEDULERS,
    SCHEDULERS,
    Kind,
    Pipeline,
    check_kind,
)
from xattn_viz.models.families.diffusion.prompt import Words
from xattn_viz.models.families.diffusion.results import Blocks, Learnt, find_sites
from xattn_viz.models.families.diffusion.unet import Model, install
from xattn_viz.models.folder import Folder, find_folder
from xattn_viz.models.hub.fetching import Form, fetch, weights
from xattn_viz.models.provenance import Identity
from xattn_viz.models.tiny import SENTENCES, byte_level, randomise

_FORM: Form = "pipeline"
#: What a pipeline can compute in.
DTYPES = ("float32", "bfloat16", "float16")
#: What adds a LoRA to the parts of a pipeline from this folder: a note about it and its digest.
_Change = Callable[[Mapping[str, Any], Folder], tuple[str, bytes]]
# How older autoencoders call the parts of their attention, and how they are called today.
_OLDER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_SPECIAL = ("<pad>", "<s>", "</s>")
_LENGTH, _WIDTH = 96, 16


def load(
    name_or_folder: str | Folder,
    *,
    revision: str | None = None,
    on_progress: OnProgress | None = None,
    lora: str | Path | None = None,
    lora_strength: float = 1.0,
    dtype: str | None = None,
) -> DiffusionAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`.

    `lora` is the file or the folder of a LoRA of it, which is added to its weights `lora_strength` times (`lora`). One
    that lies in the pipeline's own folder is added without being asked for.

    `dtype`, of `DTYPES`, is what a pipeline computes in: unless said float32 on a processor and bfloat16 on CUDA.
    Weights of attention are float32 whatever it is.
    """
    if dtype not in (None, *DTYPES):
        raise ModelError(f"A pipeline computes in {', '.join(DTYPES)}: got {quoted(dtype)}.")
    change = partial(merge, lora=lora, strength=lora_strength)
    if name_or_folder == OWN:
        if not OWN_FOLDER.is_dir():
            raise ModelError(f"{OWN} is not in this installation: python -m scripts.train.diffusion makes it.")
        return _load(_checked(OWN, Folder(OWN_FOLDER, links_anywhere=True)), change)
    if (folder := find_folder(name_or_folder)) is not None:
        return _load(_checked(str(folder), folder), change, dtype)
    name = str(name_or_folder)
    found = fetch(
        name,
        revision,
        (_FORM,),
        on_progress=on_progress,
        check=lambda index: _check_kind(name, Folder(index.parent)),
    )
    return _load(_checked(name, Folder(found.folder), found.commit, found.notes), change, dtype)


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


def _check_kind(name: str, folder: Folder) -> str:
    """The pipeline that a model_index.json names. Raises ModelError where it is none that can be shown."""
    try:
        kind = folder.json(INDEX)["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name} cannot be loaded: its {INDEX} is damaged.") from error
    check_kind(name, kind)
    return str(kind)


def _load(found: Checkpoint, change: _Change, asked: str | None = None) -> DiffusionAdapter:
    if found.folder.has(INDEX):
        return _load_pipeline(found, KINDS[_check_kind(found.name, found.folder)], change, asked)
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


def _load_pipeline(found: Checkpoint, kind: Kind, change: _Change, asked: str | None) -> DiffusionAdapter:
    """A pipeline that the library draws with, every part read from the files that were checked."""
    where = device()
    dtype = getattr(torch, asked or ("bfloat16" if where.type == "cuda" else "float32"))
    parts = _tokenizers(found, kind)
    part = ""
    try:
        with found.copied() as folder:
            part = "scheduler"
            schedule = _scheduler(found, folder / part, kind)
            for part, made in kind.encoders.items():
                there = part in found.folder.parts()
                parts[part] = _reader(folder / part, found.state(part), dtype, made) if there else None
            part = kind.part
            parts[part] = _filled(getattr(diffusers, kind.network), folder / part, found.state(part), dtype)
            part = "vae"
            state = {_today(name): tensor for name, tensor in found.state(part).items()}
            parts[part] = _filled(AutoencoderKL, folder / part, state, dtype)
    except ModelError:
        raise
    except Exception as error:  # torch and both libraries each raise their own
        raise ModelError(
            f"{found.name} cannot be loaded: its {part} is damaged or does not fit ({line(error)})."
        ) from error
    for loaded in parts.values():
        if isinstance(loaded, torch.nn.Module):
            loaded.to(where)
    network = parts[kind.part]
    if not isinstance(getattr(network.config, "sample_size", 0), int):
        raise ModelError(f"{found.name} cannot be shown: its {kind.part} says no square size of pictures.")
    if kind.part == "unet" and network.config.in_channels != network.config.out_channels:
        raise ModelError(f"{found.name} cannot be shown: it draws from more than noise, a masked picture among it.")
    said, changed = change(parts, found.folder)
    digest = found.digest() if not changed else sha256(found.digest().encode() + changed).hexdigest()
    notes = (*found.notes, *([said] if said else []))
    identity = partial(Identity.of, name=found.name, commit=found.commit, digest=digest, notes=notes)
    model = Pipeline(kind, parts, schedule, identity)
    return DiffusionAdapter(_card_of(found.name, model), model)


def _tokenizers(found: Checkpoint, kind: Kind) -> dict[str, Any]:
    """The tokenizers by their folders, None where an optional one is not there.

    Raises ModelError where a text encoder or its tokenizer is not there that is needed.
    """
    parts, there = dict[str, Any](), found.folder.parts()
    for encoder in kind.encoders:
        tokenizer = encoder.replace("text_encoder", "tokenizer")
        absent = [part for part in (encoder, tokenizer) if part not in there]
        if absent and not encoder.endswith("_3"):  # SD3 does without T5
            raise ModelError(f"{found.name} lacks the folder {absent[0]}, without which it cannot read a prompt.")
        parts[tokenizer] = None if absent else found.tokenizer(tokenizer)
    return parts


def _scheduler(found: Checkpoint, folder: Path, kind: Kind) -> Any:
    """The folder's own scheduler, of Stable Diffusion 1.x and 2.x DDIM with its settings.

    Raises ModelError for one that takes the network more than once a step.
    """
    if kind.draws == PIPELINE:
        return DDIMScheduler.from_pretrained(folder, clip_sample=False)
    name = found.folder.json("scheduler/scheduler_config.json")["_class_name"]
    if name not in {*SCHEDULERS.values(), *OTHER_SCHEDULERS.values()}:
        known = ", ".join([*SCHEDULERS.values(), *OTHER_SCHEDULERS.values()])
        raise ModelError(f"{found.name} draws with {name!s:.60}, which is not known here: only {known} are.")
    return getattr(diffusers, name).from_pretrained(folder)


def _card_of(name: str, model: Pipeline) -> ModelCard:
    """The card of a pipeline, with the options that it has."""
    kind, schedulers = model.kind, tuple(model.schedulers)
    seed, steps, guidance, concepts = options(kind.guidance)
    own = [seed, replace(steps, default=kind.steps if model.guides else "4", choices=("4", *steps.choices))]
    own += (
        [replace(guidance, choices=tuple(sorted({*guidance.choices, kind.guidance}, key=float)))]
        if model.guides
        else []
    )
    if model.takes_negative_prompts:
        own.append(Option("negative_prompt", "Negative prompt", "", "What the picture shall not show."))
    own += [] if kind.joint else [concepts]
    own.append(Option("scheduler", "Scheduler", schedulers[0], "By which rule the noise is taken away.", schedulers))
    taken = model.most_bytes(int(own[1].default)) / 1e6
    sides = [str(side) for side in (256, 512, 768, 1024) if side < model.side]
    own.append(
        Option(
            "size",
            "Size in pixels",
            str(model.side),
            "Rows and columns of the picture. It draws best at its own size, and a smaller one takes less time. At its "
            f"own size the maps of {own[1].default} steps take at most {taken:,.0f} MB.",
            (*sides, str(model.side)),
            between=(16, MOST_SIDE),
        )
    )
    if (known := FAMILY.card_of(name)) is not None:
        return replace(known, download_mb=None, options=tuple(own))
    made = card(name, Path(name).name, options=tuple(own), kinds=model.kinds, at_once=model.kinds)
    can: frozenset[Capability] = frozenset(("begin",)) if model.begins_as_pictures else frozenset()
    return replace(made, most_tokens=model.most_tokens, can=made.can | can)


def _has_autoencoder(folder: Folder) -> bool:
    return folder.has("vae/config.json")


def _sampling(folder: Folder) -> dict[str, Any]:
    """How to draw, where the schedule that a model was trained with does not say it.

    Pixels reach from -1 to 1, which helps; what an autoencoder makes of them has no such bounds. A model of ours begins
    at the last of its noise levels, which is pure noise, as its pictures do (Lin et al. 2024, Common Diffusion Noise
    Schedules and Sample Steps Are Flawed).
    """
    return {"clip_sample": False} if _has_autoencoder(folder) else {"timestep_spacing": "trailing"}


def _reader(folder: Path, state: dict[str, Tensor], dtype: torch.dtype, made: Any = CLIPTextModel) -> Any:
    """The text encoder with its weights. Raises ValueError where some are missing: they would be random."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with without_bars():
        model, report = made.from_pretrained(
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
