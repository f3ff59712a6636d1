"""From a name or a folder to a loaded model, and one sentence for whatever goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BlipForConditionalGeneration,
    VisionEncoderDecoderModel,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING

from xattn_viz.attention.capture import NAME, supports
from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.families.captioner import ARCHITECTURES, PACKAGED
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter
from xattn_viz.models.families.captioner.assembly import assemble
from xattn_viz.models.families.captioner.hinted import JOINS
from xattn_viz.models.folder import Folder
from xattn_viz.models.hub.files import Form
from xattn_viz.models.sight import processor

_FORMS: tuple[Form, ...] = ("safetensors", "pickle")
_PACKAGED_FOLDER = Path(__file__).with_name(PACKAGED)
_CAPTIONS = "BlipForConditionalGeneration"


class _Joined(VisionEncoderDecoderModel):  # type: ignore[misc]
    """Without a part of ViT that no decoder reads, and that TrOCR's checkpoints lack."""

    _keys_to_ignore_on_load_missing = (r"^encoder\.pooler\.",)


def load(
    name_or_folder: str | Folder,
    *,
    allow_pickle: bool = False,
    revision: str | None = None,
    on_progress: OnProgress | None = None,
) -> CaptionerAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    if name_or_folder in JOINS:
        from xattn_viz.models.families.captioner.hinted import loading as hinted  # which builds on this module

        return hinted.load(str(name_or_folder))
    is_ours = name_or_folder == PACKAGED
    found = Checkpoint.find(
        Folder(_PACKAGED_FOLDER, links_anywhere=True) if is_ours else name_or_folder,
        _FORMS,
        allow_pickle=allow_pickle,
        revision=revision,
        on_progress=on_progress,
    )
    config = found.config()
    if config.model_type not in ARCHITECTURES:
        raise ModelError(f"{found.name} is a {config.model_type} model, which does not turn pictures into text.")
    name = PACKAGED if is_ours else found.name
    return assemble(name, *_parts(found, config, is_ours), found.digest(), found.commit, found.told(config))


def packaged() -> tuple[Checkpoint, Any, Any, Any]:
    """The model that comes with the package, for what is built on it: its checkpoint, model, tokenizer, processor."""
    found = Checkpoint.find(Folder(_PACKAGED_FOLDER, links_anywhere=True), _FORMS)
    return found, *_parts(found, found.config(), is_ours=True)


def _parts(found: Checkpoint, config: Any, is_ours: bool) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor of a checkpoint."""
    tokenizer, look = found.tokenizer(), processor(found)
    model = _blip(found, config) if config.model_type == "blip" else _encoder_decoder(found, config, is_ours)
    return model, tokenizer, look


def _encoder_decoder(found: Checkpoint, config: Any, is_ours: bool) -> Any:
    try:
        encoder, decoder = MODEL_MAPPING[type(config.encoder)], MODEL_FOR_CAUSAL_LM_MAPPING[type(config.decoder)]
    except KeyError as error:
        raise ModelError(f"{found.name} is put together from parts that transformers cannot join.") from error
    # A decoder's own attention, where ours does not fit in, is recorded by the library itself, and then all of it.
    parts = {"encoder": NAME if supports(encoder) else "eager", "decoder": NAME}
    attention = parts if supports(decoder) else "eager"
    # What we ship is stored in half the bytes; computing in them would be slower.
    dtype = torch.float32 if is_ours else "auto"
    return found.model(_Joined, config, attention, dtype=dtype)


def _blip(found: Checkpoint, config: Any) -> Any:
    made_for = config.architectures or [_CAPTIONS]
    if _CAPTIONS not in made_for:
        raise ModelError(f"{found.name} is a {made_for[0]}, which writes no captions.")
    return found.model(BlipForConditionalGeneration, config, "eager")
