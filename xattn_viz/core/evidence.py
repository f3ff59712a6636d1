"""What was measured of a trace besides numbers of its heads, and is kept with it: links of words, deletion curves."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from math import isfinite
from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.maps import KIND_NAMES, METHODS, MapKind
from xattn_viz.core.records import Displayed, read_only, same, summary
from xattn_viz.core.tokens import Span

_LETTERLIKE = "&%\u2030"  # punctuation by their Unicode category, and words as people read them
#: The ranking of the source by the mean of all heads of the cross-attention.
MEAN = "attention"


@dataclass(frozen=True)
class Word:
    """What a word says, and where it stands in its text, (start, end) in characters; None where no text is known."""

    text: str
    span: Span | None

    @property
    def is_sign(self) -> bool:
        """Whether it is punctuation and nothing else."""
        return all(unicodedata.category(c).startswith("P") and c not in _LETTERLIKE for c in self.text)


class AlignmentHead(NamedTuple):
    """A head that aligns, from 0. `shift` 1: its row of a token is the one in which the token is read, one later."""

    layer: int
    head: int
    shift: int = 0


#: How links are made of weights: where the mean of both directions is above the threshold; from the largest weight of
#: every word in each direction, by what both have ("intersection"), what either has ("union") or what lies between
#: (Koehn et al. 2003, Statistical Phrase-Based Translation, and its successors); or the largest weight of every target
#: word alone ("argmax"), which leaves none without a link (Garg et al. 2019).
LinkMethod = Literal[
    "threshold", "intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and", "argmax"
]


class AlignmentLink(NamedTuple):
    """A source word and a target word that say the same, by numbers from 0, and the weight between them, 0 … 1."""

    source_index: int
    target_index: int
    weight: float


@dataclass(frozen=True, eq=False)
class Alignment(Displayed):
    """The links between the words of two texts, in order of the source, and what they were read off.

    `weights` `[target, source]` is the matrix of words that links were made of, the mean of both directions where there
    were two. `heads` are those of the trace, `reverse_heads` those of the reverse one; `chosen` says how they were
    chosen: "given", "named by the checkpoint", "found before", "shipped", or "found in this pair", for which
    `alignment_heads.search` has the scores. `agreement` is the cosine between the matrices of the two directions, None
    with one.

    Raises ValueError, with the shapes, where weights or links are not between these words.
    """

    source_words: tuple[Word, ...]
    target_words: tuple[Word, ...]
    links: tuple[AlignmentLink, ...]
    weights: NDArray[np.float64]
    heads: tuple[AlignmentHead, ...]
    reverse_heads: tuple[AlignmentHead, ...]
    chosen: str
    method: LinkMethod
    threshold: float
    agreement: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", read_only(self.weights))
        shape = (len(self.target_words), len(self.source_words))
        if self.weights.shape != shape or not np.isfinite(self.weights).all():
            raise ValueError(f"Weights between words are numbers [target, source] {shape}: got {self.weights.shape}.")
        for link in self.links:
            if not (0 <= link.source_index < shape[1] and 0 <= link.target_index < shape[0] and isfinite(link.weight)):
                raise ValueError(f"{link} is no link between {shape[1]} source words and {shape[0]} target words.")

    @property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """The links without their weights: (source index, target index)."""
        return frozenset((source, target) for source, target, _ in self.links)

    @property
    def source_nulls(self) -> tuple[int, ...]:
        """The source words without a link."""
        linked = {link.source_index for link in self.links}
        return tuple(number for number in range(len(self.source_words)) if number not in linked)

    @property
    def target_nulls(self) -> tuple[int, ...]:
        """The target words without a link."""
        linked = {link.target_index for link in self.links}
        return tuple(number for number in range(len(self.target_words)) if number not in linked)

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __str__(self) -> str:
        return " ".join(f"{self.source_words[s].text}–{self.target_words[t].text}" for s, t, _ in self.links)


def ranking_name(name: str) -> str:
    """What a ranking of the source is called inside a sentence: a method, the mean of all heads, or a head."""
    if name == MEAN:
        return "mean attention"
    return in_a_sentence(KIND_NAMES[cast(MapKind, name)]) if name in METHODS else f"head {name}"


def in_a_sentence(name: str) -> str:
    """A name as it stands inside a sentence: "occlusion", but "ALTI"."""
    return name if name.isupper() else name[:1].lower() + name[1:]


@dataclass(frozen=True, eq=False)
class DeletionCurve:
    """How the output fares while the source is taken away in one order.

    `order` holds the groups of positions (words, or stretches of sound) by number, the most important first; after
    `fractions[i]` of them are gone, the mean log-probability of a token of the output is `log_probs[i]`, in nats.
    `area` is the mean of the curve from 0 to 1: the lower, the sooner it falls.
    """

    name: str
    order: tuple[int, ...]
    fractions: NDArray[np.float64]
    log_probs: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("fractions", "log_probs"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        if self.fractions.ndim != 1 or self.fractions.shape != self.log_probs.shape or len(self.fractions) < 2:
            raise ValueError(
                f"A deletion curve has as many fractions as log-probabilities, two at least: got "
                f"{self.fractions.shape} and {self.log_probs.shape}."
            )
        if not (np.isfinite(self.fractions).all() and np.isfinite(self.log_probs).all()):
            raise ValueError("A deletion curve holds what is no number.")

    @property
    def area(self) -> float:
        """The mean of the curve over the fraction that is gone, in nats a token (trapezoids)."""
        return float(np.trapezoid(self.log_probs, self.fractions))

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


@dataclass(frozen=True, eq=False)
class Deletion(Displayed):
    """Deletion curves of one trace: those of rankings, and those of random orders beside them.

    `groups` are the positions of the source that each number of an order stands for.
    """

    curves: tuple[DeletionCurve, ...]
    random: tuple[DeletionCurve, ...]
    groups: tuple[tuple[int, ...], ...]

    @property
    def random_interval(self) -> tuple[float, float, float]:
        """The mean area of the random orders, and the range from the smallest to the largest of them."""
        areas = [curve.area for curve in self.random]
        return float(np.mean(areas)), min(areas), max(areas)

    @property
    def followed(self) -> DeletionCurve | None:
        """The curve with the smallest area, where that is below all random ones; None where none is."""
        best = min(self.curves, key=lambda curve: curve.area)
        return best if best.area < self.random_interval[1] else None

    @property
    def sentence(self) -> str:
        """Which ranking the model follows, in one sentence with its number."""
        mean, least, _ = self.random_interval
        best = self.followed
        compared = f"random orders have {_nats(mean)}, the lowest of {len(self.random)} {_nats(least)}"
        if best is None:
            return f"No ranking finds what the model needs sooner than chance: {compared} nats a token."
        return f"The model follows {ranking_name(best.name)} most: area {_nats(best.area)} nats a token; {compared}."

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


class Insertion(Deletion):
    """Insertion curves of one trace, whose fractions are of what is back: good where they rise soon."""

    @property
    def followed(self) -> DeletionCurve | None:
        """The curve with the largest area, where that is above all random ones; None where none is."""
        best = max(self.curves, key=lambda curve: curve.area)
        return best if best.area > self.random_interval[2] else None

    @property
    def sentence(self) -> str:
        """Which ranking brings the output back soonest, in one sentence with its number."""
        mean, _, most = self.random_interval
        best = self.followed
        compared = f"random orders have {_nats(mean)}, the highest of {len(self.random)} {_nats(most)}"
        if best is None:
            return f"No ranking brings the output back sooner than chance: {compared} nats a token."
        name = ranking_name(best.name)
        return f"{name[:1].upper()}{name[1:]} brings it back soonest: area {_nats(best.area)} nats a token; {compared}."


def _nats(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")
