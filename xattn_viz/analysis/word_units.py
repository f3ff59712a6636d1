"""The words of two texts that a map is read between, and the weights of every head from one to the other.

Tokens are a model's own; whoever aligns words has words: those between white space of a tokenised text, those of the
map's own axis, or a list. Every word keeps its place in the text, so that each way can be mapped to any other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import regex
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Alignment, Word
from xattn_viz.core.records import quoted, summary
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import head_key
from xattn_viz.inputs import InputError

#: How texts are cut into words: at "spaces", as the map's own "axis" has them, or two lists, of the source's words and
#: of the target's.
Words = Literal["spaces", "axis"] | tuple[Sequence[str], Sequence[str]]
_BETWEEN_SPACES = regex.compile(r"\S+")
# Scripts that put no space between words.
_WITHOUT_SPACES = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a map in words: `members` `[word, token]` says how much of each token is of each word.

    A token of several words is shared evenly; one that is special is of none, and so is what lies outside all words.
    """

    words: tuple[Word, ...]
    members: NDArray[np.float64]

    __repr__ = summary


def sides(trace: Trace, words: Words = "spaces") -> tuple[Side, Side]:
    """The source and the target of a trace in words.

    "spaces" cuts both texts at white space, as `str.split` does, so that words have the numbers that they have in a
    tokenised file; a text in a script without spaces that holds none is cut as the axis cuts it. "axis" takes the words
    of the map (UAX 29 with numbers, links and hyphenated words whole; punctuation is a word of its own). Lists of words
    are looked for in the texts, in order.

    Raises InputError where a side is no text, where a listed word is not in it, and where there is no word at all.
    """
    source, target = _text_of(trace)
    maps = trace.cross
    if words in ("spaces", "axis"):
        by_axis = words == "axis"
        found = _cut(source, maps.keys, by_axis), _cut(target, maps.queries, by_axis)
    elif isinstance(words, tuple | list) and len(words) == 2 and not any(isinstance(side, str) for side in words):
        found = _listed(words[0], source, maps.keys, "source"), _listed(words[1], target, maps.queries, "target")
    else:
        raise InputError(
            f'words is "spaces", "axis", or a list of source words and one of target words: got {quoted(words)}.'
        )
    for side, name in zip(found, ("source", "target"), strict=True):
        if not side.words:
            raise InputError(f"The {name} of this trace holds no word, so there is nothing to align.")
    return found


def sides_again(
    trace: Trace, source: Sequence[Word], target: Sequence[Word], texts: tuple[str, str]
) -> tuple[Side, Side]:
    """The source and the target of a trace in the other direction, in the words of the first: `texts` are of these.

    Its source is the first one's target, and so on: the first side returned is of `target`. Raises InputError where the
    texts are others.
    """
    found = []
    for words, text, own, axis in zip(
        (target, source), reversed(texts), _text_of(trace), (trace.cross.keys, trace.cross.queries), strict=True
    ):
        if axis.spans is None or any(word.span is None for word in words):
            side = _by_axis(own, axis)
            is_same = [word.text for word in side.words] == [word.text for word in words]
        else:
            # A model that could not read all of a text has its beginning.
            is_same = own.startswith(text) or text.startswith(own)
            side = by_spans(tuple(words), axis) if is_same else Side((), np.zeros((0, 0)))
        if not is_same:
            raise InputError(
                f"The reverse trace is not of the same two texts: one says {quoted(own)} where the other says "
                f"{quoted(text)}. Force it, as in back = model.trace(ahead.output, target=ahead.input)."
            )
        found.append(side)
    return found[0], found[1]


def word_weights(trace: Trace, source: Side, target: Side) -> NDArray[np.float64]:
    """The weights of every head between words, `[layer, head, shift, target, source]`.

    With shift 0 the row of a token is the one in which it was predicted, with shift 1 the one after, in which it was
    read: a head that follows what was read speaks of it there. The last row stays. Weights to the pieces of a source
    word are summed, rows of a target word's pieces averaged; what goes to `</s>` and other special tokens is left out,
    so rows sum to 1 at most.
    """
    weights = trace.cross.weights.astype(np.float64)
    later = np.concatenate([weights[:, :, 1:], weights[:, :, -1:]], axis=2)
    both = np.stack([weights, later], axis=2)  # [layer, head, shift, query, key]
    pieces = target.members.sum(axis=1, keepdims=True)
    mean = np.divide(target.members, pieces, out=np.zeros_like(target.members), where=pieces > 0)
    between: NDArray[np.float64] = mean @ both @ source.members.T
    return between


