from __future__ import annotations

from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray

from xattn_viz.shapes import COLOURS
from xattn_viz.shapes.charts import CHART_KINDS, MARKS, PIXELS, TENTHS, ChartKind, draw_chart, random_chart


def _near(picture: NDArray[np.uint8], colour: str) -> NDArray[np.bool_]:
    apart = np.abs(picture.astype(int) - COLOURS[colour]).sum(2)
    return np.asarray(apart < 12)


@pytest.mark.parametrize("kind", CHART_KINDS)
def test_a_mark_measured_in_the_picture_is_as_large_as_its_value(kind: ChartKind) -> None:
    chance = np.random.default_rng(1)
    for _ in range(60):
        chart = random_chart(chance, kind)
        drawing = draw_chart(chart)
        assert drawing.picture.shape == (PIXELS, PIXELS, 3)
        height = chart.layout.bottom - chart.layout.top
        disc = pi * chart.layout.right**2
        for number, mark in enumerate(chart.marks):
            inside = drawing.mask(drawing.numbers((MARKS[kind],), number)) & _near(drawing.picture, mark.colour)
            rows, columns = np.nonzero(inside)
            if kind == "bar":  # whole pixels: half of one is lost in rounding
                assert abs(len(set(rows)) - height * mark.tenths / TENTHS) <= 0.5
                assert columns.min() >= chart.layout.left
            elif kind == "line":
                level = chart.layout.bottom - height * mark.tenths / TENTHS
                assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(level, abs=1.5)
            else:  # the edge of a slice, two pixels at most all around, is mixed with what lies beside it
                edge = 2 * chart.layout.right * (2 + 2 * pi * mark.tenths / TENTHS / 2)
                assert mark.tenths / TENTHS * disc - edge <= len(rows) <= mark.tenths / TENTHS * disc * 1.05 + 8


def test_charts_are_the_same_for_a_seed_have_one_highest_and_keep_their_text_apart_within_the_picture() -> None:
    for seed in range(150):
        chart, again = (random_chart(np.random.default_rng(seed)) for _ in range(2))
        assert chart == again
        assert (draw_chart(chart).picture == draw_chart(again).picture).all()
        tenths = sorted(mark.tenths for mark in chart.marks)
        assert tenths[0] < tenths[1]
        assert tenths[-2] < tenths[-1]
        assert len({mark.label for mark in chart.marks}) == len(chart.marks)
        assert chart.kind != "pie" or sum(tenths) == TENTHS
        drawing = draw_chart(chart)
        dark = drawing.picture.max(2) < 110  # ink; no named colour is as dark in all three
        for number in drawing.numbers(("label", "title", "tick")):
            box = drawing.mask((number,))
            assert dark[box].sum() > 5, drawing.parts[number]
            # a text overlaps another by a column at most: five long labels stand close
            rows, columns = np.nonzero(box)
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert len(set(rows)) >= 9
        assert "".join(chart.title) == "".join(part.text for part in drawing.parts if part.kind == "title")
