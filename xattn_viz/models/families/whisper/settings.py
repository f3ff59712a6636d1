"""The settings of a run: checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xattn_viz.core.messages import quoted
from xattn_viz.models import settings
from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.families.whisper import ANYWAY
from xattn_viz.models.settings import Size


@dataclass(frozen=True)
class Settings(settings.Settings):
    """What `trace` was asked for; `offset` is where the window begins, in seconds of the whole.

    `seconds` is how long a sound is whose log-mel does not tell (`Heard.seconds`).
    """

    offset: float = 0.0
    seconds: float | None = None

    @property
    def crop(self) -> bool:
        """Whether the padding is left out of the maps."""
        return bool(self.options.get("crop", False))

    @property
    def writes_anyway(self) -> bool:
        """Whether the model is to write where nothing is said, too."""
        return bool(self.options.get(ANYWAY, False))

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values; `seconds` and `write_anyway` only where they are given."""
        values = super().as_keywords()
        return {name: value for name, value in values.items() if value or name not in ("seconds", ANYWAY)}


def check(card: ModelCard, size: Size, options: Mapping[str, Any], **asked: Any) -> Settings:
    """The settings from the options and the keywords that every model takes; see `models.settings.check`."""
    rest = dict(options)
    offset, seconds = rest.pop("offset", 0.0), rest.pop("seconds", None)
    if not isinstance(offset, int | float) or not 0 <= offset < 1e9:
        raise ModelError(f"The offset of a window is in seconds from 0: got {quoted(offset)}.")
    if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < 1e9):
        raise ModelError(f"The seconds that a log-mel lasts are more than 0: got {quoted(seconds)}.")
    checked = settings.check(card, size, rest, **asked, also=("offset", "seconds"))
    if checked.options.get("crop") and checked.keep_projections:
        raise ModelError("Queries and keys are kept for whole windows only: leave crop off.")
    return Settings(**vars(checked), offset=float(offset), seconds=seconds)
