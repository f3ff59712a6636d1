"""The settings of a run: checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xattn_viz.models import settings
from xattn_viz.models.families.whisper import ANYWAY


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
