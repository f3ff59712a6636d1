"""What masks are for: padding that must not be read, later tokens that a decoder must not see, keys that are left out.

All run on layers of the offline translation model, over one sentence. Its decoder is recurrent and has no
self-attention of its own, so the causal mask is put on the first self-attention layer of its encoder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention import masks
from xattn_viz.attention.layer import Attention, CrossAttention, scaled_dot_product_attention
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.inputs import InputError
from xattn_viz.inputs.text import check_text
from xattn_viz.models import registry
from xattn_viz.models.families.firefox.adapter import END, FirefoxAdapter
from xattn_viz.models.families.firefox.network import DecoderLayer, EncoderLayer, positions

MODEL = "firefox-en-pt"
#: A longer sentence would not fit one figure that a room can read.
MOST_TOKENS = 28
#: What a token is replaced by.
REPLACEMENT = "boat"

LimitKind = Literal["window", "top k"]


@dataclass(frozen=True, eq=False)
class DecoderCross:
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
def decoder_cross(text: str, layer: int = -1, padding: int = 0) -> DecoderCross:
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
        context = model.network.model.encode(ids, is_padding.unsqueeze(0) if padding else None)
    return DecoderCross(
        cast(DecoderLayer, model.network.model.decoder[layer]).context,
        torch.tensor(maps.projections.queries[layer]).unsqueeze(0),
        context,
        maps.queries.labels,
        (*maps.keys.labels, *["pad"] * padding),
    )


@dataclass(frozen=True, eq=False)
class EncoderSelf:
    """An encoder layer's self-attention over tokens: the module, and what it reads `[batch, position, d_model]`."""

    layer: CrossAttention
    x: Tensor
    tokens: tuple[str, ...]


def encoder_self(text: str, changed: int | None = None, into: str = REPLACEMENT) -> EncoderSelf:
    """The first encoder layer before it reads `text` (without `</s>`): embeddings and positions.

    The token at position `changed` is replaced by the first one of `into`. Raises as `decoder_cross` does, and
    InputError where there is no such position.
    """
    model = _model()
    tokens = model.source.encode(text)
    ids, labels = _read(model, text)[:-1], list(tokens.axis().labels or ())[:-1]
    if changed is not None:
        if not 0 <= changed < len(ids):
            raise InputError(f"There is no token {changed + 1}: the text has {len(ids)}.")
        ids[changed], labels[changed] = model.source.encode(into).ids[0], into
    with torch.no_grad():
        vectors = model.network.model.embed_source[torch.tensor([ids])]  # [1, position, d_model]
        width = vectors.shape[-1]
        x = vectors * math.sqrt(width) + positions(0, len(ids), width)
    return EncoderSelf(cast(EncoderLayer, model.network.model.encoder[0]).attention, x, tuple(labels))


@lru_cache(maxsize=8)
def _traced(text: str) -> AttentionMaps:
    return _model().trace(text, keep_projections=True).cross


def _model() -> FirefoxAdapter:
    return cast(FirefoxAdapter, registry.load(MODEL))


def _read(model: FirefoxAdapter, text: str) -> list[int]:
    tokens, _ = model.read(check_text(text), model.check())
    ids = list(tokens.ids)
    if len(ids) > MOST_TOKENS:
        raise InputError(f"The text has {len(ids)} tokens; up to {MOST_TOKENS} can be shown here. Shorten it.")
    return ids


@dataclass(frozen=True, eq=False)
class Padded:
    """Cross-attention over a sentence with padding behind it.

    `weights` `[head, query, key]`; `leaked` `[head]` is the share of the weight that rests on padding, the mean over
    the queries; `moved` how far the layer's output lies from the one without padding, over the norm of that one.
    """

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    weights: NDArray[np.float32]
    leaked: NDArray[np.float32]
    moved: float


@lru_cache(maxsize=128)
def padded(text: str, padding: int, masked: bool, layer: int = 0) -> Padded:
    """Let a decoder layer read `text` with so many padding positions behind it, masked or not.

    Everything before the layer is as without padding; what stands at padding is the encoder's output there. Raises
    as `decoder_cross` does.
    """
    given = decoder_cross(text, layer, padding)
    attention = _attend(given, len(given.keys) - padding if masked else None)
    alone = _attend(decoder_cross(text, layer), None)
    weights: NDArray[np.float32] = attention.weights[0].numpy()
    leaked = weights[..., weights.shape[-1] - padding :].sum(-1).mean(-1)
    return Padded(given.queries, given.keys, weights, leaked, _distance(attention.output, alone.output))


@dataclass(frozen=True, eq=False)
class Changed:
    """Self-attention before and after one token is replaced.

    `weights` `[head, query, key]` are those before; `moved` `[query]` says how far each output moved, over its norm.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    weights: NDArray[np.float32]
    moved: NDArray[np.float32]


def tokens(text: str) -> tuple[str, ...]:
    """The tokens of a text that can be replaced. Raises as `encoder_self` does."""
    return encoder_self(text).tokens


@lru_cache(maxsize=128)
def changed(text: str, position: int, causal: bool) -> Changed:
    """Replace the token at `position` (from 0), with a causal mask or without. Raises as `encoder_self` does."""
    before, after = encoder_self(text), encoder_self(text, position)
    mask = masks.causal(len(before.tokens)) if causal else None
    with torch.no_grad():
        old, new = (given.layer(given.x, given.x, mask=mask) for given in (before, after))
    moved = (new.output - old.output).norm(dim=-1) / old.output.norm(dim=-1)
    return Changed(before.tokens, after.tokens, old.weights[0].numpy(), moved[0].numpy())


def padding_snippet(text: str, padding: int, masked: bool, layer: int, head: int) -> str:
    """A script that prints a head's share of weight on padding, and how far the layer's output moves."""
    mask = "is_padding" if masked else "None"
    return f"""\
