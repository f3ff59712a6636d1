from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.speech import SOUNDING, encoder_maps, speech_maps
from tests.web.explorer.packed import texts
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import Reduction, View, head_key, head_slug, head_title, parse_head, select


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
    chosen = select(planted(), layer=5, head=2)
    assert np.array_equal(chosen.weights, planted().weights[1, 2])
    assert chosen.title == "Cross-attention, layer 6, head 3 (counted from 1)"
    assert chosen.top == pytest.approx(0.6)
    assert select(planted(), layer=-1, head=-1).title == chosen.title


def test_no_head_is_the_mean_of_the_layer() -> None:
    chosen = select(planted(), layer=3, head=None)
    np.testing.assert_allclose(chosen.weights, planted().weights[0].mean(0), rtol=1e-6)
    assert chosen.title == "Cross-attention, layer 4, mean of 3 heads (counted from 1)"
    assert chosen.sentence("gato", "cat", "0.25").startswith("Predicting gato, the heads of this layer on average put")


def test_the_common_scale_ends_at_the_maximum_of_all_heads() -> None:
    assert select(planted(), 5, 2, scale="common").top == pytest.approx(0.9)
    assert "all heads" in select(planted(), 5, 2, scale="common").scale_name


def test_rows_can_be_named_for_the_input_token() -> None:
    chosen = select(planted(), rows="input")
    assert chosen.queries.labels == ("<s>", "o")
    assert chosen.rows_title == "word just written"
    assert chosen.sentence("o", "cat", "0.10") == "Reading o, this head put 0.10 on cat"
    assert select(planted()).sentence("gato", "cat", "0.83") == "Predicting gato, this head put 0.83 on cat"


def test_self_attention_never_speaks_of_predicting() -> None:
    chosen = select(replace(planted(), kind="encoder", read=None))
    assert (chosen.doing, chosen.rows_title) == ("Reading", "source word being represented")
    assert chosen.title.startswith("Encoder self-attention")


def test_a_map_of_zeros_still_has_a_scale() -> None:
    zeros = replace(planted(), weights=np.zeros((2, 3, 2, 4), np.float32), altered=("masked",))
    assert select(zeros).top == 1


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
        select(planted(), **options)  # type: ignore[arg-type]


def test_of_sound_the_padding_is_left_out_and_its_share_said() -> None:
    maps = speech_maps()
    chosen = select(maps, 1, 2, scale="common")
    assert np.array_equal(chosen.weights, maps.weights[1, 2, :, :SOUNDING])
    assert chosen.keys == maps.keys.take(range(SOUNDING))
    assert chosen.top == maps.weights[..., :SOUNDING].max()
    share = maps.weights[1, 2, :, SOUNDING:].sum() / 4
    heard = "sound being heard, in seconds"
    assert chosen.keys_title == f"{heard} (padding left out, with {share:.0%} of the weight)"
    assert select(maps.without_padding(), 1, 2).keys_title == chosen.keys_title
    for other in (replace(maps, altered=("ablated",)), maps.max_over_all()):
        assert select(other).keys_title == f"{heard} (padding left out)"
    assert select(speech_maps(sounding=12)).keys_title == heard
    between = select(encoder_maps())
    assert between.weights.shape == (SOUNDING, SOUNDING)
    assert between.rows_title == "sound being represented, in seconds"
    assert between.queries == between.keys


def test_of_a_picture_patches_are_named_on_either_side() -> None:
    weights, words, patches = np.full((1, 1, 4, 4), 0.25, np.float32), planted().keys, Axis("image", grid=(2, 2))
    read = select(AttentionMaps(weights, words, patches, "cross", (0,)))
    assert (read.doing, read.rows_title, read.keys_title) == ("Predicting", "word being written", "patch being read")
    drawn = select(AttentionMaps(weights, patches, words, "cross", (0,)))
    assert (drawn.doing, drawn.rows_title, drawn.keys_title) == (
        "Drawing",
        "patch being drawn",
        "prompt word being read",
    )
    within = select(AttentionMaps(weights, patches, patches, "encoder", (0,)))
    assert (within.doing, within.rows_title, within.keys_title) == (
        "Reading",
        "patch being represented",
        "patch being read",
    )


def test_of_a_perceiver_latents_are_named_on_either_side() -> None:
    weights, words, patches = np.full((1, 1, 4, 4), 0.25, np.float32), planted().keys, Axis("image", grid=(2, 2))
    latents = Axis("latent", labels=tuple("1234"))

    def said(queries: Axis, keys: Axis, kind: MapKind) -> tuple[str, ...]:
        chosen = select(AttentionMaps(weights, queries, keys, kind, (0,)), 0, 0)
        return chosen.title.split(",")[0], chosen.doing, chosen.rows_title, chosen.keys_title

    filled, updated = ("latent being filled", "patch being read"), ("latent being updated", "latent being read")
    answered = ("answer being made", "latent being read")
    assert said(latents, patches, "cross") == ("Encoding cross-attention", "Filling", *filled)
    assert said(latents, latents, "encoder") == ("Latent self-attention", "Updating", *updated)
    assert said(patches, latents, "decoder") == ("Decoding cross-attention", "Answering for", *answered)
    assert said(words, latents, "decoder") == ("Decoding cross-attention", "Answering for", *answered)


