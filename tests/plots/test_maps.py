from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.speech import FRAME, SOUNDING, START, encoder_maps, speech_maps
from xattn_viz import plots
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import plotly_label
from xattn_viz.lessons import tensor_shapes
from xattn_viz.lessons.tensor_shapes import Setting
from xattn_viz.plots import colours
from xattn_viz.plots.maps import MAX_TICKS

NASTY = ("", "</s>", "<b>fat</b>", '<a href="x">', "$x^2$", "same", "same", "\u202egato", "&amp;", "x" * 40)


def maps_of(queries: int = 10, keys: int = 10) -> AttentionMaps:
    weights = np.random.default_rng(1).dirichlet(np.ones(keys), (2, 3, queries)).astype(np.float32)
    rows, columns = (Axis("text", labels=tuple(NASTY[i % 10] for i in range(n))) for n in (queries, keys))
    return AttentionMaps(weights, rows, columns, "cross", (0, 1), read=rows)


def test_a_heatmap_shows_the_weights_of_the_head_on_integer_positions() -> None:
    maps = maps_of()
    figure = plots.heatmap(maps, layer=1, head=2, colour_map="viridis")
    assert np.array_equal(figure.data[0].z, maps.weights[1, 2])
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, pytest.approx(maps.weights[1, 2].max()))
    assert figure.layout.xaxis.tickvals == tuple(range(10))  # equal labels stay apart
    assert figure.layout.title.text == "Cross-attention, layer 2, head 3 (counted from 1)"
    assert "viridis" in figure.data[0].colorbar.title.text
    assert figure.layout.yaxis.range == (9.5, -0.5)  # the first row is on top


def test_the_mean_and_the_common_scale() -> None:
    maps = maps_of()
    figure = plots.heatmap(maps, layer=0, head=None, scale="common")
    np.testing.assert_allclose(figure.data[0].z, maps.weights[0].mean(0), rtol=1e-6)
    assert figure.data[0].zmax == pytest.approx(maps.weights.max())
    assert "all heads" in figure.data[0].colorbar.title.text


def test_nothing_in_a_label_can_act_as_a_tag_or_a_formula() -> None:
    figure = plots.heatmap(maps_of())
    drawn = [*figure.layout.xaxis.ticktext, *figure.layout.yaxis.ticktext, *figure.data[0].hovertext[3]]
    assert len(drawn) == 30
    for text in drawn:
        assert not set("<>$\u202e") & set(text), text
    shown = html.unescape(figure.layout.xaxis.ticktext[2])
    assert shown == "\u2068<b>fat</b>\u2069"  # what a reader sees


def test_hovering_says_the_weight_in_words() -> None:
    maps = maps_of()
    text = plots.heatmap(maps, layer=0, head=1).data[0].hovertext[5][6]
    assert text == f"Predicting \u2068same\u2069, this head put {maps.weights[0, 1, 5, 6]:.2f} on \u2068same\u2069"
    assert plots.heatmap(maps, rows="input").data[0].hovertext[5][6].startswith("Reading ")


def test_a_large_map_has_few_ticks_and_a_light_hover() -> None:
    figure = plots.heatmap(maps_of(100, 150))
    assert len(figure.layout.xaxis.ticktext) <= MAX_TICKS
    assert figure.data[0].hovertext is None
    assert figure.data[0].hovertemplate == ("Predicting row %{y}, this head put %{z:.2f} on column %{x}<extra></extra>")


@pytest.mark.parametrize("dark", [True, False])
def test_weight_0_is_near_the_ground(dark: bool) -> None:
    figure = plots.heatmap(maps_of(), dark=dark)
    first, last = (figure.data[0].colorscale[i][1] for i in (0, -1))
    # Not as #rrggbb: Streamlit repaints some colours near black that are written so.
    table = colours.table("magma", dark=dark)
    assert [first, last] == ["rgb({}, {}, {})".format(*table[i]) for i in (0, -1)]
    assert (table[0].sum() < table[-1].sum()) == dark


