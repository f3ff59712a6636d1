"""The adapter made from the loaded parts of a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from diffusers import DDIMScheduler

from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.families.diffusion import FAMILY, OWN_GUIDANCE, card
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.families.diffusion.prompt import Words
from xattn_viz.models.families.diffusion.results import Blocks, Learnt, find_sites
from xattn_viz.models.families.diffusion.unet import Model, install
from xattn_viz.models.provenance import Identity


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
    return card(name, Path(name).name, guidance=OWN_GUIDANCE) if autoencoder is None else card(name, Path(name).name)
