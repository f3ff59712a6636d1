from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.speech import SOUNDING, encoder_maps, speech_maps
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.selection import choose, round_seconds, thinned


def planted() -> AttentionMaps:
    weights = np.full((2, 3, 2, 4), 0.25, dtype=np.float32)
    weights[0, 1, 0] = (0.9, 0.1, 0, 0)
    weights[1, 2, 1] = (0, 0, 0.6, 0.4)
    return AttentionMaps(
        weights,
        queries=Axis("text", labels=("o", "gato")),
        keys=Axis("text", labels=("the", "cat", ".", "</s>")),
        kind="cross",
        layers=(3, 5),
        read=Axis("text", labels=("<s>", "o")),
    )


def test_a_head_is_chosen_by_the_models_own_layer_number_and_named_from_1() -> None:
    chosen = choose(planted(), layer=5, head=2)
    assert np.array_equal(chosen.weights, planted().weights[1, 2])
    assert chosen.title == "Cross-attention, layer 6, head 3 (counted from 1)"
    assert chosen.top == pytest.approx(0.6)
    assert choose(planted(), layer=-1, head=-1).title == chosen.title


def test_no_head_is_the_mean_of_the_layer() -> None:
    chosen = choose(planted(), layer=3, head=None)
    np.testing.assert_allclose(chosen.weights, planted().weights[0].mean(0), rtol=1e-6)
    assert chosen.title == "Cross-attention, layer 4, mean of 3 heads (counted from 1)"
    assert chosen.sentence("gato", "cat", "0.25").startswith("Predicting gato, the heads of this layer on average put")


def test_the_common_scale_ends_at_the_maximum_of_all_heads() -> None:
    assert choose(planted(), 5, 2, scale="common").top == pytest.approx(0.9)
    assert "all heads" in choose(planted(), 5, 2, scale="common").scale_name


def test_rows_can_be_named_for_the_input_token() -> None:
    chosen = choose(planted(), rows="input")
    assert chosen.queries.labels == ("<s>", "o")
    assert chosen.rows_title == "input token"
    assert chosen.sentence("o", "cat", "0.10") == "Reading o, this head put 0.10 on cat"
    assert choose(planted()).sentence("gato", "cat", "0.83") == "Predicting gato, this head put 0.83 on cat"


def test_self_attention_never_speaks_of_predicting() -> None:
    chosen = choose(replace(planted(), kind="encoder", read=None))
    assert (chosen.doing, chosen.rows_title) == ("Reading", "input token")
    assert chosen.title.startswith("Encoder self-attention")


def test_a_map_of_zeros_still_has_a_scale() -> None:
    zeros = replace(planted(), weights=np.zeros((2, 3, 2, 4), np.float32), altered=("masked",))
    assert choose(zeros).top == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": 4}, "no layer 4: these maps hold layers 3, 5"),
        ({"head": 3}, "no head 3"),
        ({"scale": "log"}, "'head' or 'common': got 'log'"),
        ({"rows": "both"}, "'predicted' or the 'input' token: got 'both'"),
    ],
)
def test_bad_choices_are_named(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        choose(planted(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (1500, 60)])
def test_thinned_positions_fit_and_begin_at_the_first(count: int, most: int) -> None:
    positions = thinned(count, most)
    assert len(positions) <= most
    assert positions[:1] == list(range(count))[:1]
    assert len(set(np.diff(positions).tolist())) <= 1


def test_of_sound_the_padding_is_left_out_and_its_share_said() -> None:
    maps = speech_maps()
    chosen = choose(maps, 1, 2, scale="common")
    assert np.array_equal(chosen.weights, maps.weights[1, 2, :, :SOUNDING])
    assert chosen.keys == maps.keys.take(range(SOUNDING))
    assert chosen.top == maps.weights[..., :SOUNDING].max()
    share = maps.weights[1, 2, :, SOUNDING:].sum() / 4
    assert chosen.keys_title == f"seconds (padding left out, with {share:.0%} of the weight)"
    assert choose(maps.without_padding(), 1, 2).keys_title == chosen.keys_title
    for other in (replace(maps, altered=("ablated",)), maps.max_over_all()):
        assert choose(other).keys_title == "seconds (padding left out)"
    assert choose(speech_maps(sounding=12)).keys_title == "seconds"
    between = choose(encoder_maps())
    assert (between.weights.shape, between.rows_title) == ((SOUNDING, SOUNDING), "seconds")
    assert between.queries == between.keys


@pytest.mark.parametrize(
    ("start", "end", "most", "wanted"),
    [
        (0, 11, 12, list(range(12))),
        (28.746, 55.106, 15, list(range(30, 56, 2))),
        (5.0, 5.16, 5, [5.0, 5.05, 5.1, 5.15]),
        (0, 30, 5, [0, 10, 20, 30]),
        (3.0, 3.0, 5, [3.0]),
    ],
)
def test_round_seconds_fit_and_lie_inside(start: float, end: float, most: int, wanted: list[float]) -> None:
    assert round_seconds(start, end, most) == wanted


def test_of_a_picture_patches_are_named_on_either_side() -> None:
    weights, words, patches = np.full((1, 1, 4, 4), 0.25, np.float32), planted().keys, Axis("image", grid=(2, 2))
    read = choose(AttentionMaps(weights, words, patches, "cross", (0,)))
    assert (read.doing, read.rows_title, read.keys_title) == ("Predicting", "predicted token", "patch")
    drawn = choose(AttentionMaps(weights, patches, words, "cross", (0,)))
    assert (drawn.doing, drawn.rows_title, drawn.keys_title) == ("Drawing", "patch", "prompt token")
    within = choose(AttentionMaps(weights, patches, patches, "encoder", (0,)))
    assert (within.doing, within.rows_title, within.keys_title) == ("Reading", "patch", "patch")


def test_of_a_perceiver_latents_are_named_on_either_side() -> None:
    weights, words, patches = np.full((1, 1, 4, 4), 0.25, np.float32), planted().keys, Axis("image", grid=(2, 2))
    latents = Axis("latent", labels=tuple("1234"))

    def said(queries: Axis, keys: Axis, kind: MapKind) -> tuple[str, ...]:
        chosen = choose(AttentionMaps(weights, queries, keys, kind, (0,)), 0, 0)
        return chosen.title.split(",")[0], chosen.doing, chosen.rows_title, chosen.keys_title

    assert said(latents, patches, "cross") == ("Encoding cross-attention", "Filling", "latent", "patch")
    assert said(latents, latents, "encoder") == ("Latent self-attention", "Updating", "latent", "latent")
    assert said(patches, latents, "decoder") == ("Decoding cross-attention", "Answering for", "patch", "latent")
    assert said(words, latents, "decoder") == ("Decoding cross-attention", "Answering for", "answer", "latent")
