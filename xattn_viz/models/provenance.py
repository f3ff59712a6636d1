"""Which model ran, and everything needed to run it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from numpy.typing import NDArray

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
    notes: Sequence[str],
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
        "notes": [*identity.notes, *notes],
    }
