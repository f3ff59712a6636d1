"""Recordings worth hearing and seeing: real speech under free licences, small (LICENCE.txt says whose).

Two more are made of them when they are asked for: a pause put in, a word made quiet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np

from xattn_viz.core.records import quoted
from xattn_viz.inputs.audio import RATE, Sound, flac, read


@dataclass(frozen=True)
class Clip:
    """A recording: its name, what is said (nothing in one of them), who speaks, its licence, and what to notice.

    `phenomenon` is what it is an example of. Where Whisper tiny gets something wrong, `fault` is a sentence about it,
    and `wrong` what it writes there and what is said. One that is made `of` another recording has a `pause` put in, as
    (at, length) in seconds, or a stretch that is `quiet`, as (start, end) in seconds and what its samples are
    multiplied by.
    """

    slug: str
    text: str
    speaker: str
    licence: str
    notice: str
    phenomenon: str
    fault: str = ""
    wrong: tuple[str, str] | None = None
    of: str = ""
    pause: tuple[float, float] | None = None
    quiet: tuple[float, float, float] | None = None

    @property
    def said(self) -> str:
        """What to notice, and what the model gets wrong."""
        return f"{self.notice} {self.fault}".strip()


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
        "To begin with",
    ),
    Clip(
        "dashwood",
        "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do for "
        "them. He was not an ill-disposed young man, unless to be rather cold-hearted and rather selfish is to be "
        "ill-disposed.",
        "a LibriVox reader",
        "public domain",
        "Fifteen seconds of reading aloud, in one window.",
        "To begin with",
    ),
    Clip(
        "forward",
        "Go forward ten meters.",
        "a speaker of Carnegie Mellon University",
        _CMU,
        "“ten” is written 10: one token listens to the whole word.",
        "A number",
    ),
    Clip(
        "spades",
        "Eight of spades, four of clubs, seven of hearts.",
        "a speaker of Carnegie Mellon University",
        _CMU,
        "Correct “close” to “clubs”, and see what the true word costs.",
        "A word half heard",
        "Wrong: Whisper tiny hears “clubs” as “close”.",
        ("close", "clubs"),
    ),
    Clip(
        "muted",
        "To mute or unmute yourself. When you are muted, you cannot send audio to other participants. However, you "
        "will still hear audio from other unmuted participants.",
        _ALLISON,
        _SHARE_ALIKE,
        "Telephone sound: nothing above 4 kHz in the spectrogram, and it is understood all the same.",
        "Telephone sound",
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
        "A long sound",
    ),
    Clip(
        "monkeys",
        "",
        "monkeys; recorded for Asterisk",
        _SHARE_ALIKE,
        "Nobody speaks, and the model falls into a loop: it repeats itself, and a note says so.",
        "Nobody speaks",
    ),
)

_SPADES, _FORWARD = (next(clip for clip in CLIPS if clip.slug == slug) for slug in ("spades", "forward"))
#: Those that are made of recordings.
ALTERED: tuple[Clip, ...] = (
    replace(
        _SPADES,
        slug="pause",
        text="Eight of spades, four of clubs … seven of hearts.",
        notice="A second of silence is put in behind “clubs”: of all tokens the next, “Seven”, listens to it most.",
        phenomenon="A pause",
        of="spades",
        pause=(2.2, 1.0),
    ),
    replace(
        _FORWARD,
        slug="mumbled",
        text="Go forward ten (meters).",
        notice="The last word is at a hundredth of its loudness: look at the bars of its token.",
        phenomenon="A word half heard",
        fault="Wrong: Whisper tiny writes “years” for the “meters” that it can hardly hear, and is sure of it.",
        wrong=("years", "meters"),
        of="forward",
        quiet=(1.5, 2.79, 0.01),
    ),
)
#: All of them by phenomenon.
PHENOMENA = (
    "To begin with",
    "A pause",
    "A number",
    "A word half heard",
    "Telephone sound",
    "A long sound",
    "Nobody speaks",
)
SHELF: tuple[Clip, ...] = tuple(sorted((*CLIPS, *ALTERED), key=lambda clip: PHENOMENA.index(clip.phenomenon)))


def find(slug: str) -> Clip:
    """The clip of that name. Raises ValueError, naming the clips there are, for one that is not."""
    for clip in (*CLIPS, *ALTERED):
        if clip.slug == slug:
            return clip
    there = ", ".join(clip.slug for clip in (*CLIPS, *ALTERED))
    raise ValueError(f"There is no clip {quoted(slug)}: choose {there}.")


def data(slug: str) -> bytes:
    """The file of a recording, Ogg Opus, for a player; of one that is made of another, FLAC."""
    clip = find(slug)
    return flac(sound(slug).samples) if clip.of else (files(__name__) / f"{clip.slug}.ogg").read_bytes()


def sound(slug: str) -> Sound:
    """The samples of a clip, for a model."""
    clip = find(slug)
    if not clip.of:
        return read(data(slug))
    recorded = sound(clip.of)
    samples = recorded.samples.copy()
    if clip.quiet is not None:
        start, end, factor = clip.quiet
        samples[round(start * RATE) : round(end * RATE)] *= factor
    if clip.pause is not None:
        at, seconds = clip.pause
        samples = np.insert(samples, round(at * RATE), np.zeros(round(seconds * RATE), samples.dtype))
    return Sound(samples, recorded.notes)
