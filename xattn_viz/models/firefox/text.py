"""Text on its way into a model: checked, split into sentences, cut to what can be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sentencex  # type: ignore[import-untyped]

from xattn_viz.models.base import InputError
from xattn_viz.models.firefox.vocabulary import Tokens, Vocabulary
from xattn_viz.trace import Trace

MAX_TOKENS = 512  # of one segment, </s> among them; a map of 512 x 1,280 tokens is 42 MB
MAX_SENTENCES = 100


@dataclass(frozen=True)
class Source:
    """What the encoder reads: its tokens with `</s>`, and sentences for people about what was left out."""

    tokens: Tokens
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A stretch of a text, `[start, end)` in characters, and a note that its trace should carry."""

    start: int
    end: int
    note: str = ""

    def place(self, trace: Trace) -> Trace:
        """The segment's trace with its offset in the whole text, and its note."""
        notes = [*trace.provenance["notes"], *([self.note] if self.note else [])]
        return replace(trace, offset=self.start, provenance={**trace.provenance, "notes": notes})


def check_text(text: object, name: str = "text") -> str:
    """The text itself. Raises InputError when it is no text, is blank, or holds half a character."""
    if not isinstance(text, str):
        raise InputError(f"The {name} must be a string, not {type(text).__name__}.")
    if not text.strip():
        raise InputError(f"The {name} is empty: type at least one word.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"The {name} holds half of a character (a lone surrogate), which no model can read.")
    return text


def read_source(vocabulary: Vocabulary, text: object) -> Source:
    """The tokens of a text, cut where more than `MAX_TOKENS` would have to be read.

    The text is cut with them, at the end of a word where there is one, so that tracing what is left gives the same
    tokens again. Raises InputError as `check_text` does, and for text that leaves no tokens.
    """
    tokens = vocabulary.encode(check_text(text)).ended()
    count, most = len(tokens.ids), MAX_TOKENS
    while len(tokens.ids) > MAX_TOKENS:
        tokens = vocabulary.encode(_cut(tokens, most - 1)).ended()
        most -= 1  # the shorter text may need one token more
    if len(tokens.ids) == 1:
        raise InputError("The text holds nothing that the model can read: type at least one word.")
    notes: tuple[str, ...] = ()
    if len(tokens.ids) < count:
        notes = (f"Only the first {len(tokens.ids) - 1:,} of {count - 1:,} tokens were read.",)
    return Source(tokens, notes)


def _cut(tokens: Tokens, count: int) -> str:
    end = tokens.spans[count - 1][1]
    text = tokens.text[:end]
    word_end = len(text.rstrip()) if tokens.text[end : end + 1].isspace() else text.rfind(" ")
    return text[:word_end] if word_end > end // 2 else text


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
