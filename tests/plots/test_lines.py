from __future__ import annotations

import pytest

from xattn_viz import plots
from xattn_viz.core.tokens import plotly_label


def test_each_curve_is_drawn_with_its_numbers_and_its_name_cannot_act_as_a_tag() -> None:
    curves = {"scaled": ([2, 4, 8], [0.1, 0.2, 0.3]), "<b>not</b>": ([2, 4, 8], [0.5, 0.6, 0.7])}
    figure = plots.lines(curves, x="d_k", y="weight", log_x=True, dashed=["<b>not</b>"], mark=4)
    first, second = figure.data
    (mark,) = figure.layout.shapes
    assert (mark.x0, mark.x1) == (4, 4)
    assert (list(first.x), list(first.y)) == ([2, 4, 8], [0.1, 0.2, 0.3])
    assert second.name == plotly_label("<b>not</b>")
    assert "<" not in second.name
    assert (first.line.dash, second.line.dash) == ("solid", "dash")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "linear")
    assert figure.layout.xaxis.title.text == plotly_label("d_k")
    assert figure.layout.yaxis.title.text == plotly_label("weight")


def test_a_curve_of_unequal_lengths_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'loss' has 2 x values and 1 y values"):
        plots.lines({"loss": ([1, 2], [0.5])}, x="step", y="loss")
