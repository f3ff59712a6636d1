"""Sets of speech whose times are known, each to see one fault: pauses, music, noise, fillers, a second voice, loops.

All are made anew from two sources, by a seed: sentences of espeak-ng, with its own word events, and words that were
recorded one by one (`benchmarks.words`). They are for the report alone: nothing in the package was chosen on them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks._espeak import Speaker, SpokenWord
from benchmarks._peers import PEERS
from benchmarks.words import FILES, PROMPTS, Clip, human, synthetic, trimmed, with_pauses
from xattn_viz.inputs.audio import RATE

Samples = NDArray[np.float32]
#: How far music and noise lie below the speech, in decibels.
BELOW = (10, 5, 0)
# Figures and abbreviations are spoken in other words than they are written in.
FIGURES = (
    "On 3 May 1985, Dr. Smith paid $42.50 for 16 books.",
    "The train at 7:45 leaves from platform 9 at St. James.",
    "Mr. Brown was born in 1962 and lives at 221 Baker St.",
    "Add 250 ml of milk and 3 eggs, then bake for 35 min.",
    "The U.S. team won 21 to 19 on Sept. 14.",
    "Call 555 0199 before 5 p.m. or write to Mrs. Jones.",
    "About 60% of the 1,200 people agreed with NASA.",
    "Room 12 is 4.5 m wide, i.e. 15 ft.",
)


@dataclass(frozen=True)
class SpeechSet:
    """Clips under a name; their text `is_forced`, or each program writes its own. Only these `peers` are asked."""

    name: str
    clips: Sequence[Clip]
    is_forced: bool = True
    peers: Sequence[str] = tuple(PEERS)


@cache
def sets() -> list[SpeechSet]:
    """All sets of the report, made once: espeak-ng remembers what it said, and says it a little otherwise again."""
    spoken, recorded = list(synthetic(chosen_on=False)), list(human(chosen_on=False))
    few = [spoken[4], *recorded[:3]]
    made = [
        SpeechSet("espeak-ng", spoken),
        SpeechSet("human words", recorded),
        SpeechSet("espeak-ng, pauses of 0.3 to 3 s", list(with_pauses(spoken[2:8], 2))),
        SpeechSet("human words, pauses of 0.3 to 3 s", list(with_pauses(recorded[:12], 4))),
    ]
    for name, bed in (("music", music), ("noise", noise)):
        made += [SpeechSet(f"{name}, {down} dB below", list(over(few, bed, down))) for down in BELOW]
    speaker = Speaker()
    uh, laugh = (tight(speaker.say(text, "en-us", speed)[0].samples) for text, speed in (("uh", 120), ("ha " * 6, 260)))
    some = [*spoken[3:5], *recorded[4:6]]
    return [
        *made,
        SpeechSet("“uh” between words", list(with_sound(some, uh, 6))),
        SpeechSet("laughter between words", list(with_sound(some, laugh, 7))),
        SpeechSet("a second voice, 10 dB below", list(over(recorded[8:14], second_voice(spoken), 10))),
        SpeechSet("figures and abbreviations", [_said(speaker, line) for line in FIGURES]),
        SpeechSet("one word, 0.1 to 1 s", list(short())),
        SpeechSet("said again and again; nobody speaks", list(repeated(speaker)), is_forced=False),
        SpeechSet("1 minute, own text", [minutes(spoken, 60)], is_forced=False),
        SpeechSet("10 minutes, own text", [minutes(spoken, 600)], is_forced=False, peers=("faster-whisper",)),
    ]


def over(clips: Sequence[Clip], bed: Callable[[int, int], Samples], down: float) -> Iterator[Clip]:
    """The clips with another sound under them, so many decibels below: `bed` makes it of a length and a seed."""
    for seed, clip in enumerate(clips):
        under = bed(len(clip.samples), seed)
        loudness = np.sqrt(np.square(clip.samples).mean() / np.square(under).mean()) * 10 ** (-down / 20)
        yield Clip(clip.samples + (loudness * under).astype(np.float32), clip.text, clip.words)


def noise(count: int, seed: int) -> Samples:
    """Pink noise that swells and fades."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), count)
    return (pink * (1 + 0.5 * np.sin(2 * np.pi * 0.4 * np.arange(count) / RATE))).astype(np.float32)