def test_frames_of_sound_lie_on_an_axis_in_seconds_without_padding() -> None:
    maps = speech_maps()
    figure = plots.heatmap(maps, 1, 2)
    (drawn,) = figure.data
    assert np.array_equal(drawn.z, maps.weights[1, 2, :, :SOUNDING])
    np.testing.assert_allclose(drawn.x, START + (np.arange(SOUNDING) + 0.5) * FRAME, atol=1e-6)
    assert figure.layout.xaxis.range == pytest.approx((5.0, 5.16))
    assert figure.layout.xaxis.tickvals is None  # round seconds, by Plotly itself
    assert figure.layout.xaxis.title.text.startswith("sound being heard, in seconds (padding left out")
    assert drawn.hovertemplate == "Predicting %{y}, this head put %{z:.2f} on %{x:.2f} s<extra></extra>"
    halves = replace(maps, weights=maps.weights.astype(np.float16))
    assert plots.heatmap(halves).data[0].z.dtype == np.float32
    between = plots.heatmap(encoder_maps())
    assert between.layout.yaxis.range == pytest.approx((5.16, 5.0))  # time runs down
    assert np.array_equal(between.data[0].x, between.data[0].y)


def test_no_peak_in_a_long_sound_is_thinner_than_what_plotly_draws() -> None:
    maps = speech_maps(30, 1000, 999)
    mel = np.random.default_rng(0).normal(size=(80, 3000)).astype(np.float32)
    figure = plots.heatmap(maps, 1, 2, sound=mel)
    large, drawn = figure.data
    triples = maps.weights[1, 2, :, :999].reshape(30, 333, 3)  # 999 frames, at most 400 columns
    assert np.array_equal(large.z, triples.max(axis=2))
    np.testing.assert_allclose(large.x, START + (np.arange(333) * 3 + 1.5) * FRAME, atol=1e-6)
    assert figure.layout.xaxis.title.text.endswith("a column is the largest of 3 frames")
    means = mel[:, :1998].reshape(80, 666, 3).mean(axis=2)
    np.testing.assert_allclose(drawn.x, START + (np.arange(666) * 3 + 1.5) / 100, atol=1e-6)
    np.testing.assert_allclose(drawn.z / 255, (means - means.min()) / np.ptp(means), atol=0.51 / 255)


def test_the_sound_is_drawn_above_the_map_on_the_same_axis() -> None:
    maps, random = speech_maps(), np.random.default_rng(0)
    mel = random.normal(size=(80, 3000)).astype(np.float32)
    _, drawn = plots.heatmap(maps, sound=mel).data
    own = mel[:, :16]  # 0.16 s at 100 frames a second
    assert drawn.xaxis is None  # the map's own
    np.testing.assert_allclose(drawn.x, START + (np.arange(16) + 0.5) / 100, atol=1e-6)
    # 256 levels: at most half of one off.
    np.testing.assert_allclose(drawn.z / 255, (own - own.min()) / np.ptp(own), atol=0.51 / 255)
    samples = random.normal(size=int(0.15 * 16_000)).astype(np.float32)  # the last frame is half empty
    _, drawn = plots.heatmap(maps, sound=samples).data
    np.testing.assert_allclose(drawn.y, [np.abs(samples[i : i + 320]).max() for i in range(0, len(samples), 320)])
    for wrong, over in (("The cat sat.", maps), (mel[None], maps), (mel, maps_of())):
        with pytest.raises(ValueError, match="`sound` is a log-mel"):
            plots.heatmap(over, sound=wrong)


@pytest.mark.parametrize("setting", [Setting(), Setting(8, 12, 12, 64, 64), Setting(1, 1, 1, 8, 8)], ids=str)
def test_every_tensor_is_drawn_to_scale_and_named_with_its_shape(setting: Setting) -> None:
    done = tensor_shapes.forward(setting)
    figure = plots.boxes(done.rows)
    texts = [re.sub("<[^>]+>|[\u2068\u2069]", " ", note.text).split() for note in figure.layout.annotations]
    for words, (name, shape) in zip(texts, done.tensors.items(), strict=True):
        assert " ".join(words) == " ".join([name, *" × ".join(map(str, shape.values())).split(), " × ".join(shape)])
    drawn = iter(shape for shape in figure.layout.shapes if shape.type == "rect")
    sides = []
    for shape in done.tensors.values():
        for _ in range(shape.get("head", 1)):
            box = next(drawn)
            high, wide = list(shape.values())[-2:]
            sides += [(box.x1 - box.x0) / wide, (box.y1 - box.y0) / high]
            assert 0 <= box.x0 < box.x1 <= figure.layout.xaxis.range[1]
            assert 0 <= box.y0 < box.y1 <= figure.layout.height
    assert next(drawn, None) is None
    assert sides == pytest.approx([sides[0]] * len(sides))  # one scale for all


def test_a_name_cannot_act_as_a_tag() -> None:
    figure = plots.boxes([{"<i>": {"<u>": 2, "b": 3}}])
    assert "<i>" not in figure.layout.annotations[0].text
    assert plotly_label("<u>") in figure.layout.annotations[0].text
