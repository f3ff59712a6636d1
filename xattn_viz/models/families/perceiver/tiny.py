"""A tiny model of this family with random weights: what it answers means nothing, its maps are real."""

from __future__ import annotations

from transformers import PerceiverConfig, ViTImageProcessorPil

from xattn_viz.models.families.perceiver.adapter import PerceiverAdapter
from xattn_viz.models.families.perceiver.assembly import assemble
from xattn_viz.models.families.perceiver.network import PerceiverForPlaces
from xattn_viz.models.tiny import randomise


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
