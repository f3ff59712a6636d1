"""Methods as maps on the axes of the cross-attention, contrasts, and rollout and ALTI by hand on two layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from tests.models.families.test_seq2seq_architectures import adapter
from xattn_viz.analysis.attribution import alti, rollout, source_groups
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import METHODS, WHOLE_MODEL, AttentionMaps, Method
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import select
from xattn_viz.examples import clips
from xattn_viz.export.shown import shown


@pytest.fixture(scope="module")
def marian() -> tuple[Any, Trace]:
    model: Any = adapter("marian")
    return model, model.trace("The cat sat on.")


@pytest.fixture(scope="module")
def firefox() -> tuple[Any, Trace]:
    model = xv.load("firefox-en-pt")
    return model, model.trace("The cat sat on the mat.")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_map_beside_the_weights(marian: tuple[Any, Trace], method: Method) -> None:
    model, trace = marian
    found = xv.attribute(model, trace, method)
    maps = found.maps
    heads = (1, 1) if method in WHOLE_MODEL else trace.cross.weights.shape[:2]
    assert found.values.shape == maps.weights.shape == (*heads, len(trace.steps), len(trace.cross.keys))
    assert (maps.queries, maps.keys, maps.read) == (trace.cross.queries, trace.cross.keys, trace.cross.read)
    assert found.totals == pytest.approx(np.abs(found.values).sum(-1))
    shares = np.abs(found.values) / np.maximum(found.totals[..., None], 1e-9)
    assert maps.weights == pytest.approx(shares, abs=1e-6)
    assert found.how.endswith(".")
    assert repr(found)
    beside = trace.with_maps(maps)
    assert beside.of_kind(method) == maps
    assert beside.cross == trace.cross
    assert beside.with_maps(maps) == beside
    assert xv.load_trace(xv.export.npz(beside)) == beside
    view = xv.View(kind=method).on(beside)
    assert view.maps(beside) == maps
    assert xv.export.json(beside, view)
    assert xv.export.csv(beside, view)
    assert xv.export.svg(beside, view)


def test_words_of_a_method_are_no_words_of_attention(firefox: tuple[Any, Trace]) -> None:
    model, trace = firefox
    occluded = xv.attribute(model, trace, "occlusion").maps
    chosen = select(occluded)
    assert chosen.title == "Occlusion, whole model"
    assert chosen.sentence("gato", "cat", "0.99") == "Predicting gato, occlusion put 0.99 of its total on cat"
    norms = select(xv.attribute(model, trace, "value-norms").maps, 1, 0)
    assert norms.title == "Value-weighted norms, layer 2, head 1 (counted from 1)"
    assert norms.who == "value-weighted norms of this head"
    view = xv.View(kind="occlusion")
    assert view.title == "whole model"
    both = trace.with_maps(occluded)
    assert xv.export.file_name(both, view) == "en-pt_cat-sat_occlusion"
    drawn = xv.export.svg(both, view)
    assert "No attention weights" in shown(both, view).caption
    assert "share: magma" in drawn
    assert "weight: magma" not in drawn
    assert view.format() == {"head": "1.1", "map": "occlusion"}
    assert xv.View.parse({"map": "occlusion", "pinned": "value-norms.2.1"}) == xv.View(
        kind="occlusion", pinned="value-norms.2.1"
    )


def test_occlusion_finds_the_word(firefox: tuple[Any, Trace]) -> None:
    model, trace = firefox
    found = xv.attribute(model, trace, "occlusion")
    labels = trace.cross.keys.labels or ()
    assert labels[int(found.values[0, 0, 1].argmax())] == "cat"
    assert found.values[0, 0, 1, labels.index("cat")] > 5  # nats: measured 9.9
    assert not found.values[0, 0, :, -1].any()  # </s> stays
    assert found.score is not None
    assert found.nothing is not None
    assert found.score == pytest.approx([step.log_prob for step in trace.steps], abs=0.02)  # without the shortlist


def test_a_contrast_is_antisymmetric(firefox: tuple[Any, Trace]) -> None:
    model, trace = firefox
    step = trace.steps[1]
    other = step.alternatives[1]
    for method in ("occlusion", "input-x-gradient"):
        there = xv.attribute(model, trace, method, contrast={1: other.token})
        back = xv.attribute(model, trace, method, contrast={1: (other.token, step.token)})
        assert there.values == pytest.approx(-back.values, abs=1e-4)
        assert there.maps.contrast == f"{step.token} rather than {other.token}"
        assert there.maps.altered == ("masked",)
        assert not there.values[0, 0, [0, 2]].any()
        assert there.values[0, 0, 1].any()
    # A difference of log-probabilities is that of the two methods on their own.
    single = xv.attribute(model, trace, "occlusion").values[0, 0, 1]
    alone = xv.attribute(model, trace, "occlusion", contrast={1: (other.id, step.id)}).values[0, 0, 1]
    pairs = {1: (other.id, None)}
    whole, *parts = model.inspect(trace).without([[], *([i] for i in range(7))], pairs)
    assert alone[:7] == pytest.approx((whole - np.array(parts))[:, 0] - single[:7], abs=1e-4)


def test_a_contrast_with_the_next_token(marian: tuple[Any, Trace]) -> None:
    model, trace = marian
    found = xv.attribute(model, trace, "occlusion", contrast="next")
    assert found.maps.contrast == "rather than the likeliest other token"
    step = trace.steps[0]
    other = next(one for one in step.alternatives if one.id != step.id)
    assert found.score is not None
    assert found.score[0] == pytest.approx(step.log_prob - other.log_prob, abs=1e-4)


def test_what_was_asked_in_vain_is_said(marian: tuple[Any, Trace]) -> None:
    model, trace = marian
    asked: Any
    for asked, said in (
        ({"method": "magic"}, "no method 'magic'"),
        ({"method": "alti", "contrast": "next"}, "does not look at single tokens"),
        ({"method": "occlusion", "contrast": {99: 1}}, "one of the"),
        ({"method": "occlusion", "contrast": {0: "nowhere"}}, "no alternative 'nowhere'"),
        ({"method": "occlusion", "contrast": "gato"}, 'is "next"'),
        ({"method": "occlusion", "contrast": {}}, 'is "next"'),
    ):
        with pytest.raises(xv.InputError, match=said):
            xv.attribute(model, trace, **asked)
    sparse = adapter("longt5")
    with pytest.raises(xv.InputError, match="not to be had"):
        xv.attribute(sparse, sparse.trace("The cat."), "rollout")


def test_groups_of_a_source() -> None:
    words = Axis("text", labels=("a", "b", "c", "</s>"), words=(0, 0, 1, 2), special=(False, False, False, True))
    assert source_groups(words) == ((0, 1), (2,))
    times = tuple((i * 0.02, (i + 1) * 0.02) for i in range(120))
    sound = Axis("audio", times=times, special=tuple(i >= 60 for i in range(120)))
    assert [len(group) for group in source_groups(sound, 0.5)] == [25, 25, 10]
    with pytest.raises(xv.InputError, match="more than 0 seconds"):
        source_groups(sound, 0)


def test_sound_is_silenced_in_stretches() -> None:
    model = xv.load("whisper-tiny-en")
    trace = model.trace(clips.sound("forward"))
    found = xv.attribute(model, trace, "occlusion", seconds=1.0)
    assert np.isfinite(found.values).all()
    assert not found.values[..., trace.cross.keys.is_special].any()
    group = found.groups[1]
    assert np.ptp(found.values[0, 0, -2, list(group)]) == 0  # spread evenly
    rolled = xv.attribute(model, trace, "rollout")
    assert rolled.maps.weights.sum(-1) == pytest.approx(1, abs=1e-4)
    chosen = select(found.maps)
    assert chosen.keys_title.startswith("sound being heard, in seconds")


def maps(kind: Any, weights: Any) -> AttentionMaps:
    made = np.asarray(weights, np.float32)
    rows, columns = (Axis("text", labels=tuple("abcdef"[:n])) for n in made.shape[2:])
    return AttentionMaps(made, rows, columns, kind, tuple(range(len(made))))


def test_rollout_of_two_layers_by_hand() -> None:
    encoder = maps("encoder", [[[[1, 0], [0.5, 0.5]], [[0, 1], [0.5, 0.5]]], [[[0, 1], [1, 0]]] * 2])
    cross = maps("cross", [[[[1, 0], [0, 1]]] * 2, [[[0.5, 0.5], [1, 0]]] * 2])
    # Heads' means are ½ everywhere, then the exchange; with half of the stream ¾ and ¼, and after the second all ½.
    mixed = np.full((2, 2), 0.5)
    assert rollout(encoder, cross) == pytest.approx(0.5 * (0.5 * mixed) + 0.5 * mixed)
    plain = maps("encoder", [[[[1, 0], [0, 1]]]])
    # Layer 1: ½ I. Layer 2: half of that and half of its weights.
    assert rollout(plain, cross) == pytest.approx(np.array([[0.25 + 0.25, 0.25], [0.5, 0.25]]))
    # With self-attention the second row first takes half of the first's: [[½, 0], [¼, ¼]] before layer 2.
    decoder = maps("decoder", [[[[1, 0], [0, 1]]], [[[1, 0], [1, 0]]]])
    assert rollout(plain, cross, decoder) == pytest.approx(np.array([[0.5, 0.25], [0.125 + 0.5, 0.125]]))


def test_rollout_over_pooled_frames() -> None:
    encoder = maps("encoder", [[[[1, 0], [0, 1]]]])
    cross = maps("cross", [[[[0.1, 0.3, 0.2, 0.4]]]])
    assert rollout(encoder, cross) == pytest.approx(np.array([[0.2, 0.2, 0.3, 0.3]]) / 2)


def test_alti_of_two_layers_by_hand() -> None:
    encoder = np.array([[[0.8, 0.2, 0], [0.4, 0.6, 0]]])
    cross = np.array([[[0.5, 0.3, 0.2]], [[0.2, 0.2, 0.6]]])  # the last column is the stream's own
    first = np.array([[0.5 * 0.8 + 0.3 * 0.4, 0.5 * 0.2 + 0.3 * 0.6]])
    second = 0.6 * first + np.array([[0.2 * 0.8 + 0.2 * 0.4, 0.2 * 0.2 + 0.2 * 0.6]])
    assert alti(encoder, cross) == pytest.approx(second)
    half = np.array([[[0.5, 0.5]], [[0.5, 0.5]]])  # a decoder that keeps half of what a row holds
    assert alti(encoder, cross, half) == pytest.approx(0.6 * 0.5 * first + second - 0.6 * first)
