from __future__ import annotations

import numpy as np

from xattn_viz import plots
from xattn_viz.core.tokens import plotly_label


def test_a_lit_row_is_framed_from_its_first_cell_to_its_last() -> None:
    figure = plots.matrix(np.eye(3, 4), rows=list("abc"), columns=list("wxyz"))
    (frame,) = plots.light_row(figure, 1).layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (-0.5, 3.5, 0.5, 1.5)


def test_parts_are_named_over_their_middle_and_told_apart_by_a_line() -> None:
    figure = plots.matrix(np.eye(2, 5), rows=list("ab"), columns=list("vwxyz"))
    plots.name_parts(figure, {"<b>image": 2, "text": 3})
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1) == (1.5, 1.5)
    first, second = figure.layout.annotations
    assert (first.x, first.text) == (0.5, plotly_label("<b>image"))
    assert (second.x, second.text) == (3.0, plotly_label("text"))


def test_a_ring_stands_around_each_point_of_an_x() -> None:
    figure = plots.lines({"a": ([1, 2], [3, 4]), "b": ([1, 2], [5, 6])}, x="x", y="y")
    ring = plots.ring(figure, 2, [4, 6]).data[-1]
    assert (list(ring.x), list(ring.y), ring.showlegend) == ([2, 2], [4, 6], False)
