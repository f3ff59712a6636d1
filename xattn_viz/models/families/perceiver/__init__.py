"""Perceivers that look at a picture: a few latents read all of it, and answers are read off the latents.

A small one, `perceive-shapes`, lies beside this file and says what lies at each place of a picture; classifiers of
pictures come from the Hugging Face hub or from a folder that transformers' `save_pretrained` wrote. Code in a
checkpoint is never run.

Jaegle et al. 2021, Perceiver IO: A General Architecture for Structured Inputs & Outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xattn_viz.core.maps import MapKind
from xattn_viz.models import hub
from xattn_viz.models.base import Capability, ModelCard
from xattn_viz.models.folder import Folder
from xattn_viz.models.hub.files import configuration

if TYPE_CHECKING:
    from xattn_viz.models.families.perceiver.adapter import PerceiverAdapter

#: Latents read the picture, latents read latents, and what is asked reads latents.
KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: The architecture, as a checkpoint's config.json names it.
ARCHITECTURE = "perceiver"
#: The model that lies in a folder of this name beside this file.
PACKAGED = "perceive-shapes"


def card(
    name: str,
    title: str,
    licence: str = "see the model's own page or folder",
    credit: str = "the authors of the checkpoint",
    *,
    at_once: tuple[MapKind, ...] = ("cross", "decoder"),
) -> ModelCard:
    """The card of a model of this family; `at_once` are the maps that a page shows without being asked for them."""
    can: frozenset[Capability] = frozenset(("ablate", "project"))
    return ModelCard(
        name, title, "perceiver", licence, credit, input_kind="image", kinds=KINDS, at_once=at_once, can=can
    )


CARDS = (
    card(
        PACKAGED,
        "What lies where, of coloured shapes (small Perceiver)",
        "MIT",
        "xattn_viz, trained on scenes that the repository draws",
        at_once=KINDS,
    ),
)


def recognises(folder: Path) -> bool:
    """Whether a folder holds a model of this family, judged by its config.json."""
    return configuration(folder).get("model_type") == ARCHITECTURE


def downloads(name: str) -> bool:
    """Whether a name could be that of a model on the hub: "organisation/name" with "perceiver" in it."""
    return hub.could_be(name) and "perceiver" in name.lower()


def load(
    name_or_folder: str | Folder, *, on_progress: Callable[[int, int], object] | None = None, **options: Any
) -> PerceiverAdapter:
    """Load a model by its card's name, its hub name, or from its folder.

    `allow_pickle` (False) also takes weights in PyTorch's own `.bin` files, read as data only; `revision` names a
    branch, tag or commit on the hub. `on_progress` is called with (bytes done, bytes in all) while files come in.

    Raises ModelError, in one sentence, whatever goes wrong.
    """
    from xattn_viz.models.families.perceiver.loading import load as load_files  # imports torch

    return load_files(name_or_folder, on_progress=on_progress, **options)


def example() -> PerceiverAdapter:
    """A tiny model with random weights, for tests."""
    from xattn_viz.models.families.perceiver.tiny import tiny  # imports torch

    return tiny()
