"""How well words are found in time by the programs that people use and by ours, with the same weights and clips.

The programs are faster-whisper, openai-whisper, whisper-timestamped and stable-ts, each in its own environment
(`benchmarks._peers` makes them). They are run as they come: with their own alignment heads, their rules for punctuation
and for the ends of sentences. The text is forced but where a set says otherwise: whisper-timestamped takes none, and is
given it as its own transcript; stable-ts has `align` for that; of the others `add_word_timestamps` is called, which
their `transcribe` calls (`benchmarks._peer_worker`).

Printed for each set and program: distances of starts and ends from the truth in milliseconds, mean (median); the shares
within 50, 100 and 200 ms; how many are off by more than 0.5 s; and word F1, a word being right whose overlap with the
true one over their union is 0.5 or more (`analysis.word_scores`). Of what is said again and again, and of sounds in
which nobody speaks: how many words were said and how many written. And what timing costs beside tracing.

    python -m benchmarks.peers [a part of a set's name …]

Needs Debian's packages libespeak-ng1 and asterisk-core-sounds-en-wav.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from ctypes.util import find_library
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._measure import figure
from benchmarks._peers import PEERS, is_made, words_by
from benchmarks._speech_sets import SpeechSet, sets
from benchmarks.words import PROMPTS
from xattn_viz.analysis.timing import timed_words
from xattn_viz.analysis.word_scores import Timed, WordScores, pool_scores, score_times
from xattn_viz.inputs.audio import Sound
from xattn_viz.models import registry
from xattn_viz.models.families.whisper.adapter import WhisperAdapter

OURS = "ours"
Found = Sequence[Sequence[Timed] | None]


class Ours:
    """Our words in time, and the seconds of the processor that tracing and timing took in all."""

    def __init__(self) -> None:
        adapter = registry.load("whisper-tiny-en")
        assert isinstance(adapter, WhisperAdapter)
        self.adapter, self.tracing, self.timing = adapter, 0.0, 0.0

    def __call__(self, clips: Sequence[tuple[NDArray[np.float32], str | None]]) -> Found:
        """The words of each clip; those of loops are left out, as subtitles leave them out."""
        return [self._words(samples, text) for samples, text in clips]

    def _words(self, samples: NDArray[np.float32], text: str | None) -> list[Timed]:
        begin = time.process_time()
        sound = Sound(samples)
        if text is None:
            traces = list(self.adapter.traces(sound, crop=True))
        else:
            traces = [self.adapter.trace(sound, target=text, crop=True)]
        traced = time.process_time()
        words = [word for word in chain.from_iterable(map(timed_words, traces)) if not word.is_repeated]
        self.tracing += traced - begin
        self.timing += time.process_time() - traced
        return list(words)


def scores(speech: SpeechSet, found: Found) -> WordScores:
    """The scores of a set; a clip that a program failed on holds no words."""
    return pool_scores([score_times(words or [], clip.words) for words, clip in zip(found, speech.clips, strict=True)])


def told(of: WordScores) -> str:
    """One line of figures."""
    edges = "; ".join(
        f"{name} {1000 * edge.mean:.0f} ({1000 * edge.median:.0f}) ms, "
        f"within 50, 100, 200 ms {', '.join(f'{share:.2f}' for share in edge.within)}"
        for name, edge in (("starts", of.starts), ("ends", of.ends))
    )
    return (
        f"{edges}; over 0.5 s {of.count_wrong()} of {of.starts.count + of.ends.count}; F1 {of.f1:.2f}, IoU {of.iou:.2f}"
    )


def count(speech: SpeechSet, found: Found) -> str:
    """How many words were written where so many were said."""
    pairs = [f"{len(words or ())}/{len(clip.words)}" for words, clip in zip(found, speech.clips, strict=True)]
    return f"written/said {', '.join(pairs)}"


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    if not (PROMPTS.is_dir() and find_library("espeak-ng") and all(map(is_made, PEERS))):
        print(
            "Left out: it needs Debian's packages libespeak-ng1 and asterisk-core-sounds-en-wav, and the environments"
        )
        print("of other programs, 7 GB, which python -m benchmarks._peers makes.")
        return
    wanted, ours = sys.argv[1:], Ours()
    programs: dict[str, Callable[[Sequence[tuple[NDArray[np.float32], str | None]]], Found]] = {OURS: ours}
    for peer in PEERS:
        programs[peer] = lambda clips, peer=peer: words_by(peer, clips)  # type: ignore[misc]
    for speech in sets():
        if wanted and not any(part in speech.name for part in wanted):
            continue
        clips = [(clip.samples, clip.text if speech.is_forced else None) for clip in speech.clips]
        for name in (OURS, *speech.peers):
            found = programs[name](clips)
            has_words = all(clip.words for clip in speech.clips)
            result = told(scores(speech, found)) if has_words else count(speech, found)
            failed = sum(words is None for words in found)
            print(
                f"{speech.name} ({len(clips)} clips): {name}: {result}{f'; failed on {failed}' * (failed > 0)}",
                flush=True,
            )
    figure(
        "timing / tracing, on one thread",
        ours.timing / ours.tracing,
        at_most=0.1,
        details=f"{ours.timing:.1f} and {ours.tracing:.1f} s of the processor",
    )


if __name__ == "__main__":
    main()
