"""How well words are found in time, against speech whose times are known.

Two kinds of speech: sentences spoken by espeak-ng, which says when each word begins; and human words, recorded one by
one for telephone prompts and joined with pauses of 0, 50 and 150 ms. Each comes once more with pauses of 0.3 to 3 s
between some of its words, silent in every second clip and with the noise of a room in the others. The method "shares"
was chosen on the first 32 lines of the file of sentences, and on other clips of the same human words; the rule that
places words between pauses (`analysis.pauses`) on the same lines with pauses. The figures are of the other lines, and
of new clips (`--chosen-on` prints those of the clips that both were chosen on). The true text is forced, so that only
the alignment is measured.

Printed is the distance of word starts and ends from the truth, in milliseconds, mean and median, and how many words are
wrong by more than 0.5 s, for each way to read them off the same maps. How the programs do that people use, on these and
other sets, `benchmarks.peers` measures. "zscores" is none of them (docs/speech.md).

Needs Debian's packages libespeak-ng1 and asterisk-core-sounds-en-wav.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._espeak import Speaker, SpokenWord
from xattn_viz.analysis.timing import Head, Method, timed_words
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import RATE, Sound, read
from xattn_viz.models import registry
from xattn_viz.models.families.whisper.adapter import WhisperAdapter

SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison/digits")
VOICES, SPEEDS, PAUSES = ("en-gb", "en-us", "en-gb+f2", "en-us+m3", "en-gb+f4"), (140, 160, 180), (0.0, 0.05, 0.15)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = {0: "January", 1: "February", 4: "May", 7: "August", 9: "October"}
FILES = {
    **{word: str(i) for i, word in enumerate(NUMBERS)},
    **{word: f"day-{i}" for i, word in enumerate(DAYS)},
    **{word: f"mon-{i}" for i, word in MONTHS.items()},
}
HUMAN_CLIPS = 24
#: Lines of the file that the method was chosen on.
CHOSEN_ON = 32


#: In a clip with pauses one word in so many is followed by one, of so many seconds; clips are no longer than a window.
PAUSED_WORDS, PAUSED, LONGEST = 3, (0.3, 3.0), 29.0
ROOM = 10 ** (-40 / 20)  # the noise of a room, against the sound
WRONG = 500.0  # milliseconds


@dataclass(frozen=True)
class Clip:
    """Speech `[sample]`, its text, and its words in time."""

    samples: NDArray[np.float32]
    text: str
    words: Sequence[SpokenWord]


@dataclass(frozen=True)
class Case:
    """Speech as it was traced, and its words in time."""

    trace: Trace
    words: Sequence[SpokenWord]


@dataclass(frozen=True)
class Errors:
    """The distances of starts and ends from the truth, in milliseconds, `[word]` where it is known."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    def __str__(self) -> str:
        """Means, medians, and how many are wrong by more than `WRONG`."""
        starts, ends = self.starts, self.ends
        wrong = int((starts > WRONG).sum() + (ends > WRONG).sum())
        return (
            f"starts {starts.mean():.0f} ms, ends {ends.mean():.0f} ms; median {np.median(starts):.0f} and "
            f"{np.median(ends):.0f} ms; {wrong} of {len(starts) + len(ends)} wrong by more than {WRONG:.0f} ms"
        )


def synthetic(*, chosen_on: bool) -> Iterator[Clip]:
    """One to three sentences a clip, in five voices at three speeds."""
    # Sentences that hold figures or foreign scripts are spoken in other words than they are written in.
    every = SENTENCES.read_text(encoding="utf-8").splitlines()
    some = every[:CHOSEN_ON] if chosen_on else every[CHOSEN_ON:]
    lines = [line for line in some if line.isascii() and not _figures(line)]
    speaker, at, number = Speaker(), 0, 0
    while at < len(lines):
        count = 1 + number % 3
        text = " ".join(lines[at : at + count])
        sound, words = speaker.say(text, VOICES[number % len(VOICES)], SPEEDS[number % len(SPEEDS)])
        yield Clip(sound.samples, text, words)
        at, number = at + count, number + 1


def human(*, chosen_on: bool) -> Iterator[Clip]:
    """Five to ten words a clip, each as it was recorded, without the silence around it."""
    chance = random.Random(int(chosen_on))  # noqa: S311
    recorded = {word: trimmed(PROMPTS / f"{name}.wav") for word, name in FILES.items()}
    for number in range(HUMAN_CLIPS):
        said = [chance.choice(list(FILES)) for _ in range(chance.randint(5, 10))]
        pause = np.zeros(int(PAUSES[number % len(PAUSES)] * RATE), np.float32)
        edge = np.zeros(int(0.3 * RATE), np.float32)
        text = ", ".join(said) + "."
        pieces, words, at = [edge], list[SpokenWord](), len(edge)
        for written, word in zip(text.split(), said, strict=True):
            end = at + len(recorded[word])
            words.append(SpokenWord(written, at / RATE, end / RATE))
            pieces += [recorded[word], pause]
            at = end + len(pause)
        yield Clip(np.concatenate([*pieces, edge]), text, words)