import torch
from xattn_viz.lessons.masking import decoder_cross

text, padding, layer, head = {text!r}, {padding}, {layer}, {head}
with_padding, alone = decoder_cross(text, layer, padding), decoder_cross(text, layer)
is_padding = (torch.arange(len(with_padding.keys)) >= len(alone.keys)).unsqueeze(0)
with torch.no_grad():
    k, v = with_padding.layer.project_context(with_padding.context)
    read = with_padding.layer.attend(with_padding.q, k, v, key_padding_mask={mask})
    k, v = alone.layer.project_context(alone.context)
    expected = alone.layer.attend(alone.q, k, v).output
print(read.weights[0, head, :, len(alone.keys) :].sum(-1).mean().item())
print(((read.output - expected).norm() / expected.norm()).item())
"""


def causal_snippet(text: str, position: int, causal: bool) -> str:
    """A script that prints how far each output moves when one token is replaced."""
    mask = "masks.causal(len(before.tokens))" if causal else "None"
    return f"""\
import torch
from xattn_viz.attention import masks
from xattn_viz.lessons.masking import encoder_self

before, after = encoder_self({text!r}), encoder_self({text!r}, {position})
mask = {mask}
with torch.no_grad():
    old = before.layer(before.x, before.x, mask=mask).output
    new = after.layer(after.x, after.x, mask=mask).output
print(((new - old).norm(dim=-1) / old.norm(dim=-1))[0].tolist())
"""


def _attend(given: DecoderCross, length: int | None) -> Attention:
    """Attend, with everything behind the first `length` keys masked as padding."""
    is_padding = None if length is None else (torch.arange(len(given.keys)) >= length).unsqueeze(0)
    with torch.no_grad():
        k, v = given.layer.project_context(given.context)
        return given.layer.attend(given.q, k, v, key_padding_mask=is_padding)


def _distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@dataclass(frozen=True, eq=False)
class Limited:
    """One head with all keys and with some, `full` and `limited` `[query, key]`.

    `lost` is the share of the full weights that the limit cuts off; the softmax over what is left spreads it anew.
    `moved` is how far the head's output moves, over its norm. `pairs` counts queries times keys, `scored` the pairs
    whose score has to be known, `kept` those that get weight.

    `multiplications` counts those of one head in q · k of the pairs scored and in weight · v of the pairs kept,
    `full_multiplications` without a limit. They count what a kernel has to do that leaves the rest out; a mask saves
    nothing.
    """

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    full: NDArray[np.float32]
    limited: NDArray[np.float32]
    lost: float
    moved: float
    pairs: int
    scored: int
    kept: int
    multiplications: int
    full_multiplications: int


@lru_cache(maxsize=512)
def limited(text: str, kind: LimitKind, amount: int, layer: int = -1, head: int = 0) -> Limited:
    """Limit one head of the offline model's cross-attention to a window of reach `amount`, or to the top `amount`.

    Which keys are the top ones is known only once all scores are. Raises as `decoder_cross` does, and
    ValueError for an amount that keeps nothing.
    """
    given = decoder_cross(text, layer)
    with torch.no_grad():
        q, (k, v) = given.q[0, head], (each[0, head] for each in given.layer.project_context(given.context))
        full = scaled_dot_product_attention(q, k, v)
        is_window = kind == "window"
        mask = masks.window(len(q), len(k), amount) if is_window else masks.top_k(full.weights, amount)
        less = scaled_dot_product_attention(q, k, v, mask)
    pairs, kept, d_k, d_v = mask.numel(), int(mask.sum()), q.shape[-1], v.shape[-1]
    scored = kept if is_window else pairs
    return Limited(
        given.queries,
        given.keys,
        full.weights.numpy(),
        less.weights.numpy(),
        lost=float(full.weights[~mask].sum()) / len(q),
        moved=_distance(less.output, full.output),
        pairs=pairs,
        scored=scored,
        kept=kept,
        multiplications=scored * d_k + kept * d_v,
        full_multiplications=pairs * (d_k + d_v),
    )


def limit_snippet(text: str, kind: LimitKind, amount: int, layer: int, head: int) -> str:
    """A script that prints the share of weight that is cut off, and how far the head's output moves."""
    mask = f"masks.window(len(q), len(k), {amount})" if kind == "window" else f"masks.top_k(full.weights, {amount})"
    return f"""\
import torch
from xattn_viz.attention import masks
from xattn_viz.attention.layer import scaled_dot_product_attention
from xattn_viz.lessons.masking import decoder_cross

given, head = decoder_cross({text!r}, {layer}), {head}
with torch.no_grad():
    k, v = (each[0, head] for each in given.layer.project_context(given.context))
q = given.q[0, head]
full = scaled_dot_product_attention(q, k, v)
mask = {mask}
limited = scaled_dot_product_attention(q, k, v, mask)
print(full.weights[~mask].sum().item() / len(q))
print(((limited.output - full.output).norm() / full.output.norm()).item())
"""
