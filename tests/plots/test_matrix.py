from __future__ import annotations

import numpy as np
import pytest

from xattn_viz import plots
from xattn_viz.core.tokens import plotly_label


def test_every_cell_is_drawn_and_numbered_under_its_labels() -> None:
    values = np.array([[0.1, 0.9], [0.25, 0.75], [1.0, 0.0]])
    figure = plots.matrix(values, rows=["a", "b", "<i>"], columns=["x", "x"], row_title="query", column_title="key")
    (drawn,) = figure.data
    assert np.array_equal(np.array(drawn.z), values)
    assert figure.layout.title.text == ""
    assert (drawn.zmin, drawn.zmax) == (0, 1)
    assert drawn.texttemplate == "%{z:.2f}"
    assert list(figure.layout.xaxis.ticktext) == [plotly_label("x")] * 2
    assert "<" not in figure.layout.yaxis.ticktext[2]
    assert figure.layout.yaxis.autorange == "reversed"


def test_a_large_matrix_has_colours_only() -> None:
    names = [str(i) for i in range(17)]
    assert plots.matrix(np.eye(17), rows=names, columns=names).data[0].texttemplate is None


def test_labels_and_shape_must_fit() -> None:
    with pytest.raises(ValueError, match=r"2 rows and 3 columns are named, the matrix is \(3, 2\)"):
        plots.matrix(np.ones((3, 2)), rows=["a", "b"], columns=["a", "b", "c"])
