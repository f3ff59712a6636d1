"""Recordings worth hearing and seeing: real speech under free licences, small (LICENCE.txt says whose)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from xattn_viz.core.records import quoted
from xattn_viz.inputs.audio import Sound, read


@dataclass(frozen=True)
class Clip:
    """A recording: its name, what is said (nothing in one of them), who speaks, its licence, and what to notice."""

    slug: str
    text: str
    speaker: str
    licence: str
    notice: str


_CMU = "Carnegie Mellon University, BSD-2-Clause"
_ALLISON = "Allison Smith"
_SHARE_ALIKE = "CC-BY-SA-3.0"

CLIPS: tuple[Clip, ...] = (
    Clip(
        "amiable",
        "Had he married a more amiable woman, he might have been made still more respectable than he was. He might "
        "even have been made amiable himself.",
        "a LibriVox reader",
        "public domain",
        "“amiable” is said twice: each time, the heads that follow the speech listen to its own moment.",
    ),
    Clip(
        "dashwood",
        "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do for "
        "them. He was not an ill-disposed young man, unless to be rather cold-hearted and rather selfish is to be "
        "ill-disposed.",
        "a LibriVox reader",
        "public domain",
        "Fifteen seconds of reading aloud, in one window.",
    ),
    Clip(
        "forward",
        "Go forward ten meters.",
        "a speaker of Carnegie Mellon University",
        _CMU,
        "“ten” is written 10: one token listens to the whole word.",
    ),
    Clip(
        "spades",
        "Eight of spades, four of clubs, seven of hearts.",
        "a speaker of Carnegie Mellon University",
        _CMU,
        "It is misheard: correct “close” to “clubs”, and see what the true word costs.",
    ),
    Clip(
        "muted",
        "To mute or unmute yourself. When you are muted, you cannot send audio to other participants. However, you "
        "will still hear audio from other unmuted participants.",
        _ALLISON,
        _SHARE_ALIKE,
        "Telephone sound: nothing above 4 kHz in the spectrogram, and it is understood all the same.",
    ),
    Clip(
        "congratulations",
        "Congratulations! You have successfully installed and executed the Asterisk open source PBX. You have also "
        "installed a set of sample sounds and configuration files that should help you get started. Like a normal PBX, "
        "you will navigate this demonstration by dialing digits. If you are using a console channel driver instead of "
        "a real phone, you can use the dial, answer, and hangup commands to simulate the actions of a standard "
        "telephone.",
        _ALLISON,
        _SHARE_ALIKE,
        "Longer than half a minute: it is cut into two windows at a quiet moment.",
    ),
    Clip(
        "monkeys",
        "",
        "monkeys; recorded for Asterisk",
        _SHARE_ALIKE,
        "Nobody speaks, and the model falls into a loop: it repeats itself, and a note says so.",
    ),
)


def find(slug: str) -> Clip:
    """The clip of that name. Raises ValueError, naming the clips there are, for one that is not."""
    for clip in CLIPS:
        if clip.slug == slug:
            return clip
    raise ValueError(f"There is no clip {quoted(slug)}: choose {', '.join(clip.slug for clip in CLIPS)}.")


def data(slug: str) -> bytes:
    """The file of a clip, Ogg Opus, for a player."""
    return (files(__name__) / f"{find(slug).slug}.ogg").read_bytes()


def sound(slug: str) -> Sound:
    """The samples of a clip, for a model."""
    return read(data(slug))
