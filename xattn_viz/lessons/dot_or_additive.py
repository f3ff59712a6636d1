"""Dot-product beside additive attention: the same alignment learned, what each needs, what the scale does to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from xattn_viz.attention.additive import AdditiveAttention
from xattn_viz.attention.layer import Attention, scaled_dot_product_attention

#: The width of a word's vector; both kinds of attention project it to d_k.
D_MODEL = 16
STEPS, _BATCH, _RATE = 250, 32, 0.02
# A word and its translation. Their vectors are drawn apart: that they belong together has to be learned.
_PAIRS = (
    *(("the", "o"), ("black", "preto"), ("cat", "gato"), ("sleeps", "dorme"), ("here", "aqui"), ("now", "agora")),
    *(("small", "pequeno"), ("dog", "cão"), ("red", "vermelho"), ("house", "casa"), ("sees", "vê"), ("bird", "ave")),
)
_LENGTH = 6
#: How many queries and how many keys `spread` draws.
DRAWN = 128
# Each word of "o gato preto dorme aqui agora" by the place of its pair among the first six.
_SHOWN = (0, 2, 1, 3, 4, 5)
SOURCE = tuple(source for source, _ in _PAIRS[:_LENGTH])
TARGET = tuple(_PAIRS[i][1] for i in _SHOWN)
KINDS = ("dot product", "additive")
#: The values of d_k that are trained.
WIDTHS = (2, 4, 8, 16, 32, 64)

_Module = TypeVar("_Module", bound=nn.Module)


class DotProductAttention(nn.Module):
    """One head of dot-product attention over projected queries and keys."""

    def __init__(self, d_query: int, d_key: int, d_k: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(d_query, d_k, bias=False)
        self.k_proj = nn.Linear(d_key, d_k, bias=False)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, scale: float | None = None, return_scores: bool = False
    ) -> Attention:
        """As `layer.scaled_dot_product_attention`, with the queries and keys projected first."""
        q, k = self.q_proj(queries), self.k_proj(keys)
        return scaled_dot_product_attention(q, k, values, scale=scale, return_scores=return_scores)


@dataclass(frozen=True, eq=False)
class Learned:
    """What training came to: `weights` `[query, key]` over the shown pair of sentences.

    `on_path` is the share of the weight on the right word, the mean over the rows; `before` the same before training.
    """

    weights: NDArray[np.float64]
    on_path: float
    before: float


def made(kind: str, d_k: int, seed: int) -> DotProductAttention | AdditiveAttention:
    """An untrained module whose projections keep the variance of what they read, drawn from `seed`.

    The projections of both kinds are equal for equal `d_k` and `seed`.
    """
    if kind == KINDS[0]:
        return drawn(lambda: DotProductAttention(D_MODEL, D_MODEL, d_k), seed)
    return drawn(lambda: AdditiveAttention(D_MODEL, D_MODEL, d_k), seed)


@lru_cache(maxsize=64)
def learned(kind: str, d_k: int, seed: int = 0) -> Learned:
    """Train one kind, `STEPS` updates of Adam, to put each translated word's weight on its source word."""
    module = made(kind, d_k, seed)
    generator = torch.Generator().manual_seed(seed)
    sources, targets = torch.randn(2, len(_PAIRS), D_MODEL, generator=generator)
    shown = targets[list(_SHOWN)], sources[:_LENGTH]
    before = _on_path(_weights(module, *shown))
    optimiser = torch.optim.Adam(module.parameters(), _RATE)
    for _ in range(STEPS):
        words = torch.rand(_BATCH, len(_PAIRS), generator=generator).argsort(-1)[:, :_LENGTH]
        order = torch.rand(_BATCH, _LENGTH, generator=generator).argsort(-1)
        keys = sources[words]  # [sentence, key, d_model]
        queries = targets[words.gather(1, order)]  # the same words in another order
        weights = module(queries, keys, keys).weights
        loss = -weights.gather(-1, order.unsqueeze(-1)).clamp_min(1e-9).log().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    weights = _weights(module, *shown)
    return Learned(weights, _on_path(weights), before)


