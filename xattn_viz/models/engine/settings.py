"""The settings of a run: checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xattn_viz.models import settings
from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.settings import Settings

__all__ = ["Settings", "Size", "check"]


@dataclass(frozen=True)
class Size(settings.Size):
    """How many layers, heads and ids a model has; `source` and `output` are how many tokens it can read and write."""

    source: int
    output: int


def check(card: ModelCard, size: Size, native: bool, options: Mapping[str, Any], **asked: Any) -> Settings:
    """The settings from the options and the keywords that every model takes; see `models.settings.check`.

    `native` says that the model runs with the library's own attention, which neither ablates nor hands out q and k.
    """
    # The choices of a task prefix are only those that the checkpoint names.
    checked = settings.check(card, size, options, **asked, free=("task_prefix",))
    if native and (checked.ablate or checked.keep_projections):
        raise ModelError(f"{card.title} shows its maps only: its heads cannot be ablated, nor its q and k kept.")
    return checked
