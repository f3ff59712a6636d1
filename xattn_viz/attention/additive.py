"""Additive attention, the first that translated: a small network scores each query against each key.

The equations are those of Bahdanau et al. 2015 (Neural Machine Translation by Jointly Learning to Align and Translate,
appendix A.1.2). What follows the scores, mask and softmax, is the same code as for dot products.
"""

from __future__ import annotations

from torch import Tensor, nn

from xattn_viz.attention.layer import Attention, attend_by_scores


class AdditiveAttention(nn.Module):
    """softmax(vᵀ tanh(W_q q + W_k k)) over the keys, with v a learned vector.

    `d_query` and `d_key` are the widths of queries and keys, `d_k` that of the space in which they are added.
    """

    def __init__(self, d_query: int, d_key: int, d_k: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(d_query, d_k, bias=False)
        self.k_proj = nn.Linear(d_key, d_k, bias=False)
        self.score = nn.Linear(d_k, 1, bias=False)  # vᵀ

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None = None,
        scale: float = 1.0,
        return_scores: bool = False,
    ) -> Attention:
        """Let `queries` `[..., query, d_query]` attend to `keys` `[..., key, d_key]`; `values` are `[..., key, d_v]`.

        `mask` is boolean and broadcasts to `[..., query, key]`; True means that the query may attend to the key.
        `scale` multiplies the scores, which the paper leaves as they are. Without `scale` no score is larger than ‖v‖₁.

        Raises ValueError, with the shapes, when the widths or lengths do not fit.
        """
        shapes = f"queries {tuple(queries.shape)}, keys {tuple(keys.shape)}, values {tuple(values.shape)}"
        widths = self.q_proj.in_features, self.k_proj.in_features
        if (queries.shape[-1], keys.shape[-1]) != widths or keys.shape[-2] != values.shape[-2]:
            raise ValueError(
                f"Queries must be {widths[0]} and keys {widths[1]} wide, keys and values equally long: got {shapes}."
            )
        q, k = self.q_proj(queries), self.k_proj(keys)
        # [..., query, 1, d_k] + [..., 1, key, d_k] -> [..., query, key, d_k]: every query with every key
        added = q.unsqueeze(-2) + k.unsqueeze(-3)
        scores = self.score(added.tanh()).squeeze(-1) * scale  # -> [..., query, key]
        return attend_by_scores(scores, values, mask, return_scores)
