"""Each step of a setting, computed by the layer itself in double precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.layer import CrossAttention, scaled_dot_product_attention
from xattn_viz.core.records import read_only, same, summary
from xattn_viz.lessons.steps.setting import Setting

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Steps:
    """The matrices of one layer by name, float64 and read-only.

    `q` `[head, query, d_k]`, `k` and `v` `[head, key, d_k]`; `scores` (q kᵀ), `scaled`, `masked` and `weights`
    `[head, query, key]`, with −inf where `masked` leaves a key out; `heads` `[head, query, d_k]`, what each head gives;
    `output` `[query, d_model]`.
    """

    q: Matrix
    k: Matrix
    v: Matrix
    scores: Matrix
    scaled: Matrix
    masked: Matrix
    weights: Matrix
    heads: Matrix
    output: Matrix

    def __post_init__(self) -> None:
        for name in vars(self):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


@torch.inference_mode()
def steps(setting: Setting) -> Steps:
    """Run a setting through `CrossAttention` and keep every matrix on the way."""
    layer = layer_of(setting)
    q = layer.project_queries(_batch(setting.x))
    k, v = layer.project_context(_batch(setting.context))
    mask = torch.tensor(setting.allowed)
    attention = layer.attend(q, k, v, mask=mask, scale=setting.scale, return_scores=True)
    return Steps(
        _one(q),
        _one(k),
        _one(v),
        scores=_one(layer.attend(q, k, v, scale=1.0, return_scores=True).scores),
        scaled=_one(layer.attend(q, k, v, scale=setting.scale, return_scores=True).scores),
        masked=_one(attention.scores),
        weights=_one(attention.weights),
        heads=_one(scaled_dot_product_attention(q, k, v, mask, setting.scale).output),
        output=_one(attention.output),
    )


def layer_of(setting: Setting) -> CrossAttention:
    """The layer with the weights of a setting, float64, without biases."""
    layer = CrossAttention(setting.d_model, setting.n_heads, d_context=setting.d_context, bias=False).double()
    linears = (layer.q_proj, layer.k_proj, layer.v_proj, layer.out_proj)
    for linear, w in zip(linears, (setting.w_q, setting.w_k, setting.w_v, setting.w_o), strict=True):
        linear.weight.data = torch.tensor(w).T  # nn.Linear holds [out, in]
    return layer


def _batch(values: Matrix) -> Tensor:
    return torch.tensor(values)[None]


def _one(values: Tensor | None) -> Matrix:
    """The only one of a batch. What was not asked for is absent, which does not happen here."""
    assert values is not None  # noqa: S101
    return values[0].numpy()
