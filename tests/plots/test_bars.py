from __future__ import annotations

import pytest

from xattn_viz import plots
from xattn_viz.core.tokens import plotly_label


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
