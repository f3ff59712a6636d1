"""The shape of every tensor of one pass through the layer, read off the tensors themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from xattn_viz.attention.layer import CrossAttention, scaled_dot_product_attention

#: The shape of a tensor as {axis: size}, its axes in order.
Shape = dict[str, int]


@dataclass(frozen=True)
class Setting:
    """How many heads, how long the two sequences, how wide each: `d_model` the queries, `d_context` the context."""

    n_heads: int = 4
    queries: int = 4
    keys: int = 7
    d_model: int = 48
    d_context: int = 32


@dataclass(frozen=True)
class Pass:
    """One pass: its tensors by name in the order of the computation, in `rows` of those that belong together.

    `parameters` counts those of the layer, by the number of heads into which its width can be split (at most 8).
    """

    rows: tuple[dict[str, Shape], ...]
    parameters: dict[int, int]

    @property
    def tensors(self) -> dict[str, Shape]:
        """All of them, in order."""
        return {name: shape for row in self.rows for name, shape in row.items()}


def heads_of(d_model: int) -> list[int]:
    """The numbers of heads up to 8 that divide a width."""
    return [n for n in range(1, 9) if d_model % n == 0]


@lru_cache(maxsize=256)
@torch.inference_mode()
def forward(setting: Setting) -> Pass:
    """Run the layer once. Raises ValueError, in the layer's words, where the heads do not divide `d_model`."""
    layer = CrossAttention(setting.d_model, setting.n_heads, d_context=setting.d_context)
    joined: list[Tensor] = []
    layer.out_proj.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
    x = torch.randn(1, setting.queries, setting.d_model)
    context = torch.randn(1, setting.keys, setting.d_context)
    q, (k, v) = layer.project_queries(x), layer.project_context(context)
    heads = scaled_dot_product_attention(q, k, v)
    whole = layer(x, context, return_scores=True)
    rows = (
        {"x": _shape(x, "query", "d_model"), "context": _shape(context, "key", "d_context")},
        {
            "q": _shape(q, "head", "query", "d_k"),
            "k": _shape(k, "head", "key", "d_k"),
            "v": _shape(v, "head", "key", "d_k"),
        },
        {
            "scores": _shape(whole.scores, "head", "query", "key"),
            "weights": _shape(whole.weights, "head", "query", "key"),
        },
        {
            "weights · v": _shape(heads.output, "head", "query", "d_k"),
            "joined": _shape(joined[0], "query", "d_model"),
            "output": _shape(whole.output, "query", "d_model"),
        },
    )
    return Pass(rows, {n: _parameters(setting, n) for n in heads_of(setting.d_model)})


def snippet(setting: Setting) -> str:
    """A script that prints the shape of the output and of the weights."""
    return f"""import torch
import xattn_viz as xv

layer = xv.CrossAttention(d_model={setting.d_model}, n_heads={setting.n_heads}, d_context={setting.d_context})
x = torch.randn(1, {setting.queries}, {setting.d_model})  # [batch, query, d_model]
context = torch.randn(1, {setting.keys}, {setting.d_context})  # [batch, key, d_context]
result = layer(x, context, return_scores=True)
print("scores ", tuple(result.scores.shape))  # [batch, head, query, key]
print("weights", tuple(result.weights.shape))
print("output ", tuple(result.output.shape))  # [batch, query, d_model]
print(sum(parameter.numel() for parameter in layer.parameters()), "parameters")
"""


def _shape(tensor: Tensor, *axes: str) -> Shape:
    """The shape of a tensor `[batch, …]` without its batch of one."""
    return dict(zip(axes, tensor.shape[1:], strict=True))


def _parameters(setting: Setting, n_heads: int) -> int:
    layer = CrossAttention(setting.d_model, n_heads, d_context=setting.d_context)
    return sum(parameter.numel() for parameter in layer.parameters())
