"""From which of several sequences each row reads, where one axis of keys holds them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.maps import AttentionMaps


def part_names(maps: AttentionMaps) -> tuple[str, ...]:
    """The names of the sequences that the keys are put together from. Raises ValueError where they are one."""
    if not maps.keys.parts:
        raise ValueError(f"The keys of these maps are one {maps.keys.kind} sequence: no parts of it are named.")
    return tuple(name for name, _, _ in maps.keys.parts)


def by_part(maps: AttentionMaps) -> NDArray[np.float64]:
    """The share of each row's weight in each part of the keys, `[layer, head, query, part]`, as `part_names` says.

    The shares of a row sum to 1 where the row does and the parts hold every key. Raises ValueError without parts.
    """
    part_names(maps)
    parts = [maps.weights[..., start:end].sum(-1, dtype=np.float64) for _, start, end in maps.keys.parts or ()]
    return np.stack(parts, -1)


def are_apart(maps: AttentionMaps) -> bool:
    """Whether each layer looks at one part only: each has a softmax of its own, and shares between them say nothing."""
    shares = by_part(maps)  # [layer, head, query, part]
    return bool(((shares > 0).any((1, 2)).sum(-1) <= 1).all())
