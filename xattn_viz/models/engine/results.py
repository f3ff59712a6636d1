"""What the layers of a model did, as maps and arrays; what it thought of each token, as steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.capture import Captured
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import Alteration, AttentionMaps, MapKind, Projections
from xattn_viz.core.trace import Alternative, Step
from xattn_viz.models.settings import Settings


def attention_maps(
    kind: MapKind,
    layers: list[Captured],
    queries: Axis,
    keys: Axis,
    read: Axis | None,
    settings: Settings,
    *,
    altered: Sequence[Alteration] = (),
) -> AttentionMaps:
    """What the layers did with the one item of the batch, as maps. Empties `layers`: none is ever held twice.

    `altered` is what was done to their weights already. Weights that were put together have no queries and keys.
    """
    kept = projections(layers) if layers[0].queries is not None else None
    numbers = tuple(range(len(layers)))
    first = layers[0].weights[0].numpy()
    weights = np.empty((len(layers), *first.shape), first.dtype)
    for number in numbers:
        weights[number] = layers.pop(0).weights[0].numpy()
    weights.flags.writeable = False  # else the maps would copy it
    is_ablated = any(head[0] == kind for head in settings.ablate)
    return AttentionMaps(
        weights,
        queries,
        keys,
        kind,
        numbers,
        read=read,
        projections=kept,
        altered=(*altered, *(("ablated",) if is_ablated else ())),
    )


def projections(layers: Sequence[Captured]) -> Projections:
    """The queries and keys of the one item of the batch, and what was added to their products."""
    q, k = (np.stack([_array(getattr(layer, name)) for layer in layers]) for name in ("queries", "keys"))
    return Projections(q, k, layers[0].scale, _biases(layers))


def _biases(layers: Sequence[Captured]) -> NDArray[np.float32] | None:
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


ALTERNATIVES = 5
#: Maps of one kind with more weights than this are kept in float16.
HALF_ABOVE = 16_000_000


def steps(
    logits: Iterable[Tensor],
    chosen: Sequence[int],
    forced: int,
    readable: Callable[[int], str],
    among: Tensor | None = None,
) -> tuple[Step, ...]:
    """The step of each token chosen; of `logits` each is `[id]`, over the whole vocabulary or the ids `among` `[id]`.

    The first `forced` tokens were given; `readable` is what an id says to people. One row at a time is looked at, so
    memory does not grow with their number.
    """
    return tuple(
        _step(row.float().log_softmax(-1), token, place < forced, readable, among)
        for place, (row, token) in enumerate(zip(logits, chosen, strict=True))
    )


def _step(log_probs: Tensor, token: int, forced: bool, readable: Callable[[int], str], among: Tensor | None) -> Step:
    top = log_probs.topk(min(ALTERNATIVES, len(log_probs)))
    ids = top.indices if among is None else among[top.indices]
    column = token if among is None else int(torch.searchsorted(among, token))
    alternatives = zip(ids.tolist(), top.values.tolist(), strict=True)
    return Step(
        readable(token),
        token,
        min(float(log_probs[column]), 0.0),
        # What is ruled out has no probability, and is no alternative.
        tuple(Alternative(readable(i), i, min(p, 0.0)) for i, p in alternatives if p > float("-inf")),
        forced,
    )
