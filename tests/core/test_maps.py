from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.speech import SOUNDING, encoder_maps, speech_maps
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, Projections

KEYS = Axis("text", labels=("The", "kit", "ty", "</s>"), words=(0, 1, 1, 2), special=(False, False, False, True))
QUERIES = Axis("text", labels=("ga", "to", "</s>"), words=(0, 0, 1), special=(False, False, True))
READ = Axis("text", labels=("<s>", "ga", "to"), words=(0, 1, 1), special=(True, False, False))


def weights_of(seed: int = 0, dtype: str = "float32", shape: tuple[int, ...] = (2, 3, 3, 4)) -> NDArray[Any]:
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.3), shape[:-1]).astype(dtype)


def maps_of(weights: NDArray[Any] | None = None, **fields: Any) -> AttentionMaps:
    weights = weights_of() if weights is None else weights
    given: dict[str, Any] = {"queries": QUERIES, "keys": KEYS, "kind": "cross", "layers": (2, 5)}
    return AttentionMaps(weights, **(given | fields))


def test_weights_become_read_only_and_leave_the_callers_array_alone() -> None:
    mine = weights_of()
    maps = maps_of(mine)
    mine[:] = 0
    assert maps.weights.sum() == pytest.approx(18, abs=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        maps.weights[0, 0, 0, 0] = 1


@pytest.mark.parametrize(
    ("weights", "fields", "sentence"),
    [
        (np.ones((3, 4), "f4"), {}, r"got 2 axes of shape \(3, 4\)"),
        (weights_of(dtype="float64"), {}, r"must be float16 or float32: got float64 of shape \(2, 3, 3, 4\)"),
        (weights_of(shape=(2, 3, 3, 5)), {}, r"have shape \(2, 3, 3, 5\), but the axes say \(2, 3, 3, 4\)"),
        (weights_of(), {"layers": (0,)}, r"the axes say \(1, 3, 3, 4\)"),
        (weights_of(), {"read": KEYS}, "4 tokens read do not fit the 3 rows"),
        (np.full((2, 3, 3, 4), np.nan, "f4"), {}, "NaN or infinity"),
        (np.full((2, 3, 3, 4), -0.25, "f4"), {}, "outside 0 … 1"),
        (weights_of() * np.float32(0.9), {}, "layer 2, head 0, row 0 sums to 0.9000"),
        (weights_of() * np.float32(0.9), {"altered": ("masked",)}, "sums to 0.9000"),
        (np.zeros((2, 3, 3, 4), "f4"), {}, "sums to 0.0000"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_their_shape(
    weights: NDArray[Any], fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        maps_of(weights, **fields)


def test_one_wrong_row_among_many_is_named() -> None:
    weights = weights_of()
    weights[1, 2, 1] = (0.5, 0.4, 0, 0)
    with pytest.raises(ValueError, match=r"layer 5, head 2, row 1 sums to 0\.9000"):
        maps_of(weights)


@pytest.mark.parametrize("why", ["cropped", "aggregated", "ablated"])
def test_rows_that_do_not_sum_to_1_need_a_reason(why: str) -> None:
    assert maps_of(weights_of() * np.float32(0.9), altered=(why,)).altered == (why,)


def test_fully_masked_rows_are_zeros() -> None:
    weights = weights_of()
    weights[0, 0, 1] = 0
    assert maps_of(weights, altered=("masked",)).weights[0, 0, 1].tolist() == [0, 0, 0, 0]


def test_float16_has_its_own_tolerance() -> None:
    weights = weights_of(dtype="float16", shape=(1, 1, 1, 1500))
    axis = Axis("audio", times=tuple((i * 0.02, i * 0.02 + 0.02) for i in range(1500)))
    maps = AttentionMaps(weights, Axis("text", labels=("a",)), axis, "cross", (0,))
    assert maps.weights.dtype == np.float16


def test_layers_go_by_the_models_own_numbers_or_from_the_end() -> None:
    maps = maps_of()
    assert np.array_equal(maps.head(5, 1), maps.weights[1, 1])
    assert np.array_equal(maps.head(-2, -1), maps.weights[0, 2])
    for layer, head, sentence in (
        (0, 0, "no layer 0: these maps hold layers 2, 5"),
        (5, 3, "no head 3"),
        (-3, 0, "-3"),
    ):
        with pytest.raises(ValueError, match=sentence):
            maps.head(layer, head)


def test_by_input_token_renames_the_rows_and_keeps_the_weights() -> None:
    maps = maps_of(read=READ)
    assert maps.by_input_token().queries == READ
    assert np.array_equal(maps.by_input_token().weights, maps.weights)
    assert maps_of().by_input_token() == maps_of()


def test_without_special_keeps_the_weights_of_what_is_left() -> None:
    maps = maps_of(read=READ).without_special()
    assert np.array_equal(maps.weights, weights_of()[:, :, :2, :3])
    assert (maps.queries.labels, maps.keys.labels) == (("ga", "to"), ("The", "kit", "ty"))
    assert maps.read is not None
    assert maps.read.labels == ("<s>", "ga")
    assert maps.altered == ("cropped",)
    with pytest.raises(ValueError, match="Every position of these maps is special"):
        replace(maps_of(), queries=replace(QUERIES, special=(True, True, True))).without_special()


@given(st.integers(0, 10**6), st.sampled_from(["float16", "float32"]))
def test_words_sum_over_keys_and_average_over_queries(seed: int, dtype: str) -> None:
    """Against a membership matrix: words = mean over rows · weights · sum over columns."""
    weights = weights_of(seed, dtype)
    words = maps_of(weights, read=READ).to_words()
    into = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    out_of = np.array([[0.5, 0.5, 0], [0, 0, 1]])
    oracle = np.einsum("wq,lhqk,kv->lhwv", out_of, weights.astype(np.float64), into)
    np.testing.assert_allclose(words.weights, oracle, atol=1e-6)  # a few float32 additions of numbers up to 1
    # Sums of float16 weights inherit their rounding, at most 2⁻¹¹ of each.
    np.testing.assert_allclose(words.weights.sum(-1), 1, atol=1e-6 if dtype == "float32" else 1e-3)
    assert words.keys.labels == ("The", "kitty", "</s>")
    assert words.queries.labels == ("gato", "</s>")
    assert words.read is not None
    assert words.read.labels == ("<s>", "to")
    assert words.altered == ("aggregated",)


def test_float16_pieces_whose_rounded_weights_exceed_1_still_make_a_word() -> None:
    third = np.full((1, 1, 1, 3), 1 / 3, dtype=np.float16)
    third[..., 0] = 0.334
    keys = Axis("text", labels=("a", "b", "c"), words=(0, 0, 0))
    words = AttentionMaps(third, Axis("text", labels=("x",)), keys, "cross", (0,)).to_words()
    assert words.weights[0, 0, 0, 0] == pytest.approx(1, abs=2e-3)


def test_an_axis_without_words_keeps_its_positions() -> None:
    frames = Axis("audio", times=tuple((float(i), i + 1.0) for i in range(4)))
    words = maps_of(keys=frames).to_words()
    assert words.keys == frames
    assert words.weights.shape == (2, 3, 2, 4)


def test_means_and_maximum_against_numpy() -> None:
    maps, weights = maps_of(), weights_of().astype(np.float64)
    np.testing.assert_allclose(maps.mean().weights, weights.mean(1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(maps.mean_over_all().weights[0, 0], weights.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(maps.max_over_all().weights[0, 0], weights.max((0, 1)), atol=1e-6)
    assert maps.mean().layers == (2, 5)
    assert maps.max_over_all().weights.shape == (1, 1, 3, 4)


def test_scores_give_the_weights_through_the_softmax() -> None:
    random = np.random.default_rng(0)
    q, k = random.normal(size=(2, 3, 3, 8)).astype("f4"), random.normal(size=(2, 3, 4, 8)).astype("f4")
    for bias in (None, random.normal(size=(1, 3, 3, 4)).astype("f4"), random.normal(size=(3, 4)).astype("f4")):
        scores = np.einsum("lhqd,lhkd->lhqk", q.astype("f8"), k.astype("f8")) / np.sqrt(8)
        scores = scores + (0 if bias is None else bias)
        weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        maps = maps_of(weights.astype("f4"), projections=Projections(q, k, 1 / np.sqrt(8), bias))
        assert maps.projections is not None
        # d_k = 8 products of numbers up to 4 in float32: 1e-5 is some ten times their rounding.
        np.testing.assert_allclose(maps.projections.scores(1, 2), scores[1, 2], atol=1e-5)


def test_projections_that_do_not_fit_are_refused() -> None:
    q, k = np.zeros((2, 3, 3, 8), "f4"), np.zeros((2, 3, 4, 8), "f4")
    with pytest.raises(ValueError, match=r"got \(2, 3, 3, 8\) and \(2, 3, 4, 4\)"):
        Projections(q, k[..., :4], 1.0)
    with pytest.raises(ValueError, match="do not fit weights of shape"):
        maps_of(projections=Projections(q[:, :, :2], k, 1.0))


def test_a_tidy_frame_has_one_row_a_weight() -> None:
    frame = maps_of().to_frame()
    assert len(frame) == 2 * 3 * 3 * 4
    row = frame.query("layer == 5 and head == 2 and query == 1 and key == 3").iloc[0]
    assert (row["query_label"], row["key_label"]) == ("to", "</s>")
    assert row["weight"] == maps_of().weights[1, 2, 1, 3]


def test_equality_sees_every_field() -> None:
    assert maps_of() == maps_of()
    changes: list[dict[str, Any]] = [
        {"weights": weights_of(1)},
        {"weights": weights_of(dtype="float16")},
        {"queries": replace(QUERIES, labels=("a", "b", "c"))},
        {"kind": "encoder"},
        {"layers": (0, 1)},
        {"read": READ},
        {"step": 1},
        {"altered": ("cropped",)},
        {"projections": Projections(np.zeros((2, 3, 3, 1), "f4"), np.zeros((2, 3, 4, 1), "f4"), 1.0)},
    ]
    for change in changes:
        assert replace(maps_of(), **change) != maps_of(), change


def test_padding_behind_sound_is_left_out_and_nothing_else() -> None:
    maps = speech_maps()
    own = maps.without_padding()
    assert np.array_equal(own.weights, maps.weights[..., :SOUNDING])
    assert own.keys == maps.keys.take(range(SOUNDING))
    assert own.altered == ("cropped",)
    between = encoder_maps().without_padding()
    assert np.array_equal(between.weights, encoder_maps().weights[:, :, :SOUNDING, :SOUNDING])
    assert own.without_padding() is own
    text = maps_of()  # </s> is special, and no padding
    assert text.without_padding() is text
    silence = speech_maps(sounding=0)
    assert silence.without_padding() is silence


def test_a_frame_of_sound_has_its_seconds_in_a_tidy_frame() -> None:
    maps = speech_maps()
    frame = maps.to_frame()
    assert list(frame.columns) == ["layer", "head", "query", "key", "query_label", "key_start", "key_end", "weight"]
    row = frame.query("layer == 1 and head == 2 and query == 3 and key == 7").iloc[0]
    assert (row["query_label"], row["key_start"], row["key_end"]) == ("t3", 5.14, 5.16)
    assert row["weight"] == maps.weights[1, 2, 3, 7]
    assert {"query_start", "query_end"} <= set(encoder_maps().to_frame().columns)
