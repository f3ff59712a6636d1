from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.speech import SOUNDING, speech_maps
from xattn_viz.analysis.heads import (
    WordLink,
    entropy,
    has_one_part_per_layer,
    max_entropy,
    most_attended,
    part_names,
    strongest_links,
    weight_by_part,
    weight_on_special,
)
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps


def maps_of(weights: np.ndarray, **fields: object) -> AttentionMaps:
    layers, _, queries, keys = weights.shape
    return AttentionMaps(
        weights,
        Axis("text", labels=tuple(f"q{i}" for i in range(queries))),
        Axis("text", labels=tuple(f"k{i}" for i in range(keys)), special=(*[False] * (keys - 1), True)),
        "cross",
        tuple(range(layers)),
        **fields,  # type: ignore[arg-type]
    )


def test_entropy_of_planted_rows_in_bits() -> None:
    rows = [[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0], [0.5, 0.25, 0.125, 0.125]]
    weights = np.array([[rows]], dtype=np.float32)
    # Powers of two are exact in float32, so are their logarithms.
    assert entropy(maps_of(weights)).tolist() == [[[0, 2, 1, 1.75]]]
    assert max_entropy(maps_of(weights)) == 2


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_entropy_agrees_with_the_sum_written_out_and_stays_in_its_range(seed: int, keys: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 4, (1, 2, 3, keys))
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    maps = maps_of(weights.astype(np.float32))
    oracle = -(weights * np.log(weights)).sum(-1) / np.log(2)
    # float32 weights: each term is off by at most about 1e-7 · log2(1e-7); 60 of them stay below 1e-4.
    np.testing.assert_allclose(entropy(maps), oracle, atol=1e-4)
    assert entropy(maps).min() >= 0
    assert entropy(maps).max() <= max_entropy(maps) + 1e-9


def test_entropy_of_a_cropped_row_is_that_among_the_keys_left_and_a_masked_row_has_none() -> None:
    weights = np.array([[[[0.25, 0.25, 0, 0], [0, 0, 0, 0]]]], dtype=np.float32)
    bits = entropy(maps_of(weights, altered=("cropped", "masked")))[0, 0]
    assert bits[0] == 1
    assert np.isnan(bits[1])


def test_one_key_leaves_nothing_to_be_unsure_of() -> None:
    maps = maps_of(np.ones((1, 1, 2, 1), np.float32))
    assert max_entropy(maps) == 0
    assert entropy(maps).tolist() == [[[0, 0]]]


def test_strongest_links_are_found_in_order_with_their_labels() -> None:
    weights = np.full((1, 2, 3, 4), 0.25, dtype=np.float32)
    weights[0, 1] = [[0.1, 0.7, 0.2, 0], [0.9, 0.1, 0, 0], [0, 0.2, 0.1, 0.7]]
    links = strongest_links(maps_of(weights), layer=0, head=1, n=3)
    assert [(link.query_label, link.key_label) for link in links] == [("q1", "k0"), ("q0", "k1"), ("q2", "k3")]
    assert [(link.query, link.key) for link in links] == [(1, 0), (0, 1), (2, 3)]
    assert [link.weight for link in links] == pytest.approx([0.9, 0.7, 0.7])
    assert len(strongest_links(maps_of(weights), 0, 1, n=100)) == 8  # weights of 0 are no links
    assert strongest_links(maps_of(weights), 0, 1, n=0) == []


def test_strongest_links_of_the_mean_of_a_layer() -> None:
    weights = np.zeros((1, 2, 1, 3), dtype=np.float32)
    weights[0, 0, 0] = (1, 0, 0)
    weights[0, 1, 0] = (0.5, 0.5, 0)
    assert strongest_links(maps_of(weights), head=None, n=1)[0].weight == pytest.approx(0.75)


def test_bad_choices_are_refused_in_words() -> None:
    maps = maps_of(np.ones((1, 1, 1, 1), np.float32))
    with pytest.raises(ValueError, match="0 or more: got -1"):
        strongest_links(maps, n=-1)
    with pytest.raises(ValueError, match="no head 4"):
        strongest_links(maps, head=4)
    with pytest.raises(ValueError, match="no layer 4"):
        strongest_links(maps, layer=4, head=None)


def test_weight_on_special_sums_special_columns_only() -> None:
    weights = np.array([[[[0.1, 0.2, 0.3, 0.4], [0, 0, 0, 1]]]], dtype=np.float32)
    maps = maps_of(weights)
    assert weight_on_special(maps).tolist()[0][0] == pytest.approx([0.4, 1])
    plain = replace(maps, keys=Axis("text", labels=("a", "b", "c", "d")))
    assert weight_on_special(plain).tolist() == [[[0, 0]]]


