"""Which keys a query may attend to: boolean masks for `layer`, True where it may.

Causal: Vaswani et al. 2017 (§3.2.3). Window: Beltagy et al. 2020 (Longformer, §3.1). Top k: Gupta et al. 2021
(Memory-efficient Transformers via Top-k Attention, §2).
"""

from __future__ import annotations

import torch
from torch import Tensor


def causal(length: int) -> Tensor:
    """`[query, key]` of one sequence: a position attends to itself and to what stands before it."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def window(queries: int, keys: int, reach: int) -> Tensor:
    """`[query, key]`: each query attends to at most `reach` keys on either side of its own place among the keys.

    In self-attention that place is its own position. Where the lengths differ it is the key that lies as far along its
    sequence as the query along its own, rounded. Raises ValueError for a `reach` below 0.
    """
    if reach < 0:
        raise ValueError(f"A window reaches 0 keys or more to either side: got {reach}.")
    last_query, last_key = max(queries - 1, 1), max(keys - 1, 0)
    # Whole numbers only, so that a place halfway between two keys is rounded alike everywhere: to the later one.
    centres = (2 * torch.arange(queries) * last_key + last_query) // (2 * last_query)
    return (torch.arange(keys) - centres.unsqueeze(-1)).abs() <= reach


def top_k(scores: Tensor, k: int) -> Tensor:
    """The `k` largest of each row of `scores` `[..., query, key]`, in the same shape; all of a row that has fewer.

    Of equal scores the earlier key counts as the larger one. Raises ValueError for a `k` below 1.
    """
    if k < 1:
        raise ValueError(f"At least one key of each row must be kept: got k = {k}.")
    order = scores.argsort(dim=-1, descending=True, stable=True)[..., :k]
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, True)
