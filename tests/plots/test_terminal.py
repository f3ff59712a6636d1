"""A map on a terminal: every cell has the colour and the number of its weight, and every line fits."""

from __future__ import annotations

import re
from dataclasses import replace

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


@pytest.mark.parametrize("columns", [7, 150])
def test_a_difference_has_0_in_the_middle_of_its_colours_and_its_sign(columns: int) -> None:
    chosen = select(maps_of(5, columns), 0, 0)
    apart = np.random.default_rng(1).uniform(-1, 1, (5, columns)).astype(np.float32)
    apart[1] = np.nan
    apart[0, 0] = 0
    chosen = replace(chosen, weights=apart, top=1.0, apart=True)
    table = colours.diverging(dark=True)
    lines = text_map(chosen, width=80)
    assert "−1.00 to 1.00" in lines[1]
    for line, values in zip(lines[3:8], apart, strict=True):
        cells = _CELL.findall(line)
        if np.isnan(values).all():
            assert not cells
            assert line.count("·") == (7 if columns == 7 else 75)
            continue
        together = -(-columns // len(cells))
        groups = [values[at : at + together] for at in range(0, columns, together)]
        for (_, *ground, said), group in zip(cells, groups, strict=True):
            value = float(group[np.abs(group).argmax()])
            assert np.array_equal([int(part) for part in ground], table[round(255 * (value + 1) / 2)])
            if said.strip():
                assert abs(float(said.replace("−", "-")) - value) <= 0.0051
    plain = text_map(chosen, width=80, coloured=False)
    assert not any("\x1b" in line for line in plain)
