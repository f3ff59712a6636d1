"""Text encoder-decoders of transformers: Marian, BART, mBART, M2M100 and NLLB, Pegasus, T5 and their kin.

They come from the Hugging Face hub or from a folder that `save_pretrained` wrote. Code in a checkpoint is never run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xattn_viz.core.maps import MapKind
from xattn_viz.models import hub
from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.family import Family
from xattn_viz.models.hub.files import configuration

if TYPE_CHECKING:
    from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter

KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: More would take memory and show little.
MOST_BEAMS = 16
#: Old names without an organisation, which the hub still knows.
SHORT_NAMES = {name: f"google-t5/{name}" for name in ("t5-small", "t5-base", "t5-large")}


def card(
    name: str,
    title: str,
    licence: str = "see the model's own page or folder",
    credit: str = "the authors of the checkpoint",
    source: str | None = None,
    target: str | None = None,
    *,
    kinds: tuple[MapKind, ...] = KINDS,
    options: tuple[Option, ...] = (),
    download_mb: int | None = None,
) -> ModelCard:
    """The card of a model of this family."""
    return ModelCard(
        name, title, "seq2seq", licence, credit, source, target, "text", kinds, options, download_mb, MOST_BEAMS
    )


CARDS = (
    card(
        "Helsinki-NLP/opus-mt-en-fr",
        "English → French (OPUS-MT)",
        "Apache-2.0",
        "Language Technology Research Group at the University of Helsinki",
        "en",
        "fr",
        download_mb=303,
    ),
    card(
        "google-t5/t5-small",
        "T5 small: translate or summarise by a task prefix",
        "Apache-2.0",
        "Google: Raffel et al. 2020, Exploring the Limits of Transfer Learning",
        "en",
        download_mb=245,
    ),
    card(
        "facebook/bart-large-cnn",
        "Summaries of English news (BART)",
        "MIT",
        "Facebook AI: Lewis et al. 2020, BART",
        "en",
        "en",
        download_mb=1629,
    ),
    card(
        "facebook/m2m100_418M",
        "100 languages, each into each (M2M100)",
        "MIT",
        "Facebook AI: Fan et al. 2020, Beyond English-Centric Multilingual Machine Translation",
        download_mb=1942,
    ),
    card(
        "facebook/nllb-200-distilled-600M",
        "200 languages, each into each (NLLB)",
        "CC-BY-NC-4.0: not for commercial use",
        "Meta AI: NLLB Team 2022, No Language Left Behind",
        download_mb=2484,
    ),
)


class _Text(Family[Any]):
    is_general = True

    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds a checkpoint of transformers.

        Those with one stack only are recognised too, so that `load` can say why they cannot be shown.
        """
        return "model_type" in configuration(folder)

    def downloads(self, name: str) -> bool:
        """Whether a name could be that of a model on the hub, whatever it says, or one of `SHORT_NAMES`."""
        return name in SHORT_NAMES or hub.could_be(name)


FAMILY: Family[Seq2SeqAdapter] = _Text(__name__, CARDS)
