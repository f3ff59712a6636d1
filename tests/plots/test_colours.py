from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from tests.server import ROOT
from xattn_viz.plots import colours
from xattn_viz.plots.colours import OPACITY, overlay, table


def test_the_explorers_script_has_the_same_stops() -> None:
    source = (files("xattn_viz.web.explorer") / "core/colours.js").read_text(encoding="utf-8")
    block = source[source.index("STOPS = {") : source.index("};")]
    found = {
        name: "".join(re.findall(r'"([0-9a-f]+)"', value))
        for name, value in re.findall(r'(\w+):((?:\s*"[0-9a-f]+"\s*\+?)+)', block)
    }
    assert found == colours.STOPS
    differences = dict(re.findall(r'^  (light|dark): "([0-9a-f]+)"', source, re.MULTILINE))
    assert differences == {"light": colours.DIVERGING[False], "dark": colours.DIVERGING[True]}


@pytest.mark.parametrize("dark", [True, False])
def test_differences_have_0_near_the_ground_and_are_told_apart_by_the_colour_blind(dark: bool) -> None:
    found = colours.diverging(dark=dark).astype(float)
    light = found @ [0.299, 0.587, 0.114]
    steps = np.diff(light) * (1 if dark else -1)
    assert (steps[:120] <= 0.51).all()  # towards the middle always nearer to the ground, but for rounding
    assert (steps[136:] >= -0.51).all()
    assert light[127] < 25 if dark else light[127] > 240
    # Blue against red: whoever takes red for green still sees that one side has more blue than the other.
    blue = found[:, 2] - found[:, :2].mean(1)
    assert blue[:90].min() > 20
    assert (blue[166:] < blue[89::-1].min()).all()


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


THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [True, False])
def test_every_curve_stands_out_from_the_ground(dark: bool) -> None:
    ground = luminance(THEME["dark" if dark else "light"]["backgroundColor"])
    for number in range(7):
        lighter, darker = sorted((luminance(colours.colour(number, dark)), ground), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, colours.colour(number, dark)


def test_an_empty_heading_is_left_out_and_a_long_one_is_cut() -> None:
    assert colours.heading("") == ""
    assert len(colours.heading("x" * 500)) < 120


PICTURE = np.full((6, 12, 3), (10, 200, 90), np.uint8)


def test_each_patch_has_its_colour_over_the_picture() -> None:
    """In the middle of a patch stands exactly the mix of its colour and the picture, rounded."""
    weights = np.array([[0.0, 0.1, 0.4], [0.4, 0.2, 0.05]])
    shown = overlay(PICTURE, weights, 0.4, side=180)
    assert shown.shape == (90, 180, 3)
    colours = table("magma", dark=True)
    for (row, column), weight in np.ndenumerate(weights):
        wanted = OPACITY * colours[round(255 * weight / 0.4)] + (1 - OPACITY) * PICTURE[0, 0]
        # The middle lies between two pixels: weights there differ by at most 1 % of the largest from the patch's.
        np.testing.assert_allclose(shown[row * 45 + 22, column * 60 + 30], wanted, atol=6)


def test_no_weight_and_too_much_have_the_ends_of_the_map() -> None:
    colours = table("grey", dark=True)
    for value, colour in ((0.0, colours[0]), (0.9, colours[-1])):
        shown = overlay(PICTURE, np.full((2, 2), value), 0.5 if value else 0.0, side=24, name="grey")
        assert (shown == np.rint(OPACITY * colour + (1 - OPACITY) * PICTURE[0, 0])).all()
