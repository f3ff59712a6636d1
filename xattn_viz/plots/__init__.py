"""Plotly figures: maps of a trace, curves, and small matrices with their numbers, for notebooks and pages."""

from xattn_viz.plots.charts import bars, layer_means, light_row, lines, matrix, name_parts, ring, steps
from xattn_viz.plots.heatmap import boxes, heatmap

__all__ = ["bars", "boxes", "heatmap", "layer_means", "light_row", "lines", "matrix", "name_parts", "ring", "steps"]
