from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz import plots
from xattn_viz.analysis.profiles import LayerMeans
from xattn_viz.core.tokens import plotly_label
from xattn_viz.lessons.steps import from_words, steps


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


def test_each_value_stands_over_its_label_which_cannot_act_as_a_tag() -> None:
    figure = plots.bars([0.25, 0.75], labels=["<b>a</b>", "a"], lit=[1], y="weight")
    (drawn,) = figure.data
    assert list(drawn.y) == [0.25, 0.75]
    assert list(figure.layout.xaxis.ticktext) == [plotly_label(label) for label in ("<b>a</b>", "a")]
    assert "<" not in figure.layout.xaxis.ticktext[0]
    assert drawn.marker.color[0] != drawn.marker.color[1]
    assert list(figure.layout.yaxis.range) == [0, 1]
    assert figure.layout.title.text == figure.layout.xaxis.title.text == ""
    assert plots.bars([3.0], labels=["a"], top=None).layout.yaxis.range is None


def test_labels_and_bars_must_fit() -> None:
    with pytest.raises(ValueError, match="2 labels were given for 1 bars"):
        plots.bars([1.0], labels=["a", "b"])


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


SETTING = from_words("gato <b>", "the black cat", n_heads=2, padding=(False, False, True))


def test_every_matrix_is_drawn_with_its_name_its_shape_and_its_numbers() -> None:
    figure = xv.figures.steps(SETTING, 1)
    shown = steps(SETTING)
    drawn = {trace.name: trace for trace in figure.data}
    wanted = {
        "x": SETTING.x,
        "W_Q": SETTING.w_q[:, 2:],
        "Q": shown.q[1],
        "K": shown.k[1],
        "V": shown.v[1],
        "scores QKᵀ": shown.scores[1],
        "scaled": shown.scaled[1],
        "weights": shown.weights[1],
        "heads": np.column_stack([shown.heads[0], shown.heads[1]]),
        "output": shown.output,
    }
    for name, values in wanted.items():
        assert np.array_equal(np.array(drawn[name].z), values), name
        assert [float(text.replace("−", "-")) for text in np.ravel(drawn[name].text)] == pytest.approx(
            values.ravel(), abs=0.00501
        )
    assert [row[2] for row in drawn["masked"].text] == ["−∞", "−∞"]
    assert len(drawn) == 15
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert "<b>Q</b>  query × d_k  2 × 2" in titles
    assert "<b>weights</b>  query × key  2 × 3" in titles


def test_labels_cannot_act_as_tags() -> None:
    assert all("<" not in label for label in xv.figures.steps(SETTING).layout.yaxis.ticktext)


def test_a_head_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no head 2: this layer has heads 0 to 1"):
        xv.figures.steps(SETTING, 2)


def test_other_figures_do_without_torch() -> None:
    code = "import sys, xattn_viz.plots; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_means_of_layers_have_a_panel_a_measure_with_their_intervals() -> None:
    layers = np.array([[0.2, 0.1, 0.4], [0.6, 0.5, 0.65], [0.5, 0.4, 0.7]], np.float32)
    aligns = LayerMeans("alignment", "<b>Alignment</b>", "F1", layers, layers[:2])
    means = [aligns, replace(aligns, name="mean-cost", unit="nats a token"), replace(aligns, name="diagonality")]
    figure = plots.layer_means(means)
    assert len(figure.data) == 2  # diagonality is no part of depth
    for drawn in figure.data:
        assert list(drawn.x) == [1, 2, 3]
        assert np.allclose(drawn.y, layers[:, 0])
        assert np.allclose(np.add(drawn.y, drawn.error_y.array), layers[:, 2])
        assert np.allclose(np.subtract(drawn.y, drawn.error_y.arrayminus), layers[:, 1])
    assert "<" not in figure.layout.annotations[0].text
    assert figure.layout.xaxis2.title.text == "layer"
    assert list(figure.layout.yaxis.range) == [0, 1]
    with pytest.raises(ValueError, match="None of entropy is among these means"):
        plots.layer_means(means, measures=("entropy",))
