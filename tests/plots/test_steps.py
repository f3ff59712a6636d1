from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.lessons.steps import from_words, steps

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