def with_pauses(clips: Sequence[Clip], seed: int) -> Iterator[Clip]:
    """The clips with pauses where one word ends and the next begins; every second one in the noise of a room."""
    chance, generator = random.Random(seed), np.random.default_rng(seed)  # noqa: S311
    for number, clip in enumerate(clips):
        pieces, words, at, late = list[NDArray[np.float32]](), list[SpokenWord](), 0, 0.0
        for i, word in enumerate(clip.words):
            words.append(SpokenWord(word.text, _later(word.start, late), _later(word.end, late)))
            following = clip.words[i + 1].start if i + 1 < len(clip.words) else None
            if following is None or word.end is None or chance.randrange(PAUSED_WORDS):
                continue
            pause = chance.uniform(*PAUSED)
            if len(clip.samples) / RATE + late + pause > LONGEST:
                continue
            cut = round(RATE * (word.end + following) / 2)
            pieces += [clip.samples[at:cut], np.zeros(round(pause * RATE), np.float32)]
            at, late = cut, late + pause
        samples = np.concatenate([*pieces, clip.samples[at:]])
        if number % 2:
            loudness = ROOM * np.sqrt(np.square(clip.samples).mean())
            samples = samples + (loudness * generator.normal(size=len(samples))).astype(np.float32)
        yield Clip(samples, clip.text, words)


def traced(adapter: WhisperAdapter, clips: Sequence[Clip]) -> list[Case]:
    """The clips as the model hears them, their text forced."""
    return [
        Case(adapter.trace(Sound(clip.samples), target=clip.text, crop=True), clip.words)
        for clip in clips
        if len(clip.samples) <= 30 * RATE
    ]


def errors(cases: Sequence[Case], heads: Sequence[Head] | None, method: Method, *, placed: bool = True) -> Errors:
    """How far words are from where they are; not `placed`, a word ends where the next begins, as the way says."""
    starts, ends = list[float](), list[float]()
    with _unplaced() if not placed else nullcontext():
        found = [timed_words(case.trace, heads, method=method) for case in cases]
    for case, words in zip(cases, found, strict=True):
        assert [word.text for word in words] == [word.text for word in case.words]
        for word, true in zip(words, case.words, strict=True):
            starts += [] if true.start is None else [abs(word.start - true.start) * 1000]
            ends += [] if true.end is None else [abs(word.end - true.end) * 1000]
    return Errors(np.array(starts), np.array(ends))


def _unplaced() -> AbstractContextManager[object]:
    return mock.patch("xattn_viz.analysis.timing._laid_out", return_value=None)


def _later(seconds: float | None, by: float) -> float | None:
    return None if seconds is None else seconds + by


def _figures(line: str) -> bool:
    return any(character.isdigit() for character in line)


def trimmed(path: Path) -> NDArray[np.float32]:
    """A recording without the silence around it: 30 dB below its loudest 20 ms."""
    samples = read(path).samples
    power = np.convolve(samples**2, np.ones(320) / 320, "same")
    loud = np.flatnonzero(power > power.max() * 1e-3)
    return samples[loud[0] : loud[-1] + 1]


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    if not (PROMPTS.is_dir() and find_library("espeak-ng")):
        print("Left out: it needs Debian's packages libespeak-ng1 and asterisk-core-sounds-en-wav.")
        return
    adapter = registry.load("whisper-tiny-en")
    assert isinstance(adapter, WhisperAdapter)
    chosen_on = "--chosen-on" in sys.argv[1:]
    every, named = [(layer, head) for layer in range(4) for head in range(6)], adapter.alignment_heads
    variants: dict[str, tuple[Sequence[Head] | None, Method, bool]] = {
        "zscores, the checkpoint's heads": (named, "zscores", True),
        "zscores, all heads": (every, "zscores", True),
        "shares, the checkpoint's heads": (named, "shares", True),
        "shares, all heads": (every, "shares", True),
        "shares, not placed between pauses": (None, "shares", False),
        "shares": (None, "shares", True),
    }
    spoken, words = list(synthetic(chosen_on=chosen_on)), list(human(chosen_on=chosen_on))
    sets = {
        "espeak": spoken,
        "human words": words,
        "espeak with pauses": list(with_pauses(spoken, 2 + chosen_on)),
        "human words with pauses": list(with_pauses(words, 4 + chosen_on)),
    }
    for name, clips in sets.items():
        cases = traced(adapter, clips)
        found = {
            variant: errors(cases, heads, method, placed=placed)
            for variant, (heads, method, placed) in variants.items()
        }
        for variant, errors_of in found.items():
            print(f"{name}: {variant}: {errors_of} ({len(cases)} clips)", flush=True)


if __name__ == "__main__":
    main()
