"""Word alignments read off one head: a quick look, to be believed only for a head that is known to align."""

from __future__ import annotations

from xattn_viz.maps import AttentionMaps


def align(maps: AttentionMaps, layer: int = -1, head: int | None = 0) -> list[tuple[str, str]]:
    """The source word that each target word attends to most: (source word, target word), in order of the source text.

    Pieces are first joined to words (`AttentionMaps.to_words`) and special positions such as `</s>` left out.
    `head=None` takes the mean over the heads of the layer. Equal weights go to the earlier source word. Over sound, the
    source word is the one frame attended to most, by its seconds; `timing.timed_words` finds whole words in time. Over
    a picture it is the one patch, by its row and column.

    Its limits: every target word gets exactly one source word, even where the model added it; a source word can have
    several target words or none; and most heads do not align at all. Source: Garg et al. 2019 (Jointly Learning to
    Align and Translate), who read alignments from one head in this way.

    Raises ValueError for a layer or head that is not there, and where only special positions would remain.
    """
    if head is None:
        maps, layer, head = maps.mean(), maps.layers[maps.layer_index(layer)], 0
    words = maps.without_special().to_words()
    best = words.head(layer, head).argmax(axis=1)
    pairs = sorted((int(source), target) for target, source in enumerate(best))
    return [(words.keys.name(source), words.queries.name(target)) for source, target in pairs]
