"""Plotly figures: maps of a trace, curves, and small matrices with their numbers, for notebooks and pages."""

from xattn_viz.plots.bars import bars
from xattn_viz.plots.boxes import boxes
from xattn_viz.plots.heatmap import heatmap
from xattn_viz.plots.lines import lines
from xattn_viz.plots.marks import light_row, name_parts, ring
from xattn_viz.plots.matrix import matrix
from xattn_viz.plots.steps import steps

__all__ = ["bars", "boxes", "heatmap", "light_row", "lines", "matrix", "name_parts", "ring", "steps"]
