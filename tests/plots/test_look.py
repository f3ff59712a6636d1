from __future__ import annotations

import tomllib

import pytest

from tests.server import ROOT
from xattn_viz.plots import look

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
        lighter, darker = sorted((luminance(look.colour(number, dark)), ground), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, look.colour(number, dark)


def test_an_empty_heading_is_left_out_and_a_long_one_is_cut() -> None:
    assert look.heading("") == ""
    assert len(look.heading("x" * 500)) < 120
