"""From a loaded Perceiver and its image processor to an adapter: what it reads, what it is asked, its attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.models.perceiver.modeling_perceiver import PerceiverSelfAttention

from xattn_viz.attention.capture import Site
from xattn_viz.core.maps import MapKind
from xattn_viz.core.tokens import visible_text
from xattn_viz.models.base import ModelError
from xattn_viz.models.families.perceiver import FAMILY, card
from xattn_viz.models.families.perceiver.adapter import Model, PerceiverAdapter
from xattn_viz.models.families.perceiver.answers import Question, WhatItShows, WhatLiesWhere
from xattn_viz.models.families.perceiver.capture import install
from xattn_viz.models.families.perceiver.inputs import Inputs
from xattn_viz.models.families.perceiver.network import PerceiverForPlaces
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Size
from xattn_viz.models.sight import Eyes


def assemble(
    name: str, network: Any, processor: Any, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> PerceiverAdapter:
    """The adapter of a loaded model. Raises ModelError where it and its image processor do not fit each other."""
    try:
        eyes = Eyes(processor)
        values = eyes.values(np.zeros((*eyes.size, 3), np.uint8)).to(device=network.device, dtype=network.dtype)
        with torch.inference_mode():
            positions = network.perceiver.input_preprocessor(values)[0].shape[1]
        inputs = Inputs.of(eyes.size, positions)
    except (ValueError, RuntimeError, TypeError, AttributeError) as error:  # of a model and a processor that differ
        raise ModelError(f"{name} cannot be shown: {str(error).strip().splitlines()[0].rstrip('.')}.") from error
    install(network)
    known = FAMILY.card_of(name) or card(name, Path(name).name)
    sites, size = _attention(network)
    identity = Identity.of(network, name, commit, digest, notes)
    return PerceiverAdapter(known, Model(network, eyes, inputs, _question(network), sites, size, identity))


def _attention(network: Any) -> tuple[tuple[Site, ...], Size]:
    """What each attention of one pass is, in order, and how many heads there are.

    All blocks of self-attention share their modules: each pass through one is a layer of its own.
    """
    encoder, config = network.perceiver.encoder, network.config
    layers = config.num_blocks * config.num_self_attends_per_block
    sites = (Site("cross", 0), *(Site("encoder", layer) for layer in range(layers)), Site("decoder", 0))
    asking = next(m for m in network.perceiver.decoder.modules() if isinstance(m, PerceiverSelfAttention))
    heads: dict[MapKind, tuple[int, ...]] = {
        "cross": (encoder.cross_attention.attention.self.num_heads,),
        "encoder": (encoder.self_attends[0].attention.self.num_heads,) * layers,
        "decoder": (asking.num_heads,),
    }
    return sites, Size(heads)


def _question(network: Any) -> Question:
    config = network.config
    if isinstance(network, PerceiverForPlaces):
        return WhatLiesWhere(config.places, tuple(config.colours), tuple(config.shapes))
    return WhatItShows(tuple(_class_name(config.id2label.get(number), number) for number in range(config.num_labels)))


def _class_name(said: object, number: int) -> str:
    """What a checkpoint calls a class, as text that can be shown; its number where that is no text."""
    return visible_text(said).strip() or f"class {number}" if isinstance(said, str) else f"class {number}"
