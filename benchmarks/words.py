"""How well words are found in time, against speech whose times are known.

Two kinds of speech: sentences spoken by espeak-ng, which says when each word begins; and human words, recorded one by
one for telephone prompts and joined with pauses of 0, 50 and 150 ms. The method "shares" was chosen on the first 32
sentences, and on other clips of the same human words; the figures are of the other sentences, and of new clips.
The true text is forced, so that only the alignment is measured.

Printed is the mean distance of word starts and ends from the truth, in milliseconds, and the ratio of OpenAI's method,
with the checkpoint's own heads, to ours.

Needs Debian's packages libespeak-ng1 and asterisk-core-sounds-en-wav.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._espeak import Speaker, SpokenWord
from benchmarks._measure import figure
from xattn_viz.analysis.timing import Head, Method, timed_words
from xattn_viz.inputs.audio import RATE, read
from xattn_viz.models import registry
from xattn_viz.models.whisper.adapter import WhisperAdapter
from xattn_viz.trace import Trace

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


@dataclass(frozen=True)
class Case:
    """Speech as it was traced, and its words in time."""

    trace: Trace
    words: Sequence[SpokenWord]


def synthetic(adapter: WhisperAdapter) -> Iterator[Case]:
    """One to three sentences a clip, in five voices at three speeds."""
    # Sentences that hold figures or foreign scripts are spoken in other words than they are written in.
    lines = [
        line for line in SENTENCES.read_text(encoding="utf-8").splitlines() if line.isascii() and not _figures(line)
    ]
    speaker, at, number = Speaker(), 0, 0
    while at < len(lines):
        count = 1 + number % 3
        text = " ".join(lines[at : at + count])
        sound, words = speaker.say(text, VOICES[number % len(VOICES)], SPEEDS[number % len(SPEEDS)])
        yield Case(adapter.trace(sound, target=text, crop=True), words)
        at, number = at + count, number + 1


def human(adapter: WhisperAdapter) -> Iterator[Case]:
    """Five to ten words a clip, each as it was recorded, without the silence around it."""
    chance, recorded = random.Random(0), {word: _trimmed(PROMPTS / f"{name}.wav") for word, name in FILES.items()}  # noqa: S311
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
        yield Case(adapter.trace(np.concatenate([*pieces, edge]), target=text, crop=True), words)


def errors(cases: Sequence[Case], heads: Sequence[Head] | None, method: Method) -> tuple[float, float, int]:
    """The mean distance of starts and of ends, in milliseconds, and how many words there were."""
    starts, ends = list[float](), list[float]()
    for case in cases:
        found = timed_words(case.trace, heads, method=method)
        assert [word.text for word in found] == [word.text for word in case.words]
        for word, true in zip(found, case.words, strict=True):
            starts += [] if true.start is None else [abs(word.start - true.start) * 1000]
            ends += [] if true.end is None else [abs(word.end - true.end) * 1000]
    return float(np.mean(starts)), float(np.mean(ends)), len(starts)


def _figures(line: str) -> bool:
    return any(character.isdigit() for character in line)


def _trimmed(path: Path) -> NDArray[np.float32]:
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
    every = [(layer, head) for layer in range(4) for head in range(6)]
    variants: dict[str, tuple[Sequence[Head] | None, Method]] = {
        "openai, the checkpoint's heads": (adapter.alignment_heads, "openai"),
        "openai, all heads": (every, "openai"),
        "shares, the checkpoint's heads": (adapter.alignment_heads, "shares"),
        "shares, all heads": (every, "shares"),
        "shares (its own heads)": (None, "shares"),
    }
    for name, cases in (("espeak", list(synthetic(adapter))), ("human words", list(human(adapter)))):
        found = {variant: errors(cases, *settings) for variant, settings in variants.items()}
        for variant, (start, end, count) in found.items():
            print(f"{name}: {variant}: starts {start:.0f} ms, ends {end:.0f} ms ({count} words)", flush=True)
        peer, ours = found["openai, the checkpoint's heads"], found["shares (its own heads)"]
        for which, edge in enumerate(("starts", "ends")):
            figure(
                f"{name}: openai / shares, {edge}",
                peer[which] / ours[which],
                at_least=1.5,
                details=f"{peer[which]:.0f} and {ours[which]:.0f} ms, {len(cases)} clips",
            )


if __name__ == "__main__":
    main()
