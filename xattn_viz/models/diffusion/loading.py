"""From a name or a folder to a loaded model that draws, and one sentence for whatever goes wrong on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel

from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.checkpoint import Checkpoint, device, line
from xattn_viz.models.diffusion import OWN, OWN_FOLDER, PIPELINE
from xattn_viz.models.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.diffusion.assembly import assemble
from xattn_viz.models.hub.cached import Fetched
from xattn_viz.models.hub.fetching import fetch
from xattn_viz.models.hub.files import Form, listing, weights
from xattn_viz.models.memory import check_free

_FORM: Form = "pipeline"


def load(
    name_or_folder: str, *, revision: str | None = None, on_progress: OnProgress | None = None
) -> DiffusionAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    folder = OWN_FOLDER if name_or_folder == OWN else Path(name_or_folder)
    if name_or_folder == OWN and not folder.is_dir():
        raise ModelError(f"{OWN} is not in this installation: python -m scripts.train.diffusion makes it.")
    found = Fetched(folder, None)
    if not folder.is_dir():
        found = fetch(
            name_or_folder,
            revision,
            (_FORM,),
            on_progress=on_progress,
            check=lambda index: _check_kind(name_or_folder, index),
        )
    return _load(_checked(name_or_folder, found))


def _checked(name: str, found: Fetched) -> Checkpoint:
    """The files of a pipeline of the right kind. Raises ModelError for any other, and where its weights are missing."""
    index = found.folder / "model_index.json"
    if index.is_file():
        _check_kind(name, index)
    of_weights = weights(listing(found.folder), (_FORM,))
    if of_weights is None:
        raise ModelError(f"{name} has no weights in safetensors that can be read: a U-Net's and a text encoder's.")
    files = tuple(found.folder / path for path in of_weights[1])
    if index.is_file() and not (found.folder / "vae").is_dir():
        raise ModelError(f"{name} has no autoencoder (vae), without which its pictures cannot be seen.")
    size = sum(path.stat().st_size for path in files)
    check_free(size, f"Loading {name}", "close other programs, or choose a smaller model", ModelError)
    return Checkpoint(name, found.folder, _FORM, files, found.commit, found.notes)


def _check_kind(name: str, index: Path) -> None:
    """Raise ModelError where a model_index.json names another pipeline."""
    try:
        kind = json.loads(index.read_bytes())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name} cannot be loaded: its {index.name} is damaged.") from error
    if kind != PIPELINE:
        raise ModelError(f"{name} is a {kind!s:.60}: only Stable Diffusion 1.x and 2.x can be shown ({PIPELINE}).")


def _load(found: Checkpoint) -> DiffusionAdapter:
    where = device()
    # Weights may be stored in float16, which processors compute slowly or not at all.
    dtype = torch.float16 if where.type == "cuda" else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(found.folder / "tokenizer", trust_remote_code=False)
    except Exception as error:  # tokenizers raise bare Exceptions on damaged files
        raise found.no_tokenizer(error) from error
    part = ""
    try:
        part = "scheduler"
        schedule = DDIMScheduler.from_pretrained(found.folder / part, **_sampling(found.folder))
        part = "text_encoder"
        reader = _whole(CLIPTextModel, found.folder / part, dtype=dtype, trust_remote_code=False)
        part = "unet"
        # The slow way of loading, which needs no other library.
        slowly = {"torch_dtype": dtype, "low_cpu_mem_usage": False}
        unet = _whole(UNet2DConditionModel, found.folder / part, **slowly)
        part = "vae"
        autoencoder = _whole(AutoencoderKL, found.folder / part, **slowly) if (found.folder / part).is_dir() else None
    except Exception as error:  # safetensors, torch and both libraries each raise their own
        raise ModelError(
            f"{found.name} cannot be loaded: its {part} is damaged or does not fit ({line(error)})."
        ) from error
    for loaded in (reader, unet, autoencoder):
        if loaded is not None:
            loaded.to(where)
    return assemble(
        found.name, tokenizer, reader, unet, schedule, autoencoder, found.digest(), found.commit, found.notes
    )


def _sampling(folder: Path) -> dict[str, Any]:
    """How to draw, where the schedule that a model was trained with does not say it.

    Pixels reach from -1 to 1, which helps; what an autoencoder makes of them has no such bounds. A model of ours begins
    at the last of its noise levels, which is pure noise, as its pictures do (Lin et al. 2024, Common Diffusion Noise
    Schedules and Sample Steps Are Flawed).
    """
    return {"clip_sample": False} if (folder / "vae").is_dir() else {"timestep_spacing": "trailing"}


def _whole(kind: Any, folder: Path, **settings: Any) -> Any:
    """A part with all of its weights. Raises ValueError where some are missing: they would be random."""
    model, report = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **settings)
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"it lacks {len(missing)} of its parameters, such as {missing[0]!r}")
    return model
