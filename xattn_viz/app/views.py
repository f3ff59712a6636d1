"""What the chosen map is called on the page and in the address.

"2.1" is layer 2, head 1, "2.mean" the mean of a layer, "mean" that of all layers, "max" their maximum.
"""

from __future__ import annotations

import re

_VIEW = re.compile(r"(?:(\d+)\.)?(\d+|mean)")


def layer_and_head(view: str) -> tuple[int | None, int | None] | None:
    """The layer and the head of a view, counted from 0, None where it is the mean over them.

    None for all of it where it is the maximum.
    """
    chosen = _VIEW.fullmatch(view)
    if chosen is None:
        return None
    layer, head = (int(part) - 1 if part and part.isdigit() else None for part in chosen.groups())
    return layer, head


def title(layer: int | None, head: int | None) -> str:
    """A view in words."""
    if layer is None:
        return "Mean over all layers and heads"
    return f"Layer {layer + 1}, {'mean over its heads' if head is None else f'head {head + 1}'}"
