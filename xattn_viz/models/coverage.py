"""What a model that reads text left out or took together, for the notes of its trace."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import sentencex  # type: ignore[import-untyped]

from xattn_viz.core.tokens import joined_words
from xattn_viz.core.trace import Note, Trace

# How far a token of the output is turned to a sentence is counted from 0, where its attention is spread evenly over the
# source, to 1, where all of it lies there. A sentence is barely attended to where no token is turned to it half as far
# as some token is to some sentence: what spreads all attention alike, such as heads without a task, changes nothing.
# Where not even a quarter of the tokens is turned anywhere so far as `_FOCUSED`, attention tells nothing: an output
# that drifts off, or random weights, which come to .25 at most. Errors on both sides are in docs/languages.md.
_BARELY, _FOCUSED = 0.5, 0.3
# A translation with fewer tokens than this share of its source, of so many or more, came out short: of 225 single
# sentences of 20 tokens and more that the Firefox models translated, none had below .61.
_SHORT, _LEAST_SOURCE = 0.6, 40
_UNSPACED = frozenset(("ja", "km", "lo", "my", "th", "zh"))  # their tokens are of another size, which nobody measured
_MOST_NAMED = 3


def notes_of_text(trace: Trace, source: str | None, target: str | None) -> list[Note]:
    """For people: that the output came out short, what it barely attends to, which words stand as one.

    `source` and `target` are the ISO 639-1 codes of the languages, None where they are not known. Only an output that
    the model wrote itself can leave something out. Empty where there is nothing to say.
    """
    notes = list[Note]()
    if not trace.steps[-1].forced and (missing := _missing(trace, source, target)):
        notes.append(Note(missing, "omission"))
    keys = trace.cross.keys
    joined = joined_words(str(trace.input), keys.spans or (), keys.special or ()) if keys.spans else []
    if joined:
        more = f" and {len(joined) - _MOST_NAMED:,} more" if len(joined) > _MOST_NAMED else ""
        named = ", ".join(f"“{words}”" for words in joined[:_MOST_NAMED])
        notes.append(Note(f"One token covers something of several words, so these stand as one word: {named}{more}."))
    return notes


def _missing(trace: Trace, source: str | None, target: str | None) -> str:
    parts = []
    is_translation = source and target and source != target and not {source, target} & _UNSPACED
    if is_translation and (counts := short(trace)):
        parts.append(f"The output came out short: {counts[0]:,} tokens for a source of {counts[1]:,}.")
    total, unread = uncovered_sentences(trace, source or "en")
    if unread:
        several = len(unread) > 1
        parts.append(
            f"To {'sentences' if several else 'sentence'} {_listed(unread)} of {total} the output attends less than "
            f"half as much as to others: {'they are' if several else 'it is'} probably left out."
        )
    elif parts:
        parts.append("Something is probably left out.")
    if parts and total > 1:
        parts.append("Trace the text sentence by sentence.")
    return " ".join(parts)


def short(trace: Trace) -> tuple[int, int] | None:
    """How many tokens output and source have, special ones aside, where a translation has more of them; else None."""
    made, read = (sum(not special for special in axis.is_special) for axis in (trace.cross.queries, trace.cross.keys))
    return (made, read) if read >= _LEAST_SOURCE and made < _SHORT * read else None


def uncovered_sentences(trace: Trace, language: str) -> tuple[int, list[int]]:
    """How many sentences the source has, and those, from 1, that the output barely attends to.

    The attention is the mean over all layers and heads, special tokens aside. A source of one sentence has none, and
    neither has one that attention does not tell (`_FOCUSED`).
    """
    text, keys, queries = str(trace.input), trace.cross.keys, trace.cross.queries
    found = sentencex.get_sentence_boundaries(language, text)
    bounds = [(one["start_index"], one["end_index"]) for one in found]
    firsts = np.array([start for start, end in bounds if text[start:end].strip()])
    total = len(firsts)
    rows = np.asarray(trace.cross.weights, np.float32).mean((0, 1))[~queries.is_special]
    if total < 2 or keys.spans is None or not len(rows):
        return total, []
    own = np.array([np.searchsorted(firsts, start, "right") - 1 if end > start else -1 for start, end in keys.spans])
    shares = np.stack([rows[:, own == place].sum(1) for place in range(total)], axis=1)  # [token, sentence]
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-9)
    evenly = np.bincount(own[own >= 0], minlength=total) / max((own >= 0).sum(), 1)  # [sentence]
    turned = np.where(evenly < 1, (shares - evenly) / np.maximum(1 - evenly, 1e-9), 1)
    if np.quantile(turned.max(1), 0.75) < _FOCUSED:
        return total, []
    furthest = turned.max(0)
    return total, [place + 1 for place, far in enumerate(furthest) if far < _BARELY * furthest.max()]


def _listed(numbers: Sequence[int]) -> str:
    """Rising numbers for people, runs of them as ranges: 2, 5–9."""
    edges = [numbers[0], *(n for a, b in pairwise(numbers) if b > a + 1 for n in (a, b)), numbers[-1]]
    runs = zip(edges[::2], edges[1::2], strict=True)
    return ", ".join(f"{a}–{b}" if b > a else f"{a}" for a, b in runs)
