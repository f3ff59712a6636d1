"""Why scores are divided by √d_k: without it the softmax saturates as d_k grows, and its gradient dies.

The argument is that of Vaswani et al. 2017 (Attention Is All You Need, §3.2.1): q · k of components with mean 0 and
variance 1 has variance d_k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

from xattn_viz.attention.layer import scaled_dot_product_attention

#: The widths of a head that are tried.
WIDTHS = tuple(2**i for i in range(1, 10))
ROWS, KEYS, D_V, SEED = 400, 16, 8, 0


@dataclass(frozen=True)
class Saturation:
    """What becomes of the rows of a softmax at one d_k: means over the rows, and of the gradient also the median.

    `largest` is the largest weight of a row, `entropy` that of the row in bits, `gradient` the norm of the gradient of
    a fixed sum of the output's components with respect to the row's scores.
    """

    largest: float
    entropy: float
    gradient: float
    median_gradient: float


@lru_cache(maxsize=64)
def saturation(d_k: int, scaled: bool, temperature: float = 1.0) -> Saturation:
    """Attend with random queries and keys of d_k components, with 1/√d_k or without, and look at the weights.

    Every row has `KEYS` keys of its own. All components are drawn once, from a normal distribution of variance 1; a
    smaller d_k takes the first of them. Scores are divided by `temperature` besides.
    """
    q, k, v, direction = _drawn()
    scale = _scale(d_k, scaled, temperature)
    attention = scaled_dot_product_attention(
        q[..., :d_k].clone().requires_grad_(), k[..., :d_k], v, scale=scale, return_scores=True
    )
    scores = cast(Tensor, attention.scores)
    (gradient,) = torch.autograd.grad((attention.output @ direction).sum(), scores)
    weights, norms = attention.weights.detach(), gradient.norm(dim=-1)
    entropy = torch.special.entr(weights).sum(-1).mean() / math.log(2)
    return Saturation(float(weights.amax(-1).mean()), float(entropy), float(norms.mean()), float(norms.median()))


def row(d_k: int, scaled: bool, temperature: float = 1.0, number: int = 0) -> list[float]:
    """The weights of one of the rows, `[key]`."""
    q, k, v, _ = _drawn()
    scale = _scale(d_k, scaled, temperature)
    attention = scaled_dot_product_attention(q[number, :, :d_k], k[number, :, :d_k], v[number], scale=scale)
    weights: list[float] = attention.weights[0].tolist()
    return weights


def snippet(d_k: int, temperature: float = 1.0) -> str:
    """A script that prints the mean largest weight without and with 1/√d_k, and with it at a temperature."""
    return f"""\
import torch
from xattn_viz.attention.layer import scaled_dot_product_attention

d_k, temperature = {d_k}, {temperature}
generator = torch.Generator().manual_seed({SEED})
q = torch.randn({ROWS}, 1, {WIDTHS[-1]}, generator=generator, dtype=torch.float64)[..., :d_k]
k = torch.randn({ROWS}, {KEYS}, {WIDTHS[-1]}, generator=generator, dtype=torch.float64)[..., :d_k]
v = torch.randn({ROWS}, {KEYS}, {D_V}, generator=generator, dtype=torch.float64)
for scale in (1.0, d_k**-0.5, d_k**-0.5 / temperature):
    weights = scaled_dot_product_attention(q, k, v, scale=scale).weights
    print(scale, weights.amax(-1).mean().item())
"""


def _scale(d_k: int, scaled: bool, temperature: float) -> float:
    return (d_k**-0.5 if scaled else 1.0) / temperature


@lru_cache(maxsize=1)
def _drawn() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(SEED)
    shapes = ((ROWS, 1, WIDTHS[-1]), (ROWS, KEYS, WIDTHS[-1]), (ROWS, KEYS, D_V), (D_V,))
    q, k, v, direction = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return q, k, v, direction