_HEADS = st.tuples(st.integers(0, 999), st.one_of(st.integers(0, 999), st.just("mean")))
_VIEWS = st.builds(
    lambda head, **others: View(layer=head[0], head=head[1], **others),
    head=_HEADS | st.sampled_from([(None, "mean"), (None, "max")]),
    kind=st.sampled_from(["cross", "encoder", "decoder"]),
    units=st.sampled_from(["pieces", "words", "sentences"]),
    rows=st.sampled_from(["predicted", "input"]),
    special=st.booleans(),
    scale=st.sampled_from(["", "word", "head", "common"]),
    colours=st.sampled_from(["magma", "viridis", "cividis", "grey"]),
    pinned=st.sampled_from(["", "2.1", "encoder.max", "decoder.3.mean"]),
    query=st.none() | st.integers(0, 99_999),
    key=st.none() | st.integers(0, 99_999),
    noise=st.none() | st.integers(0, 9_999),
    overlay=st.sampled_from(["smooth", "patches"]),
    by=st.sampled_from(["", "cost", "agreement-input-x-gradient"]),
    sorted=st.booleans(),
    links=st.booleans(),
)


@given(_VIEWS)
def test_an_address_says_a_view_and_is_read_back(view: View) -> None:
    assert View.parse(view.format()) == view
    assert "head" in view.format()


@given(
    st.dictionaries(st.sampled_from(["head", "map", "row", "pinned", "special", "by", "sorted", "links"]), st.text())
)
def test_what_is_no_view_changes_nothing(said: dict[str, str]) -> None:
    default = View(layer=3, units="words", query=5)
    read = View.parse({name: f"<{value}>" for name, value in said.items()}, default)
    assert read == default


@pytest.mark.parametrize(
    ("said", "numbers", "title"),
    [
        ("2.1", (1, 0), "layer 2, head 1"),
        ("12.mean", (11, "mean"), "layer 12, mean over heads"),
        ("mean", (None, "mean"), "mean over all heads"),
        ("max", (None, "max"), "maximum over all heads"),
    ],
)
def test_a_view_is_a_head_a_mean_or_a_maximum(said: str, numbers: tuple[object, object], title: str) -> None:
    view = View.parse({"head": said})
    assert ((view.layer, view.head), view.name, view.title) == (numbers, said, title)


@pytest.mark.parametrize(
    ("kind", "asked", "shown"),
    [
        ("cross", "2.1", "2.1"),
        ("cross", "2.mean", "2.mean"),
        ("cross", "max", "max"),
        ("encoder", "3.2", "3.2"),
        ("cross", "3.2", "1.1"),  # the encoder has a third layer, the decoder has not
        ("cross", "1.9", "1.1"),
        ("cross", "0.0", "1.1"),
        ("decoder", "<b>", "1.1"),
        ("decoder", "", "1.1"),
    ],
)
def test_a_head_that_is_not_there_is_the_first_one(kind: MapKind, asked: str, shown: str) -> None:
    view = View.parse({"head": asked, "map": kind}).on(texts())
    assert (view.kind, view.name) == (kind, shown)


def test_a_kind_that_is_not_there_is_cross_attention() -> None:
    trace = Trace((planted(),), "the cat.", "o gato")
    assert View(kind="encoder", layer=3).on(trace) == View(layer=3)
    assert View(kind="encoder", layer=3).maps(trace) is trace.cross


def test_maps_are_those_of_a_denoising_step_where_one_is_chosen() -> None:
    whole, steps = planted(), [replace(planted(), step=number) for number in (8, 2)]
    trace = Trace((whole, *steps), "the cat.", "o gato")
    assert View(noise=0).maps(trace) is steps[1]
    assert View(noise=1).maps(trace) is steps[0]
    assert View(noise=7).maps(trace) is View().maps(trace) is whole


def test_maps_are_shown_between_words_and_without_special_tokens() -> None:
    trace = texts()
    words = View(units="words").shown(trace)
    assert words == trace.cross.to_words()
    assert View(units="words", special=False).shown(trace) == words.without_special()
    all_special = replace(planted(), keys=Axis("text", labels=("a", "b", "c", "d"), special=(True,) * 4))
    assert View(special=False).shown(Trace((all_special,), "", "")) is all_special


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
    assert head_title(layer, head) == title
    assert head_key(layer, head) == key
    assert head_slug(layer, head) == slug
    assert parse_head(key) == (layer, head)


def test_no_head_is_the_mean_over_them() -> None:
    assert head_key(1, None) == "2.mean"
    assert head_title(None, None) == "mean over all heads"


@pytest.mark.parametrize("text", ["0.1", "1.0", "0.mean", "00.1"])
def test_there_is_no_head_nought(text: str) -> None:
    with pytest.raises(ValueError, match=f"^Layers and heads count from 1, so '{re.escape(text)}' names none.$"):
        parse_head(text)


@pytest.mark.parametrize("text", ["", "2", "2.", ".1", "-1.1", "2.1.1", "2.1 ", "٢.١", "L2H1", "12345.1", "min"])
def test_what_names_no_head_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no head: give layer\.head, such as 2\.1"):
        parse_head(text)


def test_a_head_without_its_layer_has_no_name() -> None:
    with pytest.raises(ValueError, match="name the layer too"):
        head_key(None, -1)
