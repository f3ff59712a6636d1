from __future__ import annotations

import numpy as np

from xattn_viz.plots.colours import table
from xattn_viz.plots.overlay import OPACITY, overlay

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
