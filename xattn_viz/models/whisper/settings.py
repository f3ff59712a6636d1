"""The settings of a run: checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xattn_viz.inputs.source import quoted
from xattn_viz.models import settings
from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.settings import Size


@dataclass(frozen=True)
class Settings(settings.Settings):
    """What `trace` was asked for; `offset` is where the window begins, in seconds of the whole."""

    offset: float = 0.0

    @property
    def crop(self) -> bool:
        """Whether the padding is left out of the maps."""
        return bool(self.options.get("crop", False))


def check(card: ModelCard, size: Size, options: Mapping[str, Any], **asked: Any) -> Settings:
    """The settings from the options and the keywords that every model takes; see `models.settings.check`."""
    rest = dict(options)
    offset = rest.pop("offset", 0.0)
    if not isinstance(offset, int | float) or not 0 <= offset < 1e9:
        raise ModelError(f"The offset of a window is in seconds from 0: got {quoted(offset)}.")
    checked = settings.check(card, size, rest, **asked, also=("offset",))
    if checked.options.get("crop") and checked.keep_projections:
        raise ModelError("Queries and keys are kept for whole windows only: leave crop off.")
    return Settings(**vars(checked), offset=float(offset))
