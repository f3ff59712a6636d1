"""Encoder-decoders that write text, whatever they read: search, replay, and the trace of a run."""

from xattn_viz.core.maps import MapKind

#: The kinds of map that one made of transformers has.
KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: The most beams of a search: more would take memory and show little.
MOST_BEAMS = 16
