from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.analysis.patching import exchanged
from xattn_viz.core.interventions import Intervention
from xattn_viz.inputs import InputError

SENTENCE = "The cat sat on the mat."
TOLERANCE = 1e-4  # of log-probabilities in float32


@pytest.fixture(scope="module")
def model() -> xv.Adapter:
    return xv.load("firefox-en-pt")


@pytest.fixture(scope="module")
def trace(model: xv.Adapter) -> xv.Trace:
    return model.trace(SENTENCE)


def tokens(alternatives: Sequence[xv.Alternative]) -> list[str]:
    return [one.token for one in alternatives]


def test_a_row_that_looks_elsewhere_changes_itself_and_what_follows(model: xv.Adapter, trace: xv.Trace) -> None:
    before = [list(trace.cross.weights[0, 5, 1])]
    found = xv.edit_row(model, trace, 0, 5, 1, 5)
    assert found.weights.tolist() == before
    assert found.edited.tolist() == [[0, 0, 0, 0, 0, 1, 0, 0]]
    changed = np.abs(found.log_probs - found.edited_log_probs) > 1e-5
    assert not changed[0]
    assert changed[1]
    assert tokens(found.before)[0] == "gato"
    assert np.allclose(found.log_probs, [step.log_prob for step in trace.steps], atol=TOLERANCE)
    assert [one.id for one in found.before] == [one.id for one in trace.steps[1].alternatives]
    for one, other in zip(found.before, trace.steps[1].alternatives, strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=TOLERANCE)
    assert found.after[0].log_prob < found.before[0].log_prob


def test_all_heads_of_a_layer_can_look_elsewhere(model: xv.Adapter, trace: xv.Trace) -> None:
    mat = (trace.cross.keys.labels or ()).index("mat")
    found = xv.edit_row(model, trace, 1, None, 1, mat)
    assert found.weights.shape == (8, 8)
    assert tokens(found.before)[0] == "gato"
    assert tokens(found.after)[0] == "tapete"


def test_a_share_of_a_row_moves(model: xv.Adapter, trace: xv.Trace) -> None:
    none, half = (xv.edit_row(model, trace, -1, 0, 1, 0, share=share) for share in (0, 0.5))
    assert np.allclose(none.edited_log_probs, none.log_probs, atol=TOLERANCE)
    assert np.allclose(half.edited.sum(), 1, atol=1e-6)
    assert half.edited[0, 0] == pytest.approx((1 + half.weights[0, 0]) / 2)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"query": 10}, "rows are 0 to 9, keys 0 to 7"),
        ({"key": -1}, "no row 1 with a key -1"),
        ({"share": 1.5}, "from 0 to 1: got 1.5"),
        ({"kind": "encoder"}, "cross-attention and of the decoder"),
        ({"layer": 4}, "no layer 4"),
    ],
)
def test_rows_that_are_not_there_are_not_edited(model: xv.Adapter, place: dict[str, Any], words: str) -> None:
    both = model.trace(SENTENCE, kinds=("cross", "encoder"))
    with pytest.raises(ValueError, match=words):
        xv.edit_row(model, both, **{"layer": 0, "head": 0, "query": 1, "key": 2, **place})


def test_a_row_without_all_of_its_keys_is_not_edited() -> None:
    ears = xv.load("whisper-tiny-en")
    heard = ears.trace(np.zeros(16000), sampling_rate=16000, target="Go.", crop=True)
    with pytest.raises(InputError, match="keys of this map are not all there"):
        xv.edit_row(ears, heard, 0, 0, 1, 0)


def test_the_word_that_changes_comes_back(model: xv.Adapter, trace: xv.Trace) -> None:
    found = xv.patch_heads(model, trace, ("cat", "dog"))
    assert found.other == model.trace("The dog sat on the mat.")
    assert found.words == ("gato",)
    assert np.flatnonzero(found.is_word).tolist() == [1]
    assert found.lost[1] > 5
    # The upper layer carries which animal it is, and the lower, which follows the previous token, does not.
    assert found.by_layer[1] > 0.95
    assert found.by_layer[0] < 0.05
    assert found.restored[1].max() > 0.4
    assert found.restored[0].max() < 0.05
    grid = found.grid()
    assert (grid.name, grid.unit) == ("patch", "share of the lost log-probability")
    assert "“The dog sat on the mat.”" in grid.method
    assert np.allclose(grid.values, found.restored)


def test_a_share_is_of_what_was_lost(model: xv.Adapter, trace: xv.Trace) -> None:
    found = xv.patch_heads(model, trace, ("cat", "dog"))
    one = Intervention("cross", 1, 5, "output", model.head_outputs(trace)[1, 5])
    (clean,) = model.force(trace, [[]], source=trace).log_probs
    plain, patched = model.force(trace, [[], [one]], source=found.other).log_probs
    assert found.restored[1, 5] == pytest.approx((patched[1] - plain[1]) / (clean[1] - plain[1]), abs=TOLERANCE)
    assert found.restored_output[1, 5] == pytest.approx((patched - plain).sum() / (clean - plain).sum(), abs=TOLERANCE)
    assert np.allclose(found.lost, clean - plain, atol=TOLERANCE)


def test_sources_of_another_length_will_do_but_for_heads_of_the_encoder(model: xv.Adapter, trace: xv.Trace) -> None:
    longer = model.trace("The enormous hippopotamus sat on the mat.")
    assert xv.patch_heads(model, trace, longer).by_layer.shape == (2,)
    with pytest.raises(InputError, match=r"as many tokens to be exchanged: these have 8 and \d+ tokens\.$"):
        xv.patch_heads(model, trace, longer, kind="encoder")
    assert xv.patch_heads(model, trace, ("cat", "dog"), kind="encoder").restored.shape == (6, 8)


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (("cats", "dog"), "no word 'cats' to exchange; the words are 'The', 'cat'"),
        (("cat", " "), "Say which word"),
        (("mat", "mat"), "has every word of its first output"),
    ],
)
def test_exchanges_that_tell_nothing_are_refused(
    model: xv.Adapter, trace: xv.Trace, exchange: tuple[str, str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        xv.patch_heads(model, trace, exchange)


def test_a_whole_word_is_exchanged() -> None:
    assert exchanged("The cat's cat, a catalogue.", "cat", "dog") == "The cat's dog, a catalogue."


def test_a_sound_has_no_words_to_exchange(model: xv.Adapter) -> None:
    ears = xv.load("whisper-tiny-en")
    heard = ears.trace(np.zeros(16000), sampling_rate=16000, target="Go.")
    with pytest.raises(InputError, match="Only a text has words"):
        xv.patch_heads(ears, heard, ("Go", "Stop"))
