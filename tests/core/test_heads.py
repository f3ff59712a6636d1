from __future__ import annotations

import re

import pytest

from xattn_viz.core import heads
from xattn_viz.core.heads import Reduction


@pytest.mark.parametrize(
    ("layer", "head", "title", "key", "slug"),
    [
        (1, 0, "layer 2, head 1", "2.1", "L2H1"),
        (11, "mean", "layer 12, mean over heads", "12.mean", "L12mean"),
        (0, "max", "layer 1, maximum over heads", "1.max", "L1max"),
        (None, "mean", "mean over all heads", "mean", "mean"),
        (None, "max", "maximum over all heads", "max", "max"),
    ],
)
def test_a_head_has_its_name_in_words_in_an_address_and_in_a_file(
    layer: int | None, head: int | Reduction, title: str, key: str, slug: str
) -> None:
    assert heads.title(layer, head) == title
    assert heads.key(layer, head) == key
    assert heads.slug(layer, head) == slug
    assert heads.parse(key) == (layer, head)


def test_no_head_is_the_mean_over_them() -> None:
    assert heads.key(1, None) == "2.mean"
    assert heads.title(None, None) == "mean over all heads"


@pytest.mark.parametrize("text", ["0.1", "1.0", "0.mean", "00.1"])
def test_there_is_no_head_nought(text: str) -> None:
    with pytest.raises(ValueError, match=f"^Layers and heads count from 1, so '{re.escape(text)}' names none.$"):
        heads.parse(text)


@pytest.mark.parametrize("text", ["", "2", "2.", ".1", "-1.1", "2.1.1", "2.1 ", "٢.١", "L2H1", "12345.1", "min"])
def test_what_names_no_head_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no head: give layer\.head, such as 2\.1"):
        heads.parse(text)


def test_a_head_without_its_layer_has_no_name() -> None:
    with pytest.raises(ValueError, match="name the layer too"):
        heads.key(None, -1)
