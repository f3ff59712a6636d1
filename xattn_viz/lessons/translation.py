"""One real layer to try things on: attention of the offline translation model, over one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

from xattn_viz.attention.layer import CrossAttention
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.models import registry
from xattn_viz.models.base import InputError
from xattn_viz.models.families.firefox.adapter import FirefoxAdapter
from xattn_viz.models.families.firefox.layers import DecoderLayer, EncoderLayer
from xattn_viz.models.families.firefox.network import positions
from xattn_viz.models.families.firefox.text import read_source
from xattn_viz.models.families.firefox.vocabulary import END

MODEL = "firefox-en-pt"
#: A longer sentence would not fit one figure that a room can read.
MOST_TOKENS = 28


@dataclass(frozen=True, eq=False)
class Crossing:
    """A decoder layer's cross-attention over one sentence: the module, what reads and what is read.

    `q` `[batch, head, query, d_k]` are the layer's own queries, `context` `[batch, key, d_model]` the encoder's output,
    both of a batch of one; `queries` and `keys` are the tokens they belong to.
    """

    layer: CrossAttention
    q: Tensor
    context: Tensor
    queries: tuple[str, ...]
    keys: tuple[str, ...]


@lru_cache(maxsize=32)
def crossing(text: str, layer: int = -1, padding: int = 0) -> Crossing:
    """The cross-attention of decoder layer `layer` (from 0) while the model translates `text`.

    The source is followed by `padding` positions, as that of a short sentence in a batch is. The encoder masks them, so
    the sentence's own vectors stay what they are; the queries are those of the sentence without padding. Raises
    InputError for text that cannot be traced or has more than `MOST_TOKENS` tokens, ModelError without the model.
    """
    model = _model()
    source = _read(model, text)
    maps = _traced(text)
    if maps.projections is None or maps.queries.labels is None or maps.keys.labels is None:
        raise TypeError(f"The trace of {MODEL} has no projections or no labels.")
    ids = torch.tensor([[*source, *[END] * padding]])  # these models pad with </s>
    is_padding = torch.arange(ids.shape[1]) >= len(source)
    with torch.no_grad():
        context = model.network.encode(ids, is_padding.unsqueeze(0) if padding else None)
    return Crossing(
        cast(DecoderLayer, model.network.decoder[layer]).context,
        torch.tensor(maps.projections.queries[layer]).unsqueeze(0),
        context,
        maps.queries.labels,
        (*maps.keys.labels, *["pad"] * padding),
    )


@dataclass(frozen=True, eq=False)
class Reading:
    """An encoder layer's self-attention over tokens: the module, and what it reads `[batch, position, d_model]`."""

    layer: CrossAttention
    x: Tensor
    tokens: tuple[str, ...]


def reading(text: str, changed: int | None = None, into: str = "boat") -> Reading:
    """The first encoder layer before it reads `text` (without `</s>`): embeddings and positions.

    The token at position `changed` is replaced by the first one of `into`. Raises as `crossing` does, and InputError
    where there is no such position.
    """
    model = _model()
    tokens = model.source.encode(text)
    ids, labels = _read(model, text)[:-1], list(tokens.axis().labels or ())
    if changed is not None:
        if not 0 <= changed < len(ids):
            raise InputError(f"There is no token {changed + 1}: the text has {len(ids)}.")
        ids[changed], labels[changed] = model.source.encode(into).ids[0], into
    with torch.no_grad():
        vectors = model.network.embed_source[torch.tensor([ids])]  # [1, position, d_model]
        width = vectors.shape[-1]
        x = vectors * math.sqrt(width) + positions(0, len(ids), width)
    return Reading(cast(EncoderLayer, model.network.encoder[0]).attention, x, tuple(labels))


@lru_cache(maxsize=8)
def _traced(text: str) -> AttentionMaps:
    return _model().trace(text, keep_projections=True).cross


def _model() -> FirefoxAdapter:
    return cast(FirefoxAdapter, registry.load(MODEL))


def _read(model: FirefoxAdapter, text: str) -> list[int]:
    ids = list(read_source(model.source, text).tokens.ids)
    if len(ids) > MOST_TOKENS:
        raise InputError(f"The text has {len(ids)} tokens; up to {MOST_TOKENS} can be shown here. Shorten it.")
    return ids
