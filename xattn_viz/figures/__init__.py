"""Plotly figures: maps of a trace, curves, and small matrices with their numbers, for notebooks and pages."""

from xattn_viz.figures.heatmap import heatmap
from xattn_viz.figures.lines import lines
from xattn_viz.figures.matrix import matrix
from xattn_viz.figures.steps import steps

__all__ = ["heatmap", "lines", "matrix", "steps"]
