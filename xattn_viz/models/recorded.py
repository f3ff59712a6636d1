"""The queries and keys that a run recorded, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.weights import Seen
from xattn_viz.core.projections import Projections


def projections(layers: Sequence[Seen]) -> Projections:
    """The queries and keys of the one item of the batch, and what was added to their products."""
    q, k = (np.stack([_array(getattr(layer, name)) for layer in layers]) for name in ("queries", "keys"))
    return Projections(q, k, layers[0].scale, _biases(layers))


def _biases(layers: Sequence[Seen]) -> NDArray[np.float32] | None:
    """What was added to the scores, to be broadcast to `[layer, head, query, key]`; None where it was nothing."""
    if all(layer.bias is None for layer in layers):
        return None
    each = [torch.zeros(1, 1, 1) if layer.bias is None else layer.bias for layer in layers]
    # A mask of causality alone is [query, key], another [batch, head, query, key].
    alike = [bias[0] if bias.dim() == 4 else bias.reshape(1, *bias.shape[-2:]) for bias in each]
    return np.stack(np.broadcast_arrays(*(bias.numpy() for bias in alike)))


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None  # noqa: S101 - projections were asked for
    return tensor[0].numpy()
