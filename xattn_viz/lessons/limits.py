"""Attention to some of the keys only, a window or the top k of each row: what is lost, and what it would cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from xattn_viz.attention import masks
from xattn_viz.attention.layer import scaled_dot_product_attention
from xattn_viz.lessons.translation import crossing

Kind = Literal["window", "top k"]


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
def limited(text: str, kind: Kind, amount: int, layer: int = -1, head: int = 0) -> Limited:
    """Limit one head of the offline model's cross-attention to a window of reach `amount`, or to the top `amount`.

    Which keys are the top ones is known only once all scores are. Raises as `translation.crossing` does, and
    ValueError for an amount that keeps nothing.
    """
    given = crossing(text, layer)
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
        moved=float((less.output - full.output).norm() / full.output.norm()),
        pairs=pairs,
        scored=scored,
        kept=kept,
        multiplications=scored * d_k + kept * d_v,
        full_multiplications=pairs * (d_k + d_v),
    )


def snippet(text: str, kind: Kind, amount: int, layer: int, head: int) -> str:
    """A script that prints the share of weight that is cut off, and how far the head's output moves."""
    mask = f"masks.window(len(q), len(k), {amount})" if kind == "window" else f"masks.top_k(full.weights, {amount})"
    return f"""\
import torch
from xattn_viz.attention import masks
from xattn_viz.attention.layer import scaled_dot_product_attention
from xattn_viz.lessons.translation import crossing

given, head = crossing({text!r}, {layer}), {head}
with torch.no_grad():
    k, v = (each[0, head] for each in given.layer.project_context(given.context))
q = given.q[0, head]
full = scaled_dot_product_attention(q, k, v)
mask = {mask}
limited = scaled_dot_product_attention(q, k, v, mask)
print(full.weights[~mask].sum().item() / len(q))
print(((limited.output - full.output).norm() / full.output.norm()).item())
"""
