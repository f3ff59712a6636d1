"""What a head does, in numbers: how spread its weights are, where they are largest, which keys get how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps


@dataclass(frozen=True)
class Link:
    """One weight of one head: the positions of its row and column, their labels, and the weight itself."""

    query: int
    key: int
    query_label: str
    key_label: str
    weight: float


def entropy(maps: AttentionMaps) -> NDArray[np.float64]:
    """The entropy of every row in bits, `[layer, head, query]`: 0 where one key has it all, `max_entropy` where even.

    Rows are first divided by their sum, so in cropped maps this is the entropy among the keys that are left. A row of
    zeros (fully masked) has none: NaN.
    """
    weights = maps.weights.astype(np.float64)
    sums = weights.sum(axis=-1, keepdims=True)
    p = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)  # 0 · log 0 counts as 0
    # The sum of -p·log p is never below 0, but rounding can leave -0.0 or -1e-17.
    bits: NDArray[np.float64] = np.maximum(-(p * logs).sum(axis=-1), 0.0)
    bits[sums[..., 0] == 0] = np.nan
    return bits


def max_entropy(maps: AttentionMaps) -> float:
    """The entropy of a row that attends evenly to every key, in bits: log2 of the number of keys."""
    return float(np.log2(len(maps.keys))) if len(maps.keys) else 0.0


def strongest_links(maps: AttentionMaps, layer: int = -1, head: int | None = 0, n: int = 5) -> list[Link]:
    """The `n` largest weights of one head (`head=None`: of the mean over the layer's heads), largest first.

    Equal weights come in order of row, then column. Weights of 0 are no links. Over sound only peaks in time are links,
    so that one moment is one link: frames with more weight than the one before and no less than the one behind; padding
    is none. Raises ValueError for a layer or head that is not there, or a negative `n`.
    """
    if n < 0:
        raise ValueError(f"The number of links must be 0 or more: got {n}.")
    if head is None:
        maps, layer, head = maps.mean(), maps.layers[maps.layer_index(layer)], 0
    weights = maps.head(layer, head)
    if maps.keys.kind == "audio":
        weights = np.where(_peaks(weights) & ~maps.keys.is_padding, weights, 0)
    order = np.argsort(-weights.ravel(), kind="stable")[:n]
    rows, columns = np.unravel_index(order, weights.shape)
    return [
        Link(q, k, maps.queries.name(q), maps.keys.name(k), float(weights[q, k]))
        for q, k in zip(rows.tolist(), columns.tolist(), strict=True)
        if weights[q, k] > 0
    ]


@dataclass(frozen=True)
class WordLink:
    """A target word and the source word that it attends to most: which they are, and what they say.

    Two words can say the same, so each has its number, as the axis of the whole map counts words, from 0: the tokens of
    the source word are `maps.keys.word_groups()[source_index]`. On an axis without words it is the position.
    """

    source_index: int
    target_index: int
    source: str
    target: str


def most_attended(maps: AttentionMaps, layer: int = -1, head: int | None = 0) -> list[WordLink]:
    """The source word that each target word attends to most in one head, in order of the source.

    Pieces are first joined to words (`AttentionMaps.to_words`) and special positions such as `</s>` left out.
    `head=None` takes the mean over the heads of the layer. Equal weights go to the earlier source word. Over sound, the
    source word is the one frame attended to most, by its seconds; `timing.timed_words` finds whole words in time. Over
    a picture it is the one patch, by its row and column.

    This is where a head looks, and no word alignment: every target word gets exactly one source word, even where the
    model added it, and most heads do not align at all. `alignment.align` aligns two texts.

    Raises ValueError for a layer or head that is not there, and where only special positions would remain.
    """
    targets, sources = _numbers(maps.queries), _numbers(maps.keys)
    if head is None:
        maps, layer, head = maps.mean(), maps.layers[maps.layer_index(layer)], 0
    words = maps.without_special().to_words()
    best = words.head(layer, head).argmax(axis=1)
    pairs = sorted((int(source), target) for target, source in enumerate(best))
    return [
        WordLink(sources[source], targets[target], words.keys.name(source), words.queries.name(target))
        for source, target in pairs
    ]


def _numbers(axis: Axis) -> list[int]:
    """Which words of an axis are not special, or which positions, where it has no words."""
    own = np.flatnonzero(~axis.is_special).tolist()
    words = axis.words
    return own if words is None else list(dict.fromkeys(words[position] for position in own))


def _peaks(weights: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which weights `[query, key]` are peaks of their row; the first of equal neighbours is."""
    edge = np.full((len(weights), 1), -1.0, weights.dtype)
    before, behind = np.hstack([edge, weights[:, :-1]]), np.hstack([weights[:, 1:], edge])
    peaks: NDArray[np.bool_] = (weights > before) & (weights >= behind)
    return peaks


def weight_on_special(maps: AttentionMaps) -> NDArray[np.float64]:
    """How much of each row rests on special keys such as `</s>`, `[layer, head, query]`, 0 … 1.

    Such weight often says that a head found nothing to attend to rather than that `</s>` matters (Clark et al. 2019,
    What Does BERT Look At?, §3.2).
    """
    on_special: NDArray[np.float64] = maps.weights[..., maps.keys.is_special].sum(axis=-1, dtype=np.float64)
    return on_special


def part_names(maps: AttentionMaps) -> tuple[str, ...]:
    """The names of the sequences that the keys are put together from. Raises ValueError where they are one."""
    if not maps.keys.parts:
        raise ValueError(f"The keys of these maps are one {maps.keys.kind} sequence: no parts of it are named.")
    return tuple(name for name, _, _ in maps.keys.parts)


def weight_by_part(maps: AttentionMaps) -> NDArray[np.float64]:
    """The share of each row's weight in each part of the keys, `[layer, head, query, part]`, as `part_names` says.

    The shares of a row sum to 1 where the row does and the parts hold every key. Raises ValueError without parts.
    """
    part_names(maps)
    parts = [maps.weights[..., start:end].sum(-1, dtype=np.float64) for _, start, end in maps.keys.parts or ()]
    return np.stack(parts, -1)


def has_one_part_per_layer(maps: AttentionMaps) -> bool:
    """Whether each layer looks at one part only: each has a softmax of its own, and shares between them say nothing."""
    shares = weight_by_part(maps)  # [layer, head, query, part]
    return bool(((shares > 0).any((1, 2)).sum(-1) <= 1).all())
