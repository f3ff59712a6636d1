"""What masks are for: padding that must not be read, and later tokens that a decoder must not see.

Both run on layers of the offline translation model. Its decoder is recurrent and has no self-attention of its own, so
the causal mask is put on the first self-attention layer of its encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention import masks
from xattn_viz.attention.layer import Attention
from xattn_viz.lessons.translation import Crossing, crossing, reading

REPLACEMENT = "boat"


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
    as `crossing` does.
    """
    given = crossing(text, layer, padding)
    attention = _attend(given, len(given.keys) - padding if masked else None)
    alone = _attend(crossing(text, layer), None)
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
    """The tokens of a text that can be replaced. Raises as `reading` does."""
    return reading(text).tokens


@lru_cache(maxsize=128)
def changed(text: str, position: int, causal: bool) -> Changed:
    """Replace the token at `position` (from 0) by `REPLACEMENT`, with a causal mask or without. Raises as `reading`."""
    before, after = reading(text), reading(text, position, REPLACEMENT)
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
from xattn_viz.lessons.translation import crossing

text, padding, layer, head = {text!r}, {padding}, {layer}, {head}
with_padding, alone = crossing(text, layer, padding), crossing(text, layer)
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
from xattn_viz.lessons.translation import reading

before, after = reading({text!r}), reading({text!r}, {position}, {REPLACEMENT!r})
mask = {mask}
with torch.no_grad():
    old = before.layer(before.x, before.x, mask=mask).output
    new = after.layer(after.x, after.x, mask=mask).output
print(((new - old).norm(dim=-1) / old.norm(dim=-1))[0].tolist())
"""


def _attend(given: Crossing, length: int | None) -> Attention:
    """Attend, with everything behind the first `length` keys masked as padding."""
    is_padding = None if length is None else (torch.arange(len(given.keys)) >= length).unsqueeze(0)
    with torch.no_grad():
        k, v = given.layer.project_context(given.context)
        return given.layer.attend(given.q, k, v, key_padding_mask=is_padding)


def _distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())
