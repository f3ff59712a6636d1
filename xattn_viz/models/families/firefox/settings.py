"""The settings of a run: checked once, and written down so that the run can be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sentencepiece
import torch

from xattn_viz.core.maps import MapKind
from xattn_viz.core.messages import quoted
from xattn_viz.models.base import Head, ModelCard, ModelError
from xattn_viz.models.families.firefox.decoding import LENGTH_FACTOR
from xattn_viz.models.families.firefox.network import Ablated, Dimensions
from xattn_viz.models.provenance import Identity, provenance
from xattn_viz.models.settings import Size, check_beginning, check_maps, check_options

_LIBRARIES = (torch, np, sentencepiece)


@dataclass(frozen=True)
class Settings:
    """What `trace` was asked for."""

    target: str | None = None
    prefix: str | tuple[int, ...] | None = None
    kinds: tuple[MapKind, ...] = ("cross",)
    ablate: tuple[Head, ...] = ()
    keep_projections: bool = False
    shortlist: bool = True

    @classmethod
    def check(
        cls,
        card: ModelCard,
        size: Dimensions,
        target: str | None,
        prefix: str | Sequence[int] | None,
        num_beams: int,
        kinds: Sequence[MapKind],
        ablate: Sequence[Head],
        keep_projections: bool,
        options: Mapping[str, Any],
    ) -> Settings:
        """The settings, or ModelError with one sentence about what this model cannot do.

        A prefix that holds no token ids raises InputError.
        """
        if num_beams != 1:
            raise ModelError(
                f"{card.title} decodes greedily, with one beam: {quoted(num_beams)} beams are not to be had."
            )
        if "decoder" in kinds or any(head[0] == "decoder" for head in ablate):
            raise ModelError("This model has no decoder self-attention: its decoder is recurrent (an SSRU).")
        layers: dict[MapKind, int] = {"cross": size.decoder_layers, "encoder": size.encoder_layers}
        check_maps(card, Size(layers, dict.fromkeys(layers, size.n_heads), size.target_vocabulary), kinds, ablate)
        begin = check_beginning(target, prefix, size.target_vocabulary)
        shortlist = bool(check_options(card, options)["shortlist"])
        return cls(target, begin, tuple(kinds), tuple(sorted(set(ablate))), keep_projections, shortlist)

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        prefix = list(self.prefix) if isinstance(self.prefix, tuple) else self.prefix
        ablate = [list(head) for head in self.ablate]
        return {**asdict(self), "prefix": prefix, "num_beams": 1, "kinds": list(self.kinds), "ablate": ablate}

    def ablated(self, kind: MapKind) -> Ablated:
        """The heads switched off in each layer of a kind."""
        off: dict[int, list[int]] = {}
        for its_kind, layer, head in self.ablate:
            if its_kind == kind:
                off.setdefault(layer, []).append(head)
        return off


def provenance_of(
    name: str, weights_sha256: str, settings: Settings, text: str, notes: Sequence[str]
) -> dict[str, Any]:
    """Everything needed to run again, as JSON values."""
    identity = Identity(name, None, weights_sha256, "float32", "cpu")
    return provenance(identity, settings.as_keywords(), _decoding(settings), text, notes, _LIBRARIES)


def _decoding(settings: Settings) -> dict[str, Any]:
    if settings.target is not None:
        return {"method": "none: the target was given", "scored_over": "the whole vocabulary"}
    method = {"method": "greedy", "max_length_factor": LENGTH_FACTOR, "suppressed": ["<unk>"]}
    return {**method, "scored_over": "the shortlist" if settings.shortlist else "the whole vocabulary"}
