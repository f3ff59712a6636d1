"""From a name or a folder to a Perceiver's adapter, and one sentence for whatever goes wrong on the way."""

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
from transformers.models.perceiver.modeling_perceiver import PerceiverSelfAttention

from xattn_viz.attention.capture import Site
from xattn_viz.core.maps import MapKind
from xattn_viz.core.tokens import visible_text
from xattn_viz.models.base import ModelError
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.families.perceiver import ARCHITECTURE, FAMILY, PACKAGED, card
from xattn_viz.models.families.perceiver.adapter import (
    Inputs,
    Model,
    PerceiverAdapter,
    Question,
    ThingsByPlace,
    WhatItShows,
)
from xattn_viz.models.families.perceiver.network import PerceiverForPlaces, install
from xattn_viz.models.folder import Folder
from xattn_viz.models.preprocessor import Preprocessor, fitting, processor
from xattn_viz.models.provenance import Identity, Size
from xattn_viz.models.tiny import randomise

_FOLDERS = {PACKAGED: Path(__file__).with_name(PACKAGED)}
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


def load(name_or_folder: str | Folder, **options: Any) -> PerceiverAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    found = Checkpoint.find(name_or_folder, packaged=_FOLDERS, **options)
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
    network = found.model(
        NETWORKS[made_for], config, "eager", dtype=torch.float32 if found.name == PACKAGED else "auto"
    )
    return assemble(found.name, network, processor(found), found.digest(), found.commit, found.notes)


def assemble(
    name: str, network: Any, processor: Any, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> PerceiverAdapter:
    """The adapter of a loaded model. Raises ModelError where it and its image processor do not fit each other."""
    with fitting(name), torch.inference_mode():
        preprocessor = Preprocessor(processor)
        values = preprocessor.values(preprocessor.plain((0, 0, 0)), network)
        inputs = Inputs.of(preprocessor.size, network.perceiver.input_preprocessor(values)[0].shape[1])
    install(network)
    known = FAMILY.card_of(name) or card(name, Path(name).name)
    sites, size = _attention(network)
    identity = Identity.of(network, name, commit, digest, notes)
    return PerceiverAdapter(known, Model(network, preprocessor, inputs, _question(network), sites, size, identity))


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
        return ThingsByPlace(config.places, tuple(config.colours), tuple(config.shapes))
    return WhatItShows(tuple(_class_name(config.id2label.get(number), number) for number in range(config.num_labels)))


def _class_name(said: object, number: int) -> str:
    """What a checkpoint calls a class, as text that can be shown; its number where that is no text."""
    return visible_text(said).strip() or f"class {number}" if isinstance(said, str) else f"class {number}"


def tiny() -> PerceiverAdapter:
    """The tiny model: 6 latents that read 4 × 4 patches, 2 layers run twice, 2 heads each, 3 × 3 places."""
    config = PerceiverConfig(
        num_latents=6,
        d_latents=32,
        **dict.fromkeys(("num_blocks", "num_self_attends_per_block"), 2),
        **dict.fromkeys(("num_self_attention_heads", "num_cross_attention_heads"), 2),
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
