"""Which model ran, and everything needed to run it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers

from xattn_viz.models.seq2seq.settings import Settings


@dataclass(frozen=True)
class Identity:
    """Which model this is: its name, commit on the hub (None for a folder), weights, and where and how it runs."""

    name: str
    revision: str | None
    weights_sha256: str
    dtype: str
    device: str
    notes: tuple[str, ...] = ()


def provenance(
    identity: Identity, settings: Settings, decoding: Mapping[str, Any], text: str, notes: Sequence[str]
) -> dict[str, Any]:
    """Everything needed to run again, as JSON values; `settings` are the keywords of `trace`."""
    return {
        "model": identity.name,
        "revision": identity.revision,
        "weights_sha256": identity.weights_sha256,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "numpy": np.__version__,
        },
        "dtype": identity.dtype,
        "device": identity.device,
        "decoding": dict(decoding),
        "settings": settings.as_keywords(),
        "input_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "notes": [*identity.notes, *notes],
    }
