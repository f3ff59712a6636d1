"""What a model that reads text left out or took together, for the notes of its trace."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import sentencex  # type: ignore[import-untyped]

from xattn_viz.tokens import joined_words
from xattn_viz.trace import Trace

# Of its attention, on average over layers and heads: the sentences of up to six that a Firefox model translated had a
# token that gave them .62 or more, those that it left out .33 or less.
_READ = 0.5
_MOST_NAMED = 3


def notes_of_text(trace: Trace, language: str) -> list[str]:
    """Sentences for people: which sentences of the source nothing attends to, and which words stand as one.

    `language` is the ISO 639-1 code of the source, by which it is cut into sentences. Empty where all was read.
    """
    notes = []
    total, unread = unread_sentences(trace, language)
    if unread:
        several = len(unread) > 1
        notes.append(
            f"No token of the output gives half of its attention to {'sentences' if several else 'sentence'} "
            f"{_listed(unread)} of {total}: {'they are' if several else 'it is'} probably left out. "
            "Trace the text sentence by sentence."
        )
    keys = trace.cross.keys
    joined = joined_words(str(trace.input), keys.spans or (), keys.special or ()) if keys.spans else []
    if joined:
        more = f" and {len(joined) - _MOST_NAMED:,} more" if len(joined) > _MOST_NAMED else ""
        named = ", ".join(f"“{words}”" for words in joined[:_MOST_NAMED])
        notes.append(f"One token covers something of several words, so these stand as one word: {named}{more}.")
    return notes


def unread_sentences(trace: Trace, language: str) -> tuple[int, list[int]]:
    """How many sentences the source has, and those, from 1, to which no token of the output gives half its attention.

    The attention is the mean over all layers and heads. A source of one sentence has none.
    """
    text, keys, queries = str(trace.input), trace.cross.keys, trace.cross.queries
    found = sentencex.get_sentence_boundaries(language, text)
    bounds = [(one["start_index"], one["end_index"]) for one in found]
    bounds = [(start, end) for start, end in bounds if text[start:end].strip()]
    if len(bounds) < 2 or keys.spans is None or queries.special is None:
        return len(bounds), []
    rows = np.asarray(trace.cross.weights, np.float32).mean((0, 1))[~np.array(queries.special, bool)]
    if not len(rows):
        return len(bounds), []
    firsts = np.array([start for start, _ in bounds])
    own = np.array([np.searchsorted(firsts, start, "right") - 1 if end > start else -1 for start, end in keys.spans])
    most = [rows[:, own == place].sum(1).max() for place in range(len(bounds))]
    return len(bounds), [place + 1 for place, share in enumerate(most) if share < _READ]


def _listed(numbers: Sequence[int]) -> str:
    """Rising numbers for people, runs of them as ranges: 2, 5–9."""
    edges = [numbers[0], *(n for a, b in pairwise(numbers) if b > a + 1 for n in (a, b)), numbers[-1]]
    runs = zip(edges[::2], edges[1::2], strict=True)
    return ", ".join(f"{a}–{b}" if b > a else f"{a}" for a, b in runs)
