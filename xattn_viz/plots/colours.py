"""The colours of figures and pictures: the explorer's own colour maps, curves told apart, weights over a picture."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import plotly_label

ColourMap = Literal["magma", "viridis", "cividis", "grey"]

#: The size of type in pixels where a figure is to be read from the last row of a room.
LARGE = 16
#: How much the weights hide of the picture, as in the explorer.
OPACITY = 0.75
# Stop for stop those of the explorer's script: a test compares them. 33 evenly spaced stops (two for grey) of the
# published maps: magma and viridis by Smith and van der Walt, cividis by Nuñez et al., all CC0. Straight lines between
# them stay within 6/255 of the originals.
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
#: Differences by whether the ground is dark, stop for stop as the explorer has them: below 0 blue, above it red, and 0
#: near the ground. RdBu of ColorBrewer (Brewer and Harrower, Apache 2.0) the other way round, and after berlin
#: (Crameri, MIT).
DIVERGING = {
    False: "0530612166ac4393c392c5ded1e5f0f7f7f7fddbc7f4a582d6604db2182b67001f",
    True: "9eb0ff72b2ea4695bd2b6883193a4d120f10481a0d81301ab45b43da8775ffacac",
}
# The accent of the app and Okabe and Ito's colours, told apart by the colour-blind; on a light ground darker ones, each
# at least 3 : 1 against it.
_SERIES = {
    True: ("#ffb454", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#8c83ff", "#999999"),
    False: ("#a34a00", "#00639e", "#007a5a", "#a3407d", "#7a6500", "#5546b8", "#66625b"),
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
    return _between(_channels(name, dark))


def diverging(*, dark: bool) -> NDArray[np.uint8]:
    """256 colours for differences, `[colour, channel]`: from the lowest, below 0, to the highest as far above it."""
    digits = DIVERGING[dark]
    return _between([[int(digits[at + c : at + c + 2], 16) for c in (0, 2, 4)] for at in range(0, len(digits), 6)])


def _between(stops: list[list[int]]) -> NDArray[np.uint8]:
    channels = np.array(stops)
    places = np.linspace(0, len(channels) - 1, 256)
    mixed = [np.interp(places, np.arange(len(channels)), channels[:, c]) for c in range(3)]
    colours: NDArray[np.uint8] = np.rint(np.stack(mixed, axis=1)).astype(np.uint8)
    return colours


def _channels(name: str, dark: bool) -> list[list[int]]:
    return [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops(name, dark=dark)]


def takes_white(red: int, green: int, blue: int) -> bool:
    """Whether white letters are read better than dark ones on a colour, each channel 0 … 255."""
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


def template(dark: bool) -> str:
    """Plotly's template for a dark or a light ground."""
    return "plotly_dark" if dark else "plotly_white"


def colour_scale(colour_map: ColourMap, dark: bool) -> list[tuple[float, str]]:
    """The stops as rgb(): Streamlit repaints some near-black colours written as #00000n, magma's first among them."""
    channels = _channels(colour_map, dark)
    return [(i / (len(channels) - 1), "rgb({}, {}, {})".format(*rgb)) for i, rgb in enumerate(channels)]


def heading(text: str) -> str:
    """A title, or the name of a curve: it cannot act as a tag, and is cut later than the label of a tick."""
    return plotly_label(text, 80) if text else ""


def colour(number: int, dark: bool) -> str:
    """The colour of a curve or mark by its number, over again after seven; 0 is the accent of the app."""
    return _SERIES[dark][number % len(_SERIES[dark])]


def overlay(
    picture: NDArray[np.uint8],
    weights: NDArray[np.floating],
    largest: float,
    *,
    side: int = 192,
    name: str = "magma",
    apart: bool = False,
) -> NDArray[np.uint8]:
    """The picture with weights over it, `[row, column, 3]`, its longer side `side` pixels.

    `picture` is `[row, column, 3]`, `weights` `[row, column]` of patches that cover it; `largest` is the weight of the
    last colour of the map `name`. Between the middles of patches the weights go over smoothly. Differences (`apart`)
    have the diverging colours, from -`largest` on; NaN is 0.
    """
    height, width = picture.shape[:2]
    size = round(side * width / max(width, height)), round(side * height / max(width, height))
    smooth = Image.fromarray(np.nan_to_num(weights.astype(np.float32))).resize(size, Image.Resampling.BILINEAR)
    share = np.asarray(smooth) / (largest or 1.0)
    share = np.clip(share / 2 + 0.5 if apart else share, 0, 1)
    colours = diverging(dark=True) if apart else table(name, dark=True)
    coloured = colours[np.rint(255 * share).astype(int)].astype(np.float32)
    below = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), np.float32)
    mixed: NDArray[np.uint8] = np.rint(OPACITY * coloured + (1 - OPACITY) * below).astype(np.uint8)
    return mixed
