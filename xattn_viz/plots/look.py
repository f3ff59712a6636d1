"""What all figures share: their ground, and colours that Plotly and Streamlit leave as they are."""

from __future__ import annotations

from xattn_viz.core.tokens import plotly_label
from xattn_viz.plots import colours
from xattn_viz.plots.colours import ColourMap

#: The size of type in pixels where a figure is to be read from the last row of a room.
LARGE = 16
# The accent of the app and Okabe and Ito's colours, told apart by the colour-blind; on a light ground darker ones, each
# at least 3 : 1 against it.
_COLOURS = {
    True: ("#ffb454", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#8c83ff", "#999999"),
    False: ("#a34a00", "#00639e", "#007a5a", "#a3407d", "#7a6500", "#5546b8", "#66625b"),
}


def template(dark: bool) -> str:
    """Plotly's template for a dark or a light ground."""
    return "plotly_dark" if dark else "plotly_white"


def colour_scale(colour_map: ColourMap, dark: bool) -> list[tuple[float, str]]:
    """The stops as rgb(): Streamlit repaints some near-black colours written as #00000n, magma's first among them."""
    stops = colours.stops(colour_map, dark=dark)
    channels = ([int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops)
    return [(i / (len(stops) - 1), "rgb({}, {}, {})".format(*rgb)) for i, rgb in enumerate(channels)]


def heading(text: str) -> str:
    """A title, or the name of a curve: it cannot act as a tag, and is cut later than the label of a tick."""
    return plotly_label(text, 80) if text else ""


def colour(number: int, dark: bool) -> str:
    """The colour of a curve or mark by its number, over again after seven; 0 is the accent of the app."""
    return _COLOURS[dark][number % len(_COLOURS[dark])]