def test_over_sound_a_link_is_a_peak_in_time_outside_the_padding() -> None:
    maps = speech_maps(rows=6, frames=40, sounding=30)
    weights = maps.head(1, 2)[:, :40]
    peaks = [
        (float(weights[q, k]), q, k)
        for q in range(6)
        for k in range(30)
        if (k == 0 or weights[q, k] > weights[q, k - 1]) and (k == 39 or weights[q, k] >= weights[q, k + 1])
    ]
    links = strongest_links(maps, 1, 2, n=10)
    assert [(link.weight, link.query, link.key) for link in links] == sorted(peaks, reverse=True)[:10]
    start = 5 + 0.02 * links[0].key
    assert links[0].key_label == f"{start:.2f}–{start + 0.02:.2f} s"
    flat = replace(maps, weights=np.full((2, 3, 6, 40), 1 / 40, np.float32))
    assert [(link.query, link.key) for link in strongest_links(flat)] == [(q, 0) for q in range(5)]


KEYS = Axis(
    "image",
    labels=("[CLS]", "", "", "red", "</s>"),
    special=(True, False, False, False, True),
    grid=(1, 2),
    parts=(("picture", 0, 3), ("hint", 3, 5)),
)
QUERIES = Axis("text", labels=("a", "b"))


def maps(weights: list[list[float]], keys: Axis = KEYS) -> AttentionMaps:
    """Two layers of one head, the same rows in both."""
    return AttentionMaps(np.array([[weights]] * 2, np.float32), QUERIES, keys, "cross", (0, 1))


def test_shares_of_parts_are_sums_of_weights() -> None:
    mixed = maps([[0.1, 0.2, 0.3, 0.25, 0.15], [0, 0, 0, 0.5, 0.5]])
    assert part_names(mixed) == ("picture", "hint")
    np.testing.assert_allclose(weight_by_part(mixed), np.array([[[[0.6, 0.4], [0.0, 1.0]]]] * 2), atol=1e-7)
    assert not has_one_part_per_layer(mixed)


def test_layers_over_one_part_each_are_apart() -> None:
    weights = np.zeros((2, 1, 2, 5), np.float32)
    weights[0, :, :, :2] = 0.5
    weights[1, :, :, 4] = 1
    assert has_one_part_per_layer(AttentionMaps(weights, QUERIES, KEYS, "cross", (0, 1)))


def test_keys_of_one_sequence_have_no_parts() -> None:
    with pytest.raises(ValueError, match="one text sequence"):
        weight_by_part(maps([[0.2] * 5] * 2, Axis("text", labels=("a", "b", "c", "d", "e"))))


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


def words_of(links: list[WordLink]) -> list[tuple[str, str]]:
    return [(link.source, link.target) for link in links]


def test_a_planted_alignment_comes_back_between_words_in_source_order() -> None:
    assert most_attended(black_cat(), layer=0, head=1) == [
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
    links = most_attended(AttentionMaps(weights, queries, keys, "cross", (0,)))
    assert links == [
        WordLink(1, 2, "the", "o"),
        WordLink(2, 3, "cat", "gato"),
        WordLink(3, 0, "the", "o"),
        WordLink(4, 1, "dog", "cão"),
    ]
    groups = keys.word_groups()
    assert ["".join(keys.name(i) for i in groups[link.source_index]) for link in links] == ["the", "cat", "the", "dog"]


def test_equal_weights_of_words_go_to_the_earlier_source_word() -> None:
    # Head 0 is even: "kitty" has two pieces, so its sum is largest for every target word.
    assert words_of(most_attended(black_cat(), layer=0, head=0)) == [
        ("kitty", "O"),
        ("kitty", "gato"),
        ("kitty", "preto"),
    ]
    even = AttentionMaps(
        np.full((1, 1, 2, 3), 1 / 3, np.float32),
        Axis("text", labels=("a", "b")),
        Axis("text", labels=("x", "y", "z")),
        "cross",
        (0,),
    )
    assert words_of(most_attended(even)) == [("x", "a"), ("x", "b")]


def test_the_word_attended_to_most_in_the_mean_over_the_heads() -> None:
    # In the mean, "O" has 0.3 on "The", 0.1 on "black" and 0.1 + 0.1 on "kitty".
    assert most_attended(black_cat(), head=None)[0] == WordLink(0, 0, "The", "O")


def test_what_cannot_be_aligned_is_said() -> None:
    with pytest.raises(ValueError, match="no layer 7"):
        most_attended(black_cat(), layer=7)
    only = Axis("text", labels=("</s>",), special=(True,))
    with pytest.raises(ValueError, match="Every position of these maps is special"):
        most_attended(AttentionMaps(np.ones((1, 1, 1, 1), np.float32), only, only, "cross", (0,)))


def test_over_sound_a_word_is_paired_with_the_frame_that_it_attends_to_most() -> None:
    maps = speech_maps()
    best = maps.head(1, 2)[:, :SOUNDING].argmax(axis=1)
    wanted = sorted((int(key), row) for row, key in enumerate(best))
    assert most_attended(maps, 1, 2) == [WordLink(key, row, maps.keys.name(key), f"t{row}") for key, row in wanted]