def music(count: int, seed: int) -> Samples:
    """A melody over chords: tones with three overtones, that fade."""
    generator, sound = np.random.default_rng(seed), np.zeros(count + 3 * RATE)
    for shortest, longest, tones in ((0.15, 0.6, 1), (0.8, 2.0, 3)):
        at = 0
        while at < count:
            time = np.arange(int(generator.uniform(shortest, longest) * RATE)) / RATE
            for pitch in 220 * 2 ** (generator.choice(24, tones, replace=False) / 12):
                tone = sum(np.sin(2 * np.pi * pitch * (n + 1) * time) / (n + 1) for n in range(4))
                sound[at : at + len(time)] += tone * np.exp(-2 * time)
            at += len(time)
    return sound[:count].astype(np.float32)


def second_voice(clips: Sequence[Clip]) -> Callable[[int, int], Samples]:
    """Another speaker's sentences, as long as wanted."""
    return lambda count, seed: np.resize(clips[seed % len(clips)].samples, count)


def with_sound(clips: Sequence[Clip], sound: Samples, seed: int) -> Iterator[Clip]:
    """The clips with a sound behind one word in three, 0.1 s of quiet around it; the text says nothing of it."""
    chance, gap = random.Random(seed), np.zeros(RATE // 10, np.float32)  # noqa: S311
    for clip in clips:
        loudness = np.sqrt(np.square(clip.samples).mean() / np.square(sound).mean())
        pieces, words, at, late = list[Samples](), list[SpokenWord](), 0, 0.0
        for word, following in itertools.pairwise([*clip.words, None]):
            assert word is not None
            words.append(SpokenWord(word.text, _later(word.start, late), _later(word.end, late)))
            begins = None if following is None else following.start
            added = 2 * len(gap) + len(sound)
            if word.end is None or begins is None or chance.randrange(3) or len(clip.samples) + added > 28 * RATE:
                continue
            cut = round(RATE * (word.end + begins) / 2)
            pieces += [clip.samples[at:cut], gap, (loudness * sound).astype(np.float32), gap]
            at, late = cut, late + added / RATE
        samples = np.concatenate([*pieces, clip.samples[at:]])
        if len(samples) <= 30 * RATE:
            yield Clip(samples, clip.text, words)


def short() -> Iterator[Clip]:
    """One recorded word each, as close as it can be cut; of two only the first 0.1 s."""
    for number, (word, file) in enumerate(list(FILES.items())[:8]):
        samples = trimmed(PROMPTS / f"{file}.wav")
        samples = samples[: RATE // 10] if number < 2 else samples
        written = f"{word.capitalize()}."
        yield Clip(samples, written, [SpokenWord(written, 0.0, len(samples) / RATE)])


def minutes(clips: Sequence[Clip], seconds: float) -> Clip:
    """Sentences behind each other, for so long at least."""
    pieces, words, length = list[Samples](), list[SpokenWord](), 0
    for clip in itertools.cycle(clips):
        begin = length / RATE
        words += [SpokenWord(word.text, _later(word.start, begin), _later(word.end, begin)) for word in clip.words]
        pieces += [clip.samples, np.zeros(RATE // 2, np.float32)]
        length += len(clip.samples) + RATE // 2
        if length >= seconds * RATE:
            break
    return Clip(np.concatenate(pieces), " ".join(word.text for word in words), words)


def repeated(speaker: Speaker) -> Iterator[Clip]:
    """What lures a decoder into a loop: a word or a sentence many times, noise, music and silence."""
    for word, times, pause in (("nine", 15, 0.1), ("Monday", 12, 0.3)):
        samples, gap = trimmed(PROMPTS / f"{FILES[word]}.wav"), np.zeros(int(pause * RATE), np.float32)
        step = (len(samples) + len(gap)) / RATE
        said = [SpokenWord(word, i * step, i * step + len(samples) / RATE) for i in range(times)]
        yield Clip(np.concatenate([samples, gap] * times), " ".join([word] * times), said)
    one = _said(speaker, "The boat left the harbour in the morning.")
    yield minutes([one], 6 * (len(one.samples) / RATE + 0.5) - 0.1)
    for seed, bed in enumerate((noise, music)):
        sound = bed(25 * RATE, 90 + seed)
        yield Clip((0.1 * sound / np.abs(sound).max()).astype(np.float32), "", [])
    yield Clip(np.zeros(20 * RATE, np.float32), "", [])


def tight(samples: Samples) -> Samples:
    """A sound without the silence around it."""
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def _said(speaker: Speaker, line: str) -> Clip:
    sound, words = speaker.say(line, "en-us")
    return Clip(sound.samples, line, words)


def _later(seconds: float | None, by: float) -> float | None:
    return None if seconds is None else seconds + by
