"""A map on a terminal: every cell has the colour and the number of its weight, and every line fits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.view import select
from xattn_viz.plots import colours
from xattn_viz.plots.terminal import text_map

_CELL = re.compile(r"\x1b\[38;2;(\d+);\1;\1;48;2;(\d+);(\d+);(\d+)m([^\x1b]*)")
_WIDTHS = (40, 80, 200)


def maps_of(rows: int, columns: int, names: tuple[str, ...] = ()) -> AttentionMaps:
    weights = np.random.default_rng(rows).dirichlet(np.full(columns, 0.3), (1, 1, rows)).astype(np.float32)
    labels = names or tuple(f"w{i}" for i in range(columns))
    return AttentionMaps(
        weights, Axis("text", labels=tuple(f"r{i}" for i in range(rows))), Axis("text", labels=labels), "cross", (0,)
    )


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("columns", [1, 7, 30, 150])
def test_each_cell_has_the_colour_of_the_largest_weight_in_it(width: int, columns: int) -> None:
    chosen = select(maps_of(5, columns), 0, 0)
    lines = [line for line in text_map(chosen, width=width) if "\x1b" in line]
    assert len(lines) == 5
    table = colours.table("magma", dark=True)
    for line, weights in zip(lines, chosen.weights, strict=True):
        cells = _CELL.findall(line)
        together = -(-columns // len(cells))
        pooled = [weights[at : at + together].max() for at in range(0, columns, together)]
        assert len(pooled) == len(cells)
        for (_, *ground, said), weight in zip(cells, pooled, strict=True):
            assert np.array_equal([int(part) for part in ground], table[round(255 * float(weight) / chosen.top)])
            if said.strip():
                assert abs(float(said) - weight) <= 0.0051
        assert len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= width


@pytest.mark.parametrize("width", _WIDTHS)
def test_without_colours_nothing_but_text_is_printed_and_it_fits(width: int) -> None:
    names = ("\x1b[31mred", "\u202eabc", "漢字仮名", "हिन्दी", "x" * 90)
    lines = text_map(select(maps_of(3, 5, names), 0, 0), width=width, coloured=False)
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(len(line) for line in lines) <= width
    assert "3 漢字仮名" in text


def test_over_sound_the_seconds_stand_over_their_moment() -> None:
    keys = Axis("audio", times=tuple((i * 0.02, (i + 1) * 0.02) for i in range(150)))
    weights = np.zeros((1, 1, 1, 150), np.float32)
    weights[..., 100] = 1
    chosen = select(AttentionMaps(weights, Axis("text", labels=("a",)), keys, "cross", (0,)), 0, 0)
    _, _, above, row = text_map(chosen, width=77, coloured=False)
    assert above.split() == ["0", "1", "2"]
    assert row.index("█") == above.index("2")  # the frame that begins at 2 s
