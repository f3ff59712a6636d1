"""Which model ran, everything needed to run it again, and running it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from numpy.typing import NDArray

from xattn_viz.core.trace import Trace
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError

#: What a checkpoint of transformers runs on.
LIBRARIES: tuple[ModuleType, ...] = (torch, transformers, tokenizers, np)


@dataclass(frozen=True)
class Identity:
    """Which model this is: its name, commit on the hub (None elsewhere), weights, and where and how it runs."""

    name: str
    revision: str | None
    weights_sha256: str
    dtype: str
    device: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any, name: str, commit: str | None, digest: str, notes: Sequence[str] = ()) -> Identity:
        """That of a loaded model of transformers."""
        dtype = str(model.dtype).removeprefix("torch.")
        return cls(name, commit, digest, dtype, model.device.type, tuple(notes))


def provenance(
    identity: Identity,
    settings: Mapping[str, Any],
    decoding: Mapping[str, Any],
    shown: str | NDArray[Any],
    libraries: Sequence[ModuleType] = LIBRARIES,
) -> dict[str, Any]:
    """Everything needed to run again, as JSON values; `settings` are the keywords of `trace`, `shown` its input."""
    return {
        "model": identity.name,
        "revision": identity.revision,
        "weights_sha256": identity.weights_sha256,
        "versions": {library.__name__: library.__version__ for library in libraries},
        "dtype": identity.dtype,
        "device": identity.device,
        "decoding": dict(decoding),
        "settings": dict(settings),
        "input_sha256": hashlib.sha256(shown.encode() if isinstance(shown, str) else shown.tobytes()).hexdigest(),
    }


def rerun(trace: Trace) -> Trace:
    """Load the model that a trace names and trace its input again with the same settings.

    The result carries the first one's `offset`, notes and evidence. Raises ModelError when the provenance does not say
    enough, the model cannot be loaded, or its weights are not those that made the trace.
    """
    return _again(trace, {})


def with_projections(trace: Trace) -> Trace:
    """The same trace with the queries and keys behind its maps; of sound with all frames, padding too.

    Raises ModelError as `rerun` does, and where the model shows no more than its weights.
    """
    if all(maps.projections is not None for maps in trace.maps):
        return trace
    return _again(trace, {"keep_projections": True})


def _again(trace: Trace, changes: Mapping[str, Any]) -> Trace:
    try:
        name, digest = trace.provenance["model"], trace.provenance["weights_sha256"]
        settings = {**trace.provenance["settings"], **changes}
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"This trace cannot be run again: its provenance lacks {error}.") from error
    adapter = registry.load(name)
    if settings.get("keep_projections"):
        if "project" not in adapter.card.can:
            raise ModelError("This model shows its weights only, not the queries and keys behind them.")
        settings.pop("crop", None)  # they are kept of whole windows
    settings["kinds"] = tuple(settings["kinds"])
    settings["ablate"] = tuple((kind, layer, head) for kind, layer, head in settings["ablate"])
    again = adapter.trace(trace, **settings)
    if again.provenance["weights_sha256"] != digest:
        raise ModelError(f"This trace was made with other weights of {name} (sha256 {digest[:12]}…).")
    return replace(again, offset=trace.offset, notes=trace.notes, evidence=trace.evidence)
