"""The settings of a run: checked once, and written down so that the run can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sentencepiece
import torch

from xattn_viz.maps import MapKind
from xattn_viz.models.base import Head, ModelCard, ModelError
from xattn_viz.models.firefox.decoding import LENGTH_FACTOR
from xattn_viz.models.firefox.network import Ablated, Dimensions
from xattn_viz.models.segments import check_prefix


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
            raise ModelError(f"{card.title} decodes greedily, with one beam: {num_beams} beams are not to be had.")
        begin = check_prefix(prefix, size.target_vocabulary)
        if target is not None and begin:
            raise ModelError("Give a target or a prefix, not both: a target is the whole output.")
        if isinstance(kinds, str) or not kinds or len(set(kinds)) != len(kinds):
            raise ModelError(f"Ask for one or more kinds of map, each once, such as ('cross',): got {kinds!r}.")
        for kind in kinds:
            _check_kind(kind, card)
        layers = {"cross": size.decoder_layers, "encoder": size.encoder_layers}
        for kind, layer, head in ablate:
            _check_kind(kind, card)
            if not (0 <= layer < layers[kind] and 0 <= head < size.n_heads):
                last = f"{layers[kind] - 1} and heads 0 to {size.n_heads - 1}"
                raise ModelError(f"There is no {kind} head ({layer}, {head}) to ablate: layers are 0 to {last}.")
        options = dict(options)
        shortlist = bool(options.pop("shortlist", True))
        if options:
            known = ", ".join(option.name for option in card.options)
            raise ModelError(f"{card.title} has no option {min(options)!r}; its options: {known}.")
        heads = tuple(sorted(set(ablate)))
        return cls(target, begin, tuple(kinds), heads, keep_projections, shortlist)

    def ablated(self, kind: MapKind) -> Ablated:
        """The heads switched off in each layer of a kind."""
        off: dict[int, list[int]] = {}
        for its_kind, layer, head in self.ablate:
            if its_kind == kind:
                off.setdefault(layer, []).append(head)
        return off


def _check_kind(kind: str, card: ModelCard) -> None:
    if kind == "decoder":
        raise ModelError("This model has no decoder self-attention: its decoder is recurrent (an SSRU).")
    if kind not in card.kinds:
        raise ModelError(f"There is no kind of map {kind!r}; this model has {', '.join(card.kinds)}.")


def provenance(name: str, weights_sha256: str, settings: Settings, text: str, notes: Sequence[str]) -> dict[str, Any]:
    """Everything needed to run again, as JSON values; `settings` are the keywords of `trace`."""
    return {
        "model": name,
        "weights_sha256": weights_sha256,
        "versions": {
            "torch": torch.__version__,
            "numpy": np.__version__,
            "sentencepiece": sentencepiece.__version__,
        },
        "dtype": "float32",
        "device": "cpu",
        "decoding": _decoding(settings),
        "settings": {
            "target": settings.target,
            "prefix": list(settings.prefix) if isinstance(settings.prefix, tuple) else settings.prefix,
            "num_beams": 1,
            "kinds": list(settings.kinds),
            "ablate": [list(head) for head in settings.ablate],
            "keep_projections": settings.keep_projections,
            "shortlist": settings.shortlist,
        },
        "input_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "notes": list(notes),
    }


def _decoding(settings: Settings) -> dict[str, Any]:
    if settings.target is not None:
        return {"method": "none: the target was given", "scored_over": "the whole vocabulary"}
    method = {"method": "greedy", "max_length_factor": LENGTH_FACTOR, "suppressed": ["<unk>"]}
    return {**method, "scored_over": "the shortlist" if settings.shortlist else "the whole vocabulary"}
