"""Text on its way into a model, whatever the family: checked, and split into sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sentencex  # type: ignore[import-untyped]

from xattn_viz.core.trace import Trace

MAX_SENTENCES = 100


@dataclass(frozen=True)
class Segment:
    """A stretch of a text, `[start, end)` in characters, and a note that its trace should carry."""

    start: int
    end: int
    note: str = ""

    def place(self, trace: Trace) -> Trace:
        """The segment's trace with its offset in the whole text, and its note."""
        return replace(trace.with_notes(*([self.note] if self.note else [])), offset=self.start)


def sentences(text: str, language: str, whole: bool) -> Iterator[Segment]:
    """The sentences of a text, white space around them left out, at most `MAX_SENTENCES`; one segment when `whole`."""
    bounds = [(0, len(text))]
    if not whole:
        found = sentencex.get_sentence_boundaries(language, text)
        bounds = [(sentence["start_index"], sentence["end_index"]) for sentence in found]
    bounds = [(a, b) for a, b in bounds if text[a:b].strip()]
    note = ""
    if len(bounds) > MAX_SENTENCES:
        note = f"Only the first {MAX_SENTENCES:,} of {len(bounds):,} sentences were traced."
    for start, end in bounds[:MAX_SENTENCES]:
        left = len(text[start:end]) - len(text[start:end].lstrip())
        yield Segment(start + left, start + len(text[start:end].rstrip()), note)
        note = ""