@lru_cache(maxsize=256)
def needs(kind: str, d_k: int, queries: int, keys: int) -> Count:
    """What one pass over sequences of these lengths needs, counted while it runs."""
    x, context = torch.zeros(queries, D_MODEL), torch.zeros(keys, D_MODEL)
    return count(made(kind, d_k, 0), x, context, context)


@dataclass(frozen=True)
class Spread:
    """The standard deviation of the scores at one `d_k`, without and with the factor 1/√d_k.

    `bound` is ‖v‖₁, `largest` the largest size of an additive score without that factor.
    """

    dot: float
    dot_scaled: float
    additive: float
    additive_scaled: float
    bound: float
    largest: float


@lru_cache(maxsize=64)
@torch.inference_mode()
def spread(d_k: int, seed: int = 0) -> Spread:
    """The scores of untrained modules with the same projections over `DRAWN` queries and keys of unit variance."""
    generator = torch.Generator().manual_seed(seed)
    x, context = torch.randn(2, DRAWN, D_MODEL, generator=generator)
    scaled = d_k**-0.5
    dots, sums = made(KINDS[0], d_k, seed), made(KINDS[1], d_k, seed)
    scores = [
        module(x, context, context, scale=scale, return_scores=True).scores
        for module in (dots, sums)
        for scale in (1.0, scaled)
    ]
    dot, dot_scaled, additive, additive_scaled = (float(score.std()) for score in scores)
    bound, largest = float(sums.get_parameter("score.weight").abs().sum()), float(scores[2].abs().max())
    return Spread(dot, dot_scaled, additive, additive_scaled, bound, largest)


def snippet(d_k: int, seed: int = 0) -> str:
    """A script that prints the standard deviations of `spread`, without the scale."""
    return f"""import torch
from xattn_viz.lessons import dot_or_additive as lesson

generator = torch.Generator().manual_seed({seed})
x, context = torch.randn(2, lesson.DRAWN, lesson.D_MODEL, generator=generator)
for kind in lesson.KINDS:
    module = lesson.made(kind, d_k={d_k}, seed={seed})
    for scale in (1.0, {d_k}**-0.5):
        scores = module(x, context, context, scale=scale, return_scores=True).scores
        print(kind, scale, scores.std().item())
    print(lesson.learned(kind, d_k={d_k}, seed={seed}).on_path)
"""


@torch.inference_mode()
def _weights(module: Any, queries: Tensor, keys: Tensor) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = module(queries, keys, keys).weights.double().numpy()
    return weights


def _on_path(weights: NDArray[np.float64]) -> float:
    return float(weights[range(_LENGTH), _SHOWN].mean())


@dataclass(frozen=True)
class Count:
    """What was counted.

    `multiplications` are those in matrix products, `largest` the numbers in the largest tensor that was made.
    """

    parameters: int
    multiplications: int
    tanhs: int
    largest: int


@torch.inference_mode()
def count(module: nn.Module, *inputs: Tensor) -> Count:
    """Run a module once and count."""
    # PyTorch counts a multiplication and an addition for each term of a matrix product.
    with FlopCounterMode(display=False) as operations, _Sizes() as sizes:
        module(*inputs)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Count(parameters, operations.get_total_flops() // 2, sizes.tanhs, sizes.largest)


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tanhs = self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not func.is_view:
            self.largest = max(self.largest, out.numel())
            self.tanhs += out.numel() if func is torch.ops.aten.tanh.default else 0
        return out


def drawn(build: Callable[[], _Module], seed: int, dtype: torch.dtype = torch.float32) -> _Module:
    """What `build` makes, each weight `[out, in]` drawn anew so that it keeps the variance of what it reads."""
    with torch.device("meta"):  # without numbers: those that follow are drawn here, not from the generator of all
        module = build()
    module.to_empty(device="cpu").to(dtype)
    generator = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        nn.init.normal_(weight, std=weight.shape[1] ** -0.5, generator=generator)
    return module
