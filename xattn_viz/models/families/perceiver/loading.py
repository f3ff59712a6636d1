"""From a name or a folder to a loaded Perceiver, and one sentence for whatever goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PerceiverConfig,
    PerceiverForImageClassificationConvProcessing,
    PerceiverForImageClassificationFourier,
    PerceiverForImageClassificationLearned,
    ViTImageProcessorPil,
)

from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.families.perceiver import ARCHITECTURE, PACKAGED
from xattn_viz.models.families.perceiver.adapter import PerceiverAdapter
from xattn_viz.models.families.perceiver.assembly import assemble
from xattn_viz.models.families.perceiver.network import PerceiverForPlaces
from xattn_viz.models.folder import Folder
from xattn_viz.models.hub.files import Form
from xattn_viz.models.sight import processor
from xattn_viz.models.tiny import randomise

_FORMS: tuple[Form, ...] = ("safetensors", "pickle")
_PACKAGED_FOLDER = Path(__file__).with_name(PACKAGED)
#: What a checkpoint's config.json may name, and what is run for it.
NETWORKS: dict[str, Any] = {
    network.__name__: network
    for network in (
        PerceiverForPlaces,
        PerceiverForImageClassificationLearned,
        PerceiverForImageClassificationFourier,
        PerceiverForImageClassificationConvProcessing,
    )
}


def load(
    name_or_folder: str | Folder,
    *,
    allow_pickle: bool = False,
    revision: str | None = None,
    on_progress: OnProgress | None = None,
) -> PerceiverAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    is_ours = name_or_folder == PACKAGED
    found = Checkpoint.find(
        Folder(_PACKAGED_FOLDER, links_anywhere=True) if is_ours else name_or_folder,
        _FORMS,
        allow_pickle=allow_pickle,
        revision=revision,
        on_progress=on_progress,
    )
    config = found.config()
    if config.model_type != ARCHITECTURE:
        raise ModelError(f"{found.name} is a {config.model_type} model, no Perceiver.")
    made_for = (config.architectures or ["model that does not say what it is for"])[0]
    if made_for not in NETWORKS:
        raise ModelError(
            f"{found.name} is a {made_for}: of Perceivers only those that classify pictures can be shown "
            f"({', '.join(list(NETWORKS)[1:])})."
        )
    # What we ship is stored in half the bytes; computing in them would be slower.
    network = found.model(NETWORKS[made_for], config, "eager", dtype=torch.float32 if is_ours else "auto")
    name = PACKAGED if is_ours else found.name
    return assemble(name, network, processor(found), found.digest(), found.commit, found.notes)


def tiny() -> PerceiverAdapter:
    """The tiny model: 6 latents that read 4 × 4 patches, 2 layers run twice, 2 heads each, 3 × 3 places."""
    config = PerceiverConfig(
        num_latents=6,
        d_latents=32,
        num_blocks=2,
        num_self_attends_per_block=2,
        num_self_attention_heads=2,
        num_cross_attention_heads=2,
        cross_attention_shape_for_attention="q",
        image_size=32,
        patch_size=8,
        patch_channels=16,
        position_bands=2,
        places=3,
        colours=["red", "blue"],
        shapes=["circle", "square"],
    )
    network = PerceiverForPlaces(config)
    randomise(network)
    return assemble("perceiver-example", network, ViTImageProcessorPil(size={"height": 32, "width": 32}), "random")
