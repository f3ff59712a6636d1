"""Speech recognisers: Whisper in every size and Moonshine, with the weights of Whisper tiny.en at hand offline.

They come from a package (`whisper-tiny-en`), from the Hugging Face hub, or from a folder: one that transformers'
`save_pretrained` wrote, or one that CTranslate2 and faster-whisper use. Code in a checkpoint is never run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xattn_viz.core.maps import MapKind
from xattn_viz.models import hub
from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.folder import Folder
from xattn_viz.models.hub.files import configuration

if TYPE_CHECKING:
    from xattn_viz.models.families.whisper.adapter import WhisperAdapter

KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: More would take memory and show little.
MOST_BEAMS = 16
#: The architectures, as a checkpoint's config.json names them.
ARCHITECTURES = ("whisper", "moonshine")
CROP = Option(
    "crop",
    "Leave out the padding",
    False,
    "Whisper always hears 30 seconds: a shorter sound is filled with silence. Leave those frames out of the maps.",
)
ANYWAY = "write_anyway"
#: Off, a window in which nobody speaks gives no words; see `silence`.
WRITE_ANYWAY = Option(
    ANYWAY,
    "Write even where nothing is said",
    False,
    "In silence and noise these models invent words. Show them, instead of the sentence that nobody speaks.",
)
# A name on the hub says somewhere which architecture it is: openai/whisper-tiny, distil-whisper/distil-small.en.
_SAYS_SO = re.compile("|".join(ARCHITECTURES), re.IGNORECASE)


def card(
    name: str,
    title: str,
    licence: str = "see the model's own page or folder",
    credit: str = "the authors of the checkpoint",
    language: str | None = None,
    *,
    options: tuple[Option, ...] = (),
    download_mb: int | None = None,
) -> ModelCard:
    """The card of a model of this family; `language` is the only one that it hears and writes."""
    return ModelCard(
        name,
        title,
        "whisper",
        licence,
        credit,
        language,
        language,
        "audio",
        KINDS,
        options,
        download_mb,
        MOST_BEAMS,
        can=frozenset(("write", "time", "ablate", "project")),
    )


CARDS = (
    card(
        "whisper-tiny-en",
        "English speech (Whisper tiny.en)",
        "MIT",
        "OpenAI: Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision",
        "en",
        options=(CROP, WRITE_ANYWAY),
    ),
    card(
        "openai/whisper-tiny",
        "Speech in 99 languages (Whisper tiny)",
        "Apache-2.0",
        "OpenAI: Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision",
        download_mb=154,
    ),
    card(
        "UsefulSensors/moonshine-tiny",
        "English speech (Moonshine tiny)",
        "MIT",
        "Useful Sensors: Jeffries et al. 2024, Moonshine: Speech Recognition for Live Transcription and Voice Commands",
        "en",
        download_mb=110,
    ),
)


def recognises(folder: Path) -> bool:
    """Whether a folder holds a model of this family, judged by its config.json, or CTranslate2's files of one."""
    config = configuration(folder)
    return config.get("model_type") in ARCHITECTURES or ("suppress_ids" in config and Folder(folder).has("model.bin"))


def downloads(name: str) -> bool:
    """Whether a name could be that of a model on the hub: "organisation/name" with whisper or moonshine in it."""
    return hub.could_be(name) and bool(_SAYS_SO.search(name))


def load(
    name_or_folder: str | Folder, *, on_progress: Callable[[int, int], object] | None = None, **options: Any
) -> WhisperAdapter:
    """Load a model by its card's name, its hub name, or from its folder.

    `allow_pickle` (False) also takes weights in PyTorch's own `.bin` files, read as data only; `revision` names a
    branch, tag or commit on the hub. `on_progress` is called with (bytes done, bytes in all) while files come in.

    Raises ModelError, in one sentence, whatever goes wrong.
    """
    from xattn_viz.models.families.whisper.loading import load as load_files  # imports torch

    return load_files(name_or_folder, on_progress=on_progress, **options)


def example() -> WhisperAdapter:
    """A tiny model with random weights, for tests."""
    from xattn_viz.models.families.whisper.tiny import tiny  # imports torch

    return tiny()
