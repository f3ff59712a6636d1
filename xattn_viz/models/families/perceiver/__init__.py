"""Perceivers that look at a picture: a few latents read all of it, and answers are read off the latents.

A small one, `perceive-shapes`, lies beside this file and says what lies at each place of a picture; classifiers of
pictures come from the Hugging Face hub or from a folder that transformers' `save_pretrained` wrote. Code in a
checkpoint is never run.

Jaegle et al. 2021, Perceiver IO: A General Architecture for Structured Inputs & Outputs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import ModelCard
from xattn_viz.models.registry import Family

if TYPE_CHECKING:
    from xattn_viz.models.families.perceiver.adapter import PerceiverAdapter

#: Latents read the picture, latents read latents, and what is asked reads latents.
KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: The architecture, as a checkpoint's config.json names it.
ARCHITECTURE = "perceiver"
#: The model that lies in a folder of this name beside this file.
PACKAGED = "perceive-shapes"


#: The card of a model of this family.
card = partial(
    ModelCard,
    family="perceiver",
    input_kind="image",
    kinds=KINDS,
    at_once=("cross", "decoder"),
    can=frozenset(("ablate", "project")),
)


CARDS = (
    card(
        PACKAGED,
        "What lies where, of coloured shapes (small Perceiver)",
        licence="MIT",
        credit="xattn_viz, trained on scenes that the repository draws",
        at_once=KINDS,
        knows="shapes",
    ),
)


FAMILY: Family[PerceiverAdapter] = Family(__name__, CARDS, architectures=(ARCHITECTURE,), hub_names="perceiver")
