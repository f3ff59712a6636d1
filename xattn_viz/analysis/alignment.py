"""Word alignments read off one head: a quick look, to be believed only for a head that is known to align."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps


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


def align(maps: AttentionMaps, layer: int = -1, head: int | None = 0) -> list[WordLink]:
    """The source word that each target word attends to most, in order of the source text.

    Pieces are first joined to words (`AttentionMaps.to_words`) and special positions such as `</s>` left out.
    `head=None` takes the mean over the heads of the layer. Equal weights go to the earlier source word. Over sound, the
    source word is the one frame attended to most, by its seconds; `timing.timed_words` finds whole words in time. Over
    a picture it is the one patch, by its row and column.

    Its limits: every target word gets exactly one source word, even where the model added it; a source word can have
    several target words or none; and most heads do not align at all. Source: Garg et al. 2019 (Jointly Learning to
    Align and Translate), who read alignments from one head in this way.

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
