"""What `trace` was asked for, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xattn_viz.core.messages import quoted
from xattn_viz.models import settings as base
from xattn_viz.models.base import ModelError, check_number

MOST_WEIGHT = 10.0


@dataclass(frozen=True)
class Settings(base.Settings):
    """What `trace` was asked for; see `DiffusionAdapter.check`."""

    seed: int = 0
    steps: int = 1
    guidance: float = 1.0
    negative_prompt: str = ""
    weights: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, checked: base.Settings, negative_prompt: object, weights: object) -> Settings:
        """The settings of a run. Raises ModelError with one sentence about what cannot be."""
        if negative_prompt and checked.options["guidance"] == 1:
            raise ModelError("A negative prompt works by guidance: give a guidance above 1, or leave it away.")
        own = {**vars(checked), **checked.options, "options": {}}
        return cls(**own, negative_prompt=str(negative_prompt or ""), weights=_weights(weights or {}))

    @property
    def is_guided(self) -> bool:
        """Whether the model also draws without the prompt, to be pushed away from that."""
        return self.guidance > 1

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        return {**super().as_keywords(), "weights": {str(word): factor for word, factor in self.weights.items()}}


def _weights(given: object) -> dict[int, float]:
    if not isinstance(given, Mapping):
        raise ModelError(f"weights are a factor for each word's number, such as {{2: 1.5}}: got {quoted(given)}.")
    return {
        int(check_number(word, "A word's number", 0, 10_000)): check_number(factor, "A weight", 0, MOST_WEIGHT)
        for word, factor in given.items()
    }
