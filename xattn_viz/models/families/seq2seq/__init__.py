"""Text encoder-decoders of transformers: Marian, BART, mBART, M2M100 and NLLB, Pegasus, T5 and their kin.

They come from the Hugging Face hub or from a folder that `save_pretrained` wrote. Code in a checkpoint is never run.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xattn_viz.models import hub
from xattn_viz.models.base import ModelCard
from xattn_viz.models.engine import KINDS, MOST_BEAMS
from xattn_viz.models.folder import configuration
from xattn_viz.models.registry import Family

if TYPE_CHECKING:
    from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter

#: Old names without an organisation, which the hub still knows.
SHORT_NAMES = {name: f"google-t5/{name}" for name in ("t5-small", "t5-base", "t5-large")}


#: The card of a model of this family.
card = partial(ModelCard, family="seq2seq", kinds=KINDS, most_beams=MOST_BEAMS)


CARDS = (
    card(
        "Helsinki-NLP/opus-mt-en-fr",
        "English → French (OPUS-MT)",
        licence="Apache-2.0",
        credit="Language Technology Research Group at the University of Helsinki",
        source_language="en",
        target_language="fr",
        download_mb=303,
    ),
    card(
        "google-t5/t5-small",
        "T5 small: translate or summarise by a task prefix",
        licence="Apache-2.0",
        credit="Google: Raffel et al. 2020, Exploring the Limits of Transfer Learning",
        source_language="en",
        download_mb=245,
    ),
    card(
        "facebook/bart-large-cnn",
        "Summaries of English news (BART)",
        licence="MIT",
        credit="Facebook AI: Lewis et al. 2020, BART",
        source_language="en",
        target_language="en",
        download_mb=1629,
    ),
    card(
        "facebook/m2m100_418M",
        "100 languages, each into each (M2M100)",
        licence="MIT",
        credit="Facebook AI: Fan et al. 2020, Beyond English-Centric Multilingual Machine Translation",
        download_mb=1942,
    ),
    card(
        "facebook/nllb-200-distilled-600M",
        "200 languages, each into each (NLLB)",
        licence="CC-BY-NC-4.0: not for commercial use",
        credit="Meta AI: NLLB Team 2022, No Language Left Behind",
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
