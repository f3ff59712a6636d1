from __future__ import annotations

import numpy as np
import pytest

from tests.speech import SOUNDING, speech_maps
from xattn_viz.analysis.alignment import WordLink, align
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps


def black_cat() -> AttentionMaps:
    """ "The black kit|ty </s>" → "O gato pre|to </s>", head 1 of layer 0 planted as the alignment, head 0 even."""
    keys = Axis(
        "text",
        labels=("The", "black", "kit", "ty", "</s>"),
        words=(0, 1, 2, 2, 3),
        special=(False, False, False, False, True),
    )
    queries = Axis(
        "text",
        labels=("O", "gato", "pre", "to", "</s>"),
        words=(0, 1, 2, 2, 3),
        special=(False, False, False, False, True),
    )
    weights = np.full((1, 2, 5, 5), 0.2, dtype=np.float32)
    weights[0, 1] = [
        [0.4, 0.0, 0.0, 0.0, 0.6],  # </s> is largest, and left out
        [0.0, 0.4, 0.3, 0.3, 0.0],  # no piece of "kitty" is largest, their sum is
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.4, 0.3, 0.1, 0.1, 0.1],  # this piece alone says "The"; with its other half the word says "black"
        [1.0, 0.0, 0.0, 0.0, 0.0],
    ]
    return AttentionMaps(weights, queries, keys, "cross", (0,))


def words(links: list[WordLink]) -> list[tuple[str, str]]:
    return [(link.source, link.target) for link in links]


def test_a_planted_alignment_comes_back_between_words_in_source_order() -> None:
    assert align(black_cat(), layer=0, head=1) == [
        WordLink(0, 0, "The", "O"),
        WordLink(1, 2, "black", "preto"),
        WordLink(2, 1, "kitty", "gato"),
    ]


def test_two_words_that_say_the_same_are_told_apart_by_their_numbers() -> None:
    """ "the cat the dog" behind a prompt that is special: numbers are those of the whole axis, prompt included."""
    keys = Axis(
        "text",
        labels=(">>pt<<", "the", "c", "at", "the", "dog"),
        words=(0, 1, 2, 2, 3, 4),
        special=(True, False, False, False, False, False),
    )
    queries = Axis("text", labels=("o", "cão", "o", "gato"))  # no words: its positions
    weights = np.zeros((1, 1, 4, 6), np.float32)
    weights[0, 0, range(4), [4, 5, 1, 2]] = 1
    links = align(AttentionMaps(weights, queries, keys, "cross", (0,)))
    assert links == [
        WordLink(1, 2, "the", "o"),
        WordLink(2, 3, "cat", "gato"),
        WordLink(3, 0, "the", "o"),
        WordLink(4, 1, "dog", "cão"),
    ]
    groups = keys.word_groups()
    assert ["".join(keys.name(i) for i in groups[link.source_index]) for link in links] == ["the", "cat", "the", "dog"]


def test_equal_weights_go_to_the_earlier_source_word() -> None:
    # Head 0 is even: "kitty" has two pieces, so its sum is largest for every target word.
    assert words(align(black_cat(), layer=0, head=0)) == [("kitty", "O"), ("kitty", "gato"), ("kitty", "preto")]
    even = AttentionMaps(
        np.full((1, 1, 2, 3), 1 / 3, np.float32),
        Axis("text", labels=("a", "b")),
        Axis("text", labels=("x", "y", "z")),
        "cross",
        (0,),
    )
    assert words(align(even)) == [("x", "a"), ("x", "b")]


def test_the_mean_over_the_heads() -> None:
    # In the mean, "O" has 0.3 on "The", 0.1 on "black" and 0.1 + 0.1 on "kitty".
    assert align(black_cat(), head=None)[0] == WordLink(0, 0, "The", "O")


def test_what_cannot_be_aligned_is_said() -> None:
    with pytest.raises(ValueError, match="no layer 7"):
        align(black_cat(), layer=7)
    only = Axis("text", labels=("</s>",), special=(True,))
    with pytest.raises(ValueError, match="Every position of these maps is special"):
        align(AttentionMaps(np.ones((1, 1, 1, 1), np.float32), only, only, "cross", (0,)))


def test_over_sound_a_word_is_paired_with_the_frame_that_it_attends_to_most() -> None:
    maps = speech_maps()
    best = maps.head(1, 2)[:, :SOUNDING].argmax(axis=1)
    wanted = sorted((int(key), row) for row, key in enumerate(best))
    assert align(maps, 1, 2) == [WordLink(key, row, maps.keys.name(key), f"t{row}") for key, row in wanted]
