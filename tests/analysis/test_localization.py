"""Shares of weight in a box, against weights that were planted and against pixels counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from xattn_viz.analysis.localization import Box, coverage, over_picture, overlap, share
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps

PICTURE = Axis.picture(2, 4, special=("[CLS]",))
_HALF: Box = (0.0, 0.0, 1.0, 0.5)
WORDS = Axis("text", labels=("a", "red", "circle"))


def planted(seed: int = 0) -> NDArray[np.float32]:
    """`[layer, head, query, key]` of 2 layers and 3 heads; rows sum to 1."""
    weights = np.random.default_rng(seed).uniform(size=(2, 3, len(WORDS), len(PICTURE)))
    made: NDArray[np.float32] = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)
    return made


def captioner() -> AttentionMaps:
    return AttentionMaps(planted(), WORDS, PICTURE, "cross", (0, 1))


def test_planted_weight_is_found() -> None:
    weights = planted()
    weights[1, 2, 2] = [0.5, *[0.05] * 6, 0.2, 0]  # the class token, then patches: much on row 2, column 3
    maps = AttentionMaps(weights, WORDS, PICTURE, "cross", (0, 1))
    found = share(maps, 1, 2, 2, (0.5, 0.5, 0.75, 1.0))
    assert found.weight == pytest.approx(0.2 / 0.5)
    assert (found.area, found.hit) == (0.125, True)
    assert found.special == pytest.approx(0.5)
    assert found.gain == pytest.approx(0.4 / 0.125)
    half = share(maps, 1, 2, 2, (0.5, 0.75, 0.75, 1.0))
    assert half.weight == pytest.approx(0.1 / 0.5)
    assert half.hit  # the middle of the patch lies on the edge
    assert not share(maps, 1, 2, 2, (0.5, 0.8, 0.75, 1.0)).hit
    assert not share(maps, 1, 2, 2, (0.0, 0.0, 1.0, 0.5)).hit


def test_the_words_of_a_hint_lie_outside_the_picture() -> None:
    labels, special = ("[CLS]", *[""] * 8, "red"), (True, *[False] * 9)
    keys = Axis("image", labels=labels, special=special, grid=(2, 4), parts=(("picture", 0, 9), ("hint", 9, 10)))
    row = np.array([0.1, *[0.05] * 8, 0.5], np.float32)
    found = share(
        AttentionMaps(row[None, None, None], Axis("text", labels=("a",)), keys, "cross", (0,)), 0, 0, 0, _HALF
    )
    assert found.weight == pytest.approx(0.5)
    assert found.special == pytest.approx(0.6)


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (0.1, 0.2, 0.9, 0.35), (0.31, 0.05, 0.32, 0.95)])
def test_shares_are_those_of_pixels(box: Box) -> None:
    maps, fine = captioner(), 200  # pixels along a side
    left, top, right, bottom = (round(edge * fine) for edge in box)
    for layer, head in ((0, 1), (1, None), (None, None)):
        rows = maps.weights if layer is None else maps.weights[layer : layer + 1]
        rows = rows if head is None else rows[:, head : head + 1]
        patches = rows[:, :, 1].mean((0, 1))[1:].reshape(PICTURE.grid or ())
        pixels = np.kron(patches, np.ones((fine // 2, fine // 4)))
        expected = pixels[top:bottom, left:right].sum() / pixels.sum()
        assert share(maps, layer, head, 1, box).weight == pytest.approx(expected, abs=1e-6)
    assert coverage(PICTURE, box).sum() / 8 == pytest.approx(share(maps, 0, 0, 0, box).area)


def test_the_picture_may_be_on_the_other_side() -> None:
    """A diffusion model's patches look at words: a word's column is what it is looked at by."""
    weights = np.random.default_rng(1).uniform(size=(1, 2, 8, 3)).astype(np.float32)
    weights /= weights.sum(-1, keepdims=True)
    maps = AttentionMaps(weights, Axis.picture(2, 4), WORDS, "cross", (0,))
    box = (0.0, 0.5, 0.5, 1.0)
    column = weights[0, 1, :, 2]
    assert share(maps, 0, 1, 2, box).weight == pytest.approx(column[[4, 5]].sum() / column.sum(), abs=1e-6)
    assert share(maps, 0, 1, 2, box).special == 0


def test_pieces_of_a_word_are_averaged_and_empty_rows_find_nothing() -> None:
    maps = captioner()
    axis, values = over_picture(maps, 0, 0, (1, 2))
    assert axis is maps.keys
    np.testing.assert_allclose(values, maps.weights[0, 0, 1:].mean(0), rtol=1e-6)
    empty = AttentionMaps(np.zeros((1, 1, 3, 9), np.float32), WORDS, PICTURE, "cross", (0,), altered=("ablated",))
    nothing = share(empty, 0, 0, 0, (0.0, 0.0, 1.0, 1.0))
    assert (nothing.weight, nothing.hit) == (0.0, False)


def test_what_is_not_there_is_named() -> None:
    maps, whole = captioner(), (0.0, 0.0, 1.0, 1.0)
    text = AttentionMaps(np.full((1, 1, 3, 3), 1 / 3, np.float32), WORDS, WORDS, "cross", (0,))
    for words, asked in (
        ("Neither side", (text, 0, 0, 0, whole)),
        ("no layer 7", (maps, 7, 0, 0, whole)),
        ("no head 3", (maps, 0, 3, 0, whole)),
        ("no word at 3", (maps, 0, 0, 3, whole)),
        (r"no word at \(\)", (maps, 0, 0, (), whole)),
        ("A box is", (maps, 0, 0, 0, (0.5, 0.0, 0.5, 1.0))),
        ("A box is", (maps, 0, 0, 0, (0.0, 0.0, 1.1, 1.0))),
    ):
        with pytest.raises(ValueError, match=words):
            share(*asked)
    with pytest.raises(ValueError, match="no grid"):
        coverage(WORDS, whole)


def test_a_region_that_is_the_thing_overlaps_it_wholly() -> None:
    """A map as fine as the mask needs no smoothing: intersection and union are counted by hand."""
    mask = np.zeros((2, 4), bool)
    mask[0, :2] = True
    weights = np.array([1.0, 0.6, 0.4, 0, 0, 0, 0, 0.9])
    maps = AttentionMaps(
        weights.astype(np.float32)[None, None, :, None],
        Axis.picture(2, 4),
        Axis("text", labels=("red",)),
        "cross",
        (0,),
        altered=("joint",),
    )
    found = overlap(maps, 0, 0, 0, mask, (0.3, 0.5, 0.95))
    np.testing.assert_allclose(found, [2 / 4, 2 / 3, 1 / 2])
    finer = mask.repeat(8, 0).repeat(8, 1)  # in the middle of a patch the smooth map has its value
    assert overlap(maps, 0, 0, 0, finer, (0.5,))[0] == pytest.approx(2 / 3, abs=0.1)
    with pytest.raises(ValueError, match="a place that is true"):
        overlap(maps, 0, 0, 0, np.zeros((2, 4), bool))
