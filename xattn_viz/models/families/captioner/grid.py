"""What the positions of an image encoder stand for: patches row by row, behind those that stand for all of it."""

from __future__ import annotations

from typing import Any

from xattn_viz.core.axis import Axis

#: What stands before the patches, in this order: ViT has the first, DeiT both, Swin neither.
SPECIAL = ("[CLS]", "[DIST]")


def picture_axis(config: Any, size: tuple[int, int], positions: int) -> Axis:
    """The axis of an encoder's output, from its configuration, the rows and columns of pixels and how many there are.

    Raises ValueError where they are no patches of a picture.
    """
    patch = getattr(config, "patch_size", None)
    if patch is None:
        raise ValueError("its encoder reads no patches")
    sides = (patch, patch) if isinstance(patch, int) else tuple(patch)
    # Swin merges two by two patches between its stages, and fills up what is left over.
    merged = 2 ** (len(getattr(config, "depths", None) or (1,)) - 1)
    rows, columns = (-(-pixels // (side * merged)) for pixels, side in zip(size, sides, strict=True))
    special = positions - rows * columns
    if not 0 <= special <= len(SPECIAL):
        raise ValueError(f"its encoder has {positions} positions, and {rows} × {columns} patches were expected")
    return Axis.picture(rows, columns, SPECIAL[:special])
