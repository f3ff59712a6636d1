"""Plotly figures: maps of a trace, curves, and small matrices with their numbers, for notebooks and pages."""

from xattn_viz.figures.bars import bars
from xattn_viz.figures.boxes import boxes
from xattn_viz.figures.heatmap import heatmap
from xattn_viz.figures.lines import lines
from xattn_viz.figures.marks import light_row, name_parts, ring
from xattn_viz.figures.matrix import matrix
from xattn_viz.figures.steps import steps

__all__ = ["bars", "boxes", "heatmap", "light_row", "lines", "matrix", "name_parts", "ring", "steps"]
