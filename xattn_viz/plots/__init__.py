"""Plotly figures: maps of a trace, curves, and small matrices with their numbers, for notebooks and pages.

Plotly is slow to load, and most that is drawn does without: each figure is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xattn_viz.plots.charts import bars, layer_means, light_row, lines, matrix, name_parts, ring, steps
    from xattn_viz.plots.maps import boxes, heatmap

__all__ = ["bars", "boxes", "heatmap", "layer_means", "light_row", "lines", "matrix", "name_parts", "ring", "steps"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'maps' if name in ('boxes', 'heatmap') else 'charts'}"), name)
