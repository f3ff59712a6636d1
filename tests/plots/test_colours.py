from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest

from xattn_viz.plots import colours


def test_the_explorers_script_has_the_same_stops() -> None:
    source = (files("xattn_viz.web.explorer") / "core/colours.js").read_text(encoding="utf-8")
    block = source[source.index("STOPS = {") : source.index("};")]
    found = {
        name: "".join(re.findall(r'"([0-9a-f]+)"', value))
        for name, value in re.findall(r'(\w+):((?:\s*"[0-9a-f]+"\s*\+?)+)', block)
    }
    assert found == colours.STOPS


@pytest.mark.parametrize("name", colours.STOPS)
def test_a_table_begins_and_ends_at_the_outer_stops_and_turns_over_on_a_light_ground(name: str) -> None:
    dark, light = colours.table(name, dark=True), colours.table(name, dark=False)
    assert dark.shape == (256, 3)
    ends = colours.stops(name, dark=True)
    assert ["#" + bytes(dark[i]).hex() for i in (0, -1)] == [ends[0], ends[-1]]
    # Interpolated from the other side, a channel that lies half-way between two values may round to the other.
    assert np.abs(light[::-1].astype(int) - dark).max() <= 1


@pytest.mark.parametrize("name", ["magma", "cividis", "grey", "viridis"])
def test_more_weight_is_lighter_on_a_dark_ground(name: str) -> None:
    luminance = colours.table(name, dark=True) @ np.array([0.2126, 0.7152, 0.0722])
    assert luminance[-1] > luminance[128] > luminance[0]


def test_an_unknown_map_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no colour map 'jet': choose magma, viridis, cividis, grey"):
        colours.stops("jet", dark=True)
