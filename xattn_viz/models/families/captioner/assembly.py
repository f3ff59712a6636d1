"""From a loaded model, its tokenizer and its image processor to an adapter: its patches, its attention, its options."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xattn_viz.models.base import ModelError, Option
from xattn_viz.models.engine.limits import set_limits
from xattn_viz.models.engine.probing import probe
from xattn_viz.models.engine.search import check_frame
from xattn_viz.models.families.captioner import FAMILY, card
from xattn_viz.models.families.captioner.adapter import TASK, CaptionerAdapter
from xattn_viz.models.families.captioner.grid import picture_axis
from xattn_viz.models.families.captioner.runners import BlipRunner, PictureRunner
from xattn_viz.models.provenance import Identity
from xattn_viz.models.sight import Eyes

_FIELD = re.compile(r"<s_(.+)>")  # what opens a field in Donut's output; a task has no token that closes it


def assemble(
    name: str,
    model: Any,
    tokenizer: Any,
    processor: Any,
    digest: str,
    commit: str | None = None,
    notes: tuple[str, ...] = (),
) -> CaptionerAdapter:
    """The adapter of a loaded model. Raises ModelError where it has no patches or no cross-attention to show."""
    is_blip = model.config.model_type == "blip"
    bare = BlipRunner(model, {}) if is_blip else PictureRunner(model, {})
    _set_ends(bare.writer, is_blip)
    check_frame(name, bare.writer.generation_config)
    set_limits(bare.writer.generation_config)
    try:
        eyes = Eyes(processor)
        values = eyes.values(np.zeros((*eyes.size, 3), np.uint8)).to(device=model.device, dtype=model.dtype)
        with torch.inference_mode():
            positions = bare.encoder(pixel_values=values, return_dict=True).last_hidden_state.shape[1]
        axis = picture_axis(model.config.vision_config if is_blip else model.config.encoder, eyes.size, positions)
    except (ValueError, RuntimeError, TypeError, AttributeError) as error:  # of an encoder and a processor that differ
        raise ModelError(f"{name} cannot be shown: {str(error).strip().rstrip('.')}.") from error
    runner, size = probe(name, bare, {"pixel_values": values}, positions)
    known = FAMILY.card_of(name) or card(name, Path(name).name)
    kinds = tuple(kind for kind in known.kinds if kind in size.heads)
    known = replace(known, kinds=kinds, options=() if is_blip else _tasks(model, tokenizer))
    identity = Identity.of(model, name, commit, digest, notes)
    return CaptionerAdapter(known, identity, runner, tokenizer, size, eyes, axis)


def _set_ends(writer: Any, is_blip: bool) -> None:
    """Say where outputs begin and end: old checkpoints leave it to their parts, BLIP to its own `generate`."""
    own, config = writer.generation_config, writer.config
    text = config.get_text_config(decoder=True)
    if is_blip:
        own.bos_token_id, own.eos_token_id, own.pad_token_id = text.bos_token_id, text.sep_token_id, text.pad_token_id
    for setting, fallback in (
        ("decoder_start_token_id", "bos_token_id"),
        ("eos_token_id", "eos_token_id"),
        ("pad_token_id", "pad_token_id"),
    ):
        if getattr(own, setting) is None:
            said = getattr(config, setting, None)
            setattr(own, setting, getattr(text, fallback, None) if said is None else said)


def _tasks(model: Any, tokenizer: Any) -> tuple[Option, ...]:
    """The tasks of a Donut, which its first token names; the one that it was trained for last comes first."""
    if "donut" not in model.config.encoder.model_type:
        return ()
    added = {str(token.content): int(number) for number, token in tokenizer.added_tokens_decoder.items()}
    names = [name for name in added if (m := _FIELD.fullmatch(name)) and f"</s_{m[1]}>" not in added]
    if not names:
        return ()
    names.sort(key=lambda name: -added[name])
    start = model.generation_config.decoder_start_token_id
    chosen = next((name for name in names if added[name] == start), names[0])
    return (Option(TASK, "Task", chosen, "What is to be read, as the model's first token says it.", tuple(names)),)
