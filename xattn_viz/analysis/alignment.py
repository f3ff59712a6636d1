"""Which words of a text and its translation say the same, read off the cross-attention of one or two models.

The heads that align, each read in its own row (`alignment_heads`), are brought into one matrix of words; with a model
of the opposite direction it is the mean of both. Words are linked where it is above a threshold: one word with several,
or with none. What the numbers here were chosen on, and how far they reach, is in docs/alignment.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.alignment_heads import known_heads, search
from xattn_viz.analysis.word_units import Side, Words, sides, sides_again, with_rows_of_one, word_weights
from xattn_viz.core.evidence import Alignment, AlignmentHead, AlignmentLink, LinkMethod, Word
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import quoted, summary
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError

#: Above which mean a link is made, with both directions and with one. On human gold every threshold from .34 to .50 is
#: as good to .004.
BOTH_DIRECTIONS, ONE_DIRECTION = 0.37, 0.5
# A decoder that has read a token knows it; one that predicts it guesses. With both directions the head that is read one
# row later counts so many times as much.
_READ_COUNTS = 2
# Signs that belong to the word before them where the other text has none of their own: "5 %", "vice - president".
_BOUND = frozenset("-\u2010\u2011%\u2030")
_NEIGHBOURS = tuple((ds, dt) for ds in (-1, 0, 1) for dt in (-1, 0, 1) if (ds, dt) != (0, 0))

Pairs = set[tuple[int, int]]


def align(
    trace: Trace,
    reverse: Trace | None = None,
    *,
    words: Words = "spaces",
    method: LinkMethod = "threshold",
    threshold: float | None = None,
    heads: Iterable[Sequence[int]] | None = None,
    reverse_heads: Iterable[Sequence[int]] | None = None,
    signs: Literal["apart", "free"] = "apart",
) -> Alignment:
    """Link the words of what a model read with the words of what it wrote.

    `reverse` is the trace of a model of the opposite direction on the same pair, forced to the other text, and makes
    the links far better: `back.trace(ahead.output, target=ahead.input)`. Two words that say the same stay two numbers.

    `words` are those between white space, with the numbers that `text.split()` gives them, so that links compare with
    tokenised gold as they are; "axis" are those of the map, where punctuation is a word of its own; or give two lists
    (`word_units.sides`). `threshold` is what the weight has to exceed, by default `BOTH_DIRECTIONS` or `ONE_DIRECTION`;
    for a `method` of largest weights it is 0. `heads` are (layer, head) or (layer, head, shift), from 0; without them
    those are taken that are known for the model (`alignment_heads.known_heads`), or else that this very pair shows.
    `signs="apart"` links words with words only and punctuation with punctuation, but a hyphen or per cent sign without
    a link has those of the word before it; "free" links whatever the weights say.

    Raises InputError where the map is not between two texts, the reverse trace is of others, a listed word is not in
    the text, or a head is not there.
    """
    if method not in get_args(LinkMethod):
        raise InputError(f"There is no method {quoted(method)}; there are {', '.join(get_args(LinkMethod))}.")
    if signs not in ("apart", "free"):
        raise InputError(f'signs are linked "apart" or "free": got {quoted(signs)}.')
    matrices = WordMatrices.of(trace, reverse, words, heads, reverse_heads)
    least = threshold if threshold is not None else matrices.default_threshold if method == "threshold" else 0.0
    pairs = matrices.link(method, least, apart=signs == "apart")
    weights = matrices.mean
    return Alignment(
        matrices.source,
        matrices.target,
        tuple(AlignmentLink(s, t, float(weights[t, s])) for s, t in sorted(pairs)),
        weights,
        matrices.heads,
        matrices.reverse_heads,
        matrices.chosen,
        method,
        least,
        matrices.agreement,
    )


@dataclass(frozen=True, eq=False)
class WordMatrices:
    """What a pair's links are made of: `ahead` and `back` `[target, source]`, the heads of each direction in one."""

    source: tuple[Word, ...]
    target: tuple[Word, ...]
    ahead: NDArray[np.float64]
    back: NDArray[np.float64] | None
    heads: tuple[AlignmentHead, ...]
    reverse_heads: tuple[AlignmentHead, ...]
    chosen: str

    __repr__ = summary

    @classmethod
    def of(
        cls,
        trace: Trace,
        reverse: Trace | None,
        words: Words,
        heads: Iterable[Sequence[int]] | None,
        reverse_heads: Iterable[Sequence[int]] | None,
    ) -> WordMatrices:
        """Those of a pair, as `align` takes it."""
        source, target = sides(trace, words)
        turned = None
        if reverse is not None:
            turned = sides_again(reverse, source.words, target.words, (str(trace.input), trace.output))
        own, other, chosen = _heads(trace, reverse, heads, reverse_heads)
        ahead = _combined(trace, source, target, own, both=reverse is not None)
        back = None
        if reverse is not None and turned is not None:
            back = _combined(reverse, turned[0], turned[1], other, both=True).T
        return cls(source.words, target.words, ahead, back, own, other, chosen)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean of both directions, `[target, source]`; the one where there is one."""
        return self.ahead if self.back is None else (self.ahead + self.back) / 2

    @property
    def agreement(self) -> float | None:
        """The cosine between the matrices of both directions; None where there is one."""
        if self.back is None:
            return None
        lengths = float(np.linalg.norm(self.ahead) * np.linalg.norm(self.back))
        return float((self.ahead * self.back).sum()) / lengths if lengths else 0.0

    @property
    def default_threshold(self) -> float:
        """Above which mean a link is made unless another is asked for."""
        return ONE_DIRECTION if self.back is None else BOTH_DIRECTIONS

    def link(self, method: LinkMethod, threshold: float, *, apart: bool = True) -> Pairs:
        """The links, as `align` makes them."""
        allowed = _alike(self.source, self.target) if apart else np.ones(self.ahead.shape, bool)
        mean = np.where(allowed, self.mean, 0)
        if method == "threshold":
            pairs = {(int(s), int(t)) for t, s in np.argwhere(mean > threshold)}
        elif method == "argmax":
            pairs = {(s, t) for t, s in _largest(mean, threshold)}
        else:
            back = self.ahead if self.back is None else self.back
            forward = {(s, t) for t, s in _largest(np.where(allowed, self.ahead, 0), threshold)}
            backward = set(_largest(np.where(allowed, back, 0).T, threshold))
            pairs = symmetrise(forward, backward, method)
        return pairs | _of_bound_signs(self.source, self.target, pairs) if apart else pairs


def symmetrise(forward: Pairs, backward: Pairs, method: LinkMethod) -> Pairs:
    """One set of links of two, each (source, target): of those from the target's words and those from the source's.

    As Koehn et al. 2005 (Edinburgh System Description for IWSLT): "grow-diag" adds to the intersection what of the
    union lies beside a link, also across a corner, and has a word without a link, until there is no more; "final" then
    adds what either direction has with a word without a link, "final-and" only where both words have none.
    """
    both, either = forward & backward, forward | backward
    if method == "intersection":
        return both
    if method == "union":
        return either
    if method not in ("grow-diag", "grow-diag-final", "grow-diag-final-and"):
        raise InputError(f"Two directions are not made one by {quoted(method)}.")
    found = _grown(both, either)
    sources, targets = {s for s, _ in found}, {t for _, t in found}
    for links in (forward, backward) if method != "grow-diag" else ():
        for s, t in sorted(links):
            free = s not in sources, t not in targets
            if any(free) if method == "grow-diag-final" else all(free):
                found.add((s, t))
                sources.add(s)
                targets.add(t)
    return found


def _grown(both: Pairs, either: Pairs) -> Pairs:
    """The links of `both`, and those of `either` beside a link, also a new one, of which a word has none."""
    found = set(both)
    sources, targets = {s for s, _ in found}, {t for _, t in found}
    before = -1
    while before < len(found):
        before = len(found)
        for s, t in sorted(either - found):
            is_free = s not in sources or t not in targets
            if is_free and any((s + ds, t + dt) in found for ds, dt in _NEIGHBOURS):
                found.add((s, t))
                sources.add(s)
                targets.add(t)
    return found


def _heads(
    trace: Trace,
    reverse: Trace | None,
    given: Iterable[Sequence[int]] | None,
    reverse_given: Iterable[Sequence[int]] | None,
) -> tuple[tuple[AlignmentHead, ...], tuple[AlignmentHead, ...], str]:
    """The heads of both directions, and how they were chosen."""
    if reverse is None and reverse_given is not None:
        raise InputError("reverse_heads are those of a reverse trace, and there is none.")
    sought = [(trace, given), (reverse, reverse_given)] if reverse is not None else [(trace, given)]
    found: list[tuple[tuple[AlignmentHead, ...], str] | None] = []
    for each, chosen in sought:
        assert each is not None  # noqa: S101 - only a trace that is there is sought
        found.append(known_heads(each) if chosen is None else (_checked(chosen, each.cross), "given"))
    if None in found:
        scores = search([trace], [reverse] if reverse is not None else None)
        fresh = [scores.heads, scores.reverse_heads]
        found = [one or (fresh[number], "found in this pair") for number, one in enumerate(found)]
    own, *rest = [one for one in found if one is not None]
    other = rest[0][0] if rest else ()
    ways = dict.fromkeys(way for _, way in (own, *rest))
    return own[0], other, ", ".join(ways)


def _checked(given: Iterable[Sequence[int]], maps: AttentionMaps) -> tuple[AlignmentHead, ...]:
    heads = []
    for each in given:
        numbers = tuple(each) if isinstance(each, tuple | list) else ()
        is_head = len(numbers) in (2, 3) and all(isinstance(number, int) for number in numbers)
        if not is_head or (len(numbers) == 3 and numbers[2] not in (0, 1)):
            raise InputError(
                "A head that aligns is (layer, head), or (layer, head, 1) to read it one row later: got "
                f"{quoted(each)}."
            )
        head = AlignmentHead(*numbers)
        if head.layer not in maps.layers or not 0 <= head.head < maps.n_heads:
            named = ", ".join(map(str, maps.layers))
            raise InputError(
                f"There is no head ({head.layer}, {head.head}): these maps hold layers {named} with heads 0 to "
                f"{maps.n_heads - 1}."
            )
        heads.append(head)
    if not heads:
        raise InputError("The list of heads is empty: give one or more, or leave it away.")
    return tuple(heads)


def _combined(
    trace: Trace, source: Side, target: Side, heads: Sequence[AlignmentHead], *, both: bool
) -> NDArray[np.float64]:
    """The weights of some heads in one matrix, `[target, source]`; of `both` directions with rows that sum to 1."""
    weights = word_weights(trace, source, target)
    own = np.stack([weights[trace.cross.layer_index(head.layer), head.head, head.shift] for head in heads])
    count = [_READ_COUNTS if both and head.shift else 1 for head in heads]
    mean: NDArray[np.float64] = np.average(own, axis=0, weights=count)
    return with_rows_of_one(mean) if both else mean


def _alike(source: Sequence[Word], target: Sequence[Word]) -> NDArray[np.bool_]:
    """Which words are both words or both signs, `[target, source]`."""
    a, b = np.array([word.is_sign for word in target]), np.array([word.is_sign for word in source])
    alike: NDArray[np.bool_] = a[:, None] == b
    return alike


def _largest(weights: NDArray[np.float64], threshold: float) -> list[tuple[int, int]]:
    """(row, column) of the largest weight of each row, the first of equals, where it is above the threshold."""
    best = weights.argmax(axis=1)
    return [(row, int(column)) for row, column in enumerate(best) if weights[row, column] > threshold]


def _of_bound_signs(source: Sequence[Word], target: Sequence[Word], pairs: Pairs) -> Pairs:
    """The links of hyphens and per cent signs without any: those of the word before."""
    linked = {s for s, _ in pairs}, {t for _, t in pairs}
    more: Pairs = set()
    for side, words in enumerate((source, target)):
        for number, word in enumerate(words):
            if number and word.text in _BOUND and number not in linked[side]:
                own = {link for link in pairs if link[side] == number - 1}
                more |= {(number, t) if side == 0 else (s, number) for s, t in own}
    return more
