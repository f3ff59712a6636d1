"""The colour maps of figures and pictures, stop for stop those of the explorer's script (a test compares them)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.messages import quoted

ColourMap = Literal["magma", "viridis", "cividis", "grey"]

# 33 evenly spaced stops (two for grey) of the published maps: magma and viridis by Smith and van der Walt, cividis by
# Nuñez et al., all CC0. Straight lines between them stay within 6/255 of the originals.
STOPS: dict[str, str] = {
    "magma": (
        "0000040303110a0822130d331d114628115a36106a430f7650127c5d177f691c817621818226818f2a819c2e7fa9327db63779c33b75cf4170"
        "db486ae65163ee5c5ef5695cf9785dfb8761fd9668fea571feb47bfec387fed194fde0a2fceeb0fcfdbf"
    ),
    "viridis": (
        "440154470d6048186a482374472d7b4536814240863f49893b528b375a8d33638d2f6a8e2c728e297a8e26818e23898e21908c1f988b1f9f88"
        "21a68528ae8031b57b3ebc744cc26c5dc9636ece5882d34c96d83fabdc32c0df24d5e21aeae51afde725"
    ),
    "cividis": (
        "00224e00285b002e6a0433711a386f273e6e32436d3b496c434e6c4b546c52596d5a5f6e61656f686a716f70737576767c7b788481798b8778"
        "938d789b9376a39a75aba072b3a670bbad6cc3b469ccba64d4c15fddc958e6d051efd748f8df3cfee838"
    ),
    "grey": "000000ffffff",
}


def stops(name: str, *, dark: bool) -> list[str]:
    """The stops of a map as `#rrggbb`, from weight 0 to the largest, evenly spaced.

    On a light ground a map runs the other way, so that weight 0 is near the ground in both. Raises ValueError, naming
    the maps there are, for one that is not.
    """
    if name not in STOPS:
        raise ValueError(f"There is no colour map {quoted(name)}: choose {', '.join(STOPS)}.")
    digits = STOPS[name]
    colours = [f"#{digits[i : i + 6]}" for i in range(0, len(digits), 6)]
    return colours if dark else colours[::-1]


def table(name: str, *, dark: bool) -> NDArray[np.uint8]:
    """256 colours from weight 0 to the largest, `[colour, channel]`. Raises ValueError as `stops` does."""
    channels = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops(name, dark=dark)])
    places = np.linspace(0, len(channels) - 1, 256)
    mixed = [np.interp(places, np.arange(len(channels)), channels[:, c]) for c in range(3)]
    colours: NDArray[np.uint8] = np.rint(np.stack(mixed, axis=1)).astype(np.uint8)
    return colours
