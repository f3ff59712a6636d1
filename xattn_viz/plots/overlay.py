"""A word's weights laid over the picture that its patches lie in, as pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.plots.colours import table

#: How much the weights hide of the picture, as in the explorer.
OPACITY = 0.75


def overlay(
    picture: NDArray[np.uint8], weights: NDArray[np.floating], largest: float, *, side: int = 192, name: str = "magma"
) -> NDArray[np.uint8]:
    """The picture with weights over it, `[row, column, 3]`, its longer side `side` pixels.

    `picture` is `[row, column, 3]`, `weights` `[row, column]` of patches that cover it; `largest` is the weight of the
    last colour of the map `name`. Between the middles of patches the weights go over smoothly.
    """
    height, width = picture.shape[:2]
    size = round(side * width / max(width, height)), round(side * height / max(width, height))
    smooth = Image.fromarray(weights.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(smooth) / (largest or 1.0), 0, 1)
    coloured = table(name, dark=True)[np.rint(255 * share).astype(int)].astype(np.float32)
    below = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), np.float32)
    mixed: NDArray[np.uint8] = np.rint(OPACITY * coloured + (1 - OPACITY) * below).astype(np.uint8)
    return mixed
