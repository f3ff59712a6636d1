from __future__ import annotations

import re

import pytest

from xattn_viz import plots
from xattn_viz.core.tokens import plotly_label
from xattn_viz.lessons import tensor_shapes
from xattn_viz.lessons.tensor_shapes import Setting


@pytest.mark.parametrize("setting", [Setting(), Setting(8, 12, 12, 64, 64), Setting(1, 1, 1, 8, 8)], ids=str)
def test_every_tensor_is_drawn_to_scale_and_named_with_its_shape(setting: Setting) -> None:
    done = tensor_shapes.forward(setting)
    figure = plots.boxes(done.rows)
    texts = [re.sub("<[^>]+>|[\u2068\u2069]", " ", note.text).split() for note in figure.layout.annotations]
    for words, (name, shape) in zip(texts, done.tensors.items(), strict=True):
        assert " ".join(words) == " ".join([name, *" × ".join(map(str, shape.values())).split(), " × ".join(shape)])
    drawn = iter(shape for shape in figure.layout.shapes if shape.type == "rect")
    sides = []
    for shape in done.tensors.values():
        for _ in range(shape.get("head", 1)):
            box = next(drawn)
            high, wide = list(shape.values())[-2:]
            sides += [(box.x1 - box.x0) / wide, (box.y1 - box.y0) / high]
            assert 0 <= box.x0 < box.x1 <= figure.layout.xaxis.range[1]
            assert 0 <= box.y0 < box.y1 <= figure.layout.height
    assert next(drawn, None) is None
    assert sides == pytest.approx([sides[0]] * len(sides))  # one scale for all


def test_a_name_cannot_act_as_a_tag() -> None:
    figure = plots.boxes([{"<i>": {"<u>": 2, "b": 3}}])
    assert "<i>" not in figure.layout.annotations[0].text
    assert plotly_label("<u>") in figure.layout.annotations[0].text
