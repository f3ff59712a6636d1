"""Speech recognisers: Whisper in every size and Moonshine, with the weights of Whisper tiny.en at hand offline.

They come from a package (`whisper-tiny-en`), from the Hugging Face hub, or from a folder: one that transformers'
`save_pretrained` wrote, or one that CTranslate2 and faster-whisper use. Code in a checkpoint is never run.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.engine import KINDS, MOST_BEAMS
from xattn_viz.models.folder import Folder, configuration
from xattn_viz.models.registry import Family

if TYPE_CHECKING:
    from xattn_viz.models.families.whisper.adapter import WhisperAdapter

#: The architectures, as a checkpoint's config.json names them.
ARCHITECTURES = ("whisper", "moonshine")
CROP = Option(
    "crop",
    "Leave out the padding",
    False,
    "Whisper always hears 30 seconds: a shorter sound is filled with silence. Leave those frames out of the maps.",
)
ANYWAY = "write_anyway"
#: Off, a window in which nobody speaks gives no words; see `sound`.
WRITE_ANYWAY = Option(
    ANYWAY,
    "Write even where nothing is said",
    False,
    "In silence and noise these models invent words. Show them, instead of the sentence that nobody speaks.",
)


#: The card of a model of this family.
card = partial(
    ModelCard,
    family="whisper",
    input_kind="audio",
    kinds=KINDS,
    most_beams=MOST_BEAMS,
    can=frozenset(("write", "time", "ablate", "project")),
)


CARDS = (
    card(
        "whisper-tiny-en",
        "English speech (Whisper tiny.en)",
        licence="MIT",
        credit="OpenAI: Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision",
        source_language="en",
        target_language="en",
        options=(CROP, WRITE_ANYWAY),
    ),
    card(
        "openai/whisper-tiny",
        "Speech in 99 languages (Whisper tiny)",
        licence="Apache-2.0",
        credit="OpenAI: Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision",
        download_mb=154,
    ),
    card(
        "UsefulSensors/moonshine-tiny",
        "English speech (Moonshine tiny)",
        licence="MIT",
        credit="Useful Sensors: Jeffries et al. 2024, Moonshine: Speech Recognition for Live Transcription and Voice "
        "Commands",
        source_language="en",
        target_language="en",
        download_mb=110,
    ),
)


class _Speech(Family[Any]):
    needs: ClassVar = {"av": 'Models that hear need the library av: pip install "xattn-viz[speech]".'}

    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds a model of this family: a checkpoint, or CTranslate2's files of one."""
        return super().recognises(folder) or (
            "suppress_ids" in configuration(folder) and Folder(folder).has("model.bin")
        )


# A name on the hub says somewhere which architecture it is: openai/whisper-tiny, distil-whisper/distil-small.en.
FAMILY: Family[WhisperAdapter] = _Speech(
    __name__, CARDS, architectures=ARCHITECTURES, hub_names="|".join(ARCHITECTURES)
)