def with_rows_of_one(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights `[…, query, key]` divided by the sum of their row; a row of zeros stays."""
    sums = weights.sum(axis=-1, keepdims=True)
    divided: NDArray[np.float64] = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    return divided


def by_spans(words: tuple[Word, ...], axis: Axis) -> Side:
    """Which token is of which word, by their characters; the mark of a space is of the word behind it."""
    spans = [word.span or (0, 0) for word in words]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    members = np.zeros((len(words), len(axis)))
    for token, ((start, end), special) in enumerate(zip(axis.spans or (), axis.is_special, strict=True)):
        if special:
            continue
        first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
        if first <= last:
            members[first : last + 1, token] = 1 / (last - first + 1)
        elif first < len(words) and starts[first] == end:
            members[first, token] = 1
    return Side(words, members)


def linked_cells(alignment: Alignment, rows: Axis, columns: Axis) -> tuple[tuple[int, int], ...]:
    """Where the links lie on a map between these axes of the two texts: (row, column) from 0, each once, in order.

    A link between words of several tokens covers the cells of all of them. Nothing lies on an axis that is no text.
    """
    spans = [word.span for word in (*alignment.source_words, *alignment.target_words)]
    if rows.spans is None or columns.spans is None or None in spans:
        return ()
    sources, targets = by_spans(alignment.source_words, columns), by_spans(alignment.target_words, rows)
    cells: set[tuple[int, int]] = set()
    for source, target, _ in alignment.links:
        covered = (np.flatnonzero(targets.members[target]), np.flatnonzero(sources.members[source]))
        cells |= {(row, column) for row in covered[0].tolist() for column in covered[1].tolist()}
    return tuple(sorted(cells))


def named_heads(alignment: Alignment) -> str:
    """The heads that the links were read off, from 1: "heads 2.1 and 1.6"."""
    names = list(dict.fromkeys(head_key(one.layer, one.head) for one in alignment.heads))
    return f"head{'s' * (len(names) > 1)} {' and '.join(names)}"


def linked_by(alignment: Alignment) -> str:
    """What made the links: "by heads 2.1 and 1.6 and a model of the opposite direction"."""
    both = " and a model of the opposite direction" if alignment.reverse_heads else ""
    return f"by {named_heads(alignment)}{both}"


def links_caption(alignment: Alignment) -> str:
    """What a cell in a frame is, on a map that shows the links."""
    return f"In a frame: words that are linked, {linked_by(alignment)}."


def _text_of(trace: Trace) -> tuple[str, str]:
    """What was read and what was written. Raises InputError where the map is not between texts."""
    if not isinstance(trace, Trace):
        raise InputError(
            f"Words are aligned in a trace, not in {type(trace).__name__}: xv.align(trace, reverse). For the largest "
            "weights of one head it is xv.most_attended(maps, layer, head)."
        )
    maps = trace.cross
    if (maps.keys.kind, maps.queries.kind) != ("text", "text") or not isinstance(trace.input, str):
        raise InputError(
            f"Words are aligned between two texts, and this map is of {maps.queries.kind} over {maps.keys.kind}: "
            "xv.most_attended(maps, layer, head) takes any."
        )
    return trace.input, trace.output


def _cut(text: str, axis: Axis, by_axis: bool) -> Side:
    if by_axis or axis.spans is None or (_WITHOUT_SPACES.search(text) and len(text.split()) == 1):
        return _by_axis(text, axis)
    return by_spans(tuple(Word(found.group(), found.span()) for found in _BETWEEN_SPACES.finditer(text)), axis)


def _by_axis(text: str, axis: Axis) -> Side:
    """The words of an axis, or its positions where it has none; without the special ones."""
    groups = [[position] for position in range(len(axis))] if axis.words is None else axis.word_groups()
    special = axis.is_special
    groups = [own for group in groups if (own := [position for position in group if not special[position]])]
    members = np.zeros((len(groups), len(axis)))
    words = []
    for number, group in enumerate(groups):
        members[number, group] = 1
        if axis.spans is None:
            words.append(Word("".join(axis.name(position) for position in group), None))
            continue
        start, end = axis.spans[group[0]][0], axis.spans[group[-1]][1]
        said = text[start:end]
        start += len(said) - len(said.lstrip())
        words.append(Word(said.strip() or axis.name(group[0]), (start, max(start, start + len(said.strip())))))
    return Side(tuple(words), members)


def _listed(given: Sequence[str], text: str, axis: Axis, name: str) -> Side:
    if axis.spans is None:
        side = _by_axis(text, axis)
        if len(side.words) != len(given):
            raise InputError(f"The {name} has {len(side.words)} words in this trace, and {len(given)} are listed.")
        return Side(tuple(Word(said, None) for said in given), side.members)
    words, end = [], 0
    for number, said in enumerate(given):
        if not isinstance(said, str) or not said or (start := text.find(said, end)) < 0:
            raise InputError(
                f"The {name} word {quoted(said)}, number {number + 1} of the list, does not stand in "
                f"{quoted(text[end:])}, which is what is left of the text there."
            )
        end = start + len(said)
        words.append(Word(said, (start, end)))
    return by_spans(tuple(words), axis)
