from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import xattn_viz as xv
from tests.analysis.test_head_costs import SENTENCES
from xattn_viz.analysis import profiles
from xattn_viz.analysis.alignment_files import LinkedPair, read_gold
from xattn_viz.analysis.alignment_heads import BY_HAND
from xattn_viz.analysis.alignment_score import counts_of_heads, rates
from xattn_viz.analysis.head_measures import map_sums, quotient
from xattn_viz.analysis.profiles import HeadProfiles, LayerMeans, depth_sentence, head_profiles
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError


@pytest.fixture(scope="module")
def model() -> xv.Adapter:
    return xv.load("firefox-en-pt")


@pytest.fixture(scope="module")
def traces(model: xv.Adapter) -> list[Trace]:
    return [model.trace(sentence, kinds=("cross", "encoder")) for sentence in SENTENCES]


@pytest.fixture(scope="module")
def found(model: xv.Adapter) -> HeadProfiles:
    return head_profiles(model, SENTENCES, reverse=xv.load("firefox-pt-en"))


def test_the_offline_model_has_a_head_that_aligns_and_one_that_aligns_the_previous_token(found: HeadProfiles) -> None:
    names = found.names
    assert str(names[1, 0]).startswith("aligns, F1 .")
    assert names[1, 0].number.value > 0.85
    assert str(names[0, 5]).startswith("aligns the previous token, F1 .")
    assert names[0, 5].number.value > 0.85
    assert all(name.number.low >= 0.6 for name in names.values() if name.measure.startswith("alignment"))
    assert found["previous"].at(0, 5) > 0.9 > found["current"].at(0, 5) + 0.5
    assert found["current"].at(1, 0) > 0.9 > found["previous"].at(1, 0) + 0.5
    assert found["mean-cost"].ranked()[0] == (0, 5)
    assert "firefox-en-pt and firefox-pt-en (silver" in found["alignment"].method
    assert found.links == "silver"
    assert found.depth.startswith("It is the contrary of what is often said")


def test_costs_are_those_of_all_texts_together(model: xv.Adapter, traces: list[Trace], found: HeadProfiles) -> None:
    costs = xv.head_costs(model, traces)
    assert found["mean-cost"].values == pytest.approx(costs.costs, abs=1e-5)  # of sums of float32 log-probabilities
    # Both are of the bootstrap over the same runs, with draws of their own: the ends differ by chance.
    assert found["mean-cost"].low == pytest.approx(costs.grid().low, abs=0.05)


def test_a_measure_over_many_texts_is_the_quotient_of_their_sums(traces: list[Trace]) -> None:
    over = head_profiles(traces, kind="encoder")
    assert [grid.name for grid in over.grids] == list(dict.fromkeys(grid.name for grid in over.grids))
    sums = [map_sums(trace.encoder) for trace in traces]
    for name in ("entropy", "special", "previous", "diagonality"):
        assert over[name].values == pytest.approx(quotient(np.sum([one[name] for one in sums], axis=0)), abs=1e-6)
    bits = np.concatenate([xv.map_grids(trace.encoder)[0].values.shape for trace in traces])
    assert set(bits.tolist()) == {6, 8}
    assert "mean-cost" not in {grid.name for grid in over.grids}
    assert over.links == ""


def test_an_interval_is_that_of_texts_drawn_anew(traces: list[Trace]) -> None:
    over = head_profiles(traces, kind="encoder", resamples=2000)
    sums = np.stack([map_sums(trace.encoder)["entropy"] for trace in traces])
    picks = np.random.default_rng(1).integers(len(traces), size=(2000, len(traces)))
    drawn = quotient(sums[picks].sum(1))
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    # Two sets of 2,000 draws: each end is known to about a tenth of the interval.
    width = (high - low).max()
    assert over["entropy"].low == pytest.approx(low, abs=width / 8)
    assert over["entropy"].high == pytest.approx(high, abs=width / 8)
    assert (over["entropy"].low <= over["entropy"].values).all()
    few = head_profiles(traces[:4], kind="encoder")
    assert few["entropy"].low is None
    assert few.depth == "Nothing can be said of depth from fewer than 5 sentences."


def test_links_that_people_made_are_gold(model: xv.Adapter) -> None:
    pairs = read_gold(BY_HAND)[:6]
    over = head_profiles(model, pairs, costs=False)
    assert over.links == "gold"
    assert "people (gold)" in over["alignment"].method
    counted = [
        counts_of_heads(_forced(model, pair), (pair.source_words, pair.target_words), pair).astype(float)
        for pair in pairs
    ]
    f1 = rates(np.sum(counted, axis=0))[..., 2]
    assert over["alignment"].values == pytest.approx(f1[:, :, 0], abs=1e-6)
    assert over["alignment-previous"].values == pytest.approx(f1[:, :, 1], abs=1e-6)
    mixed = head_profiles(model, [pairs[0], SENTENCES[0]], costs=False)
    assert mixed.n_sentences == 1
    assert "do not go together" in mixed.problems[0][1]


def _forced(model: xv.Adapter, pair: LinkedPair) -> Trace:
    return model.trace(" ".join(pair.source_words), target=" ".join(pair.target_words))


def test_progress_is_told_and_a_stop_keeps_what_is_done(model: xv.Adapter) -> None:
    told: list[tuple[int, int]] = []

    def step(done: int, count: int) -> bool:
        told.append((done, count))
        return done < 3

    over = head_profiles(model, ["", *SENTENCES], costs=False, on_step=step)
    assert told == [(1, 13), (2, 13), (3, 13)]
    assert (over.n_sentences, over.is_whole) == (2, False)
    assert [number for number, _ in over.problems] == [0]


def test_they_come_back_from_json_and_stand_in_a_table(found: HeadProfiles) -> None:
    said = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert HeadProfiles.from_json(said) == found
    assert {"layer": 1, "head": 0, "name": str(found.names[1, 0])} in said["names"]
    frame = found.to_frame()
    assert len(frame) == 16
    row = frame[(frame["layer"] == 0) & (frame["head"] == 5)].iloc[0]
    assert row["name"] == str(found.names[0, 5])
    assert row["mean-cost"] == pytest.approx(found["mean-cost"].at(0, 5))
    assert row["mean-cost_low"] < row["mean-cost"] < row["mean-cost_high"]


@pytest.mark.parametrize(
    "change",
    [{}, {"format": 2}, {"profiles": {}}, {"arrays": []}, {"arrays": {"profiles.grids.0.values": "x"}}],
)
def test_other_json_is_told(found: HeadProfiles, change: dict[str, Any]) -> None:
    said = {**found.to_json(), **change} if change else {}
    with pytest.raises(InputError, match="This JSON holds no profiles of heads"):
        HeadProfiles.from_json(said)


def test_grids_go_on_a_trace_as_evidence(traces: list[Trace], found: HeadProfiles) -> None:
    trace = traces[0].with_evidence(*found.grids)
    assert trace.grid("mean-cost") == found["mean-cost"]
    assert xv.head_names(trace.evidence) == found.names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": []}, "a loaded model, or of traces: got"),
        ({"model": "firefox-en-pt"}, "a loaded model, or of traces: got"),
        ({"texts": []}, "There is no text to profile heads over"),
        ({"texts": "One sentence."}, "give a list of them"),
        ({"texts": [""]}, "None of the texts could be measured. The first: "),
    ],
)
def test_what_cannot_be_profiled_is_told(model: xv.Adapter, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        head_profiles(**{"model": model, **arguments})


def test_a_model_of_another_language_needs_texts(model: xv.Adapter) -> None:
    with pytest.raises(InputError, match="No sentences come with the package that 'whisper-tiny-en' is known to read"):
        head_profiles(xv.load("whisper-tiny-en"))
    assert len(list(profiles._shipped(model))) == len(read_gold(BY_HAND))


def test_traces_of_another_model_are_told(traces: list[Trace]) -> None:
    weights = np.full((1, 1, 2, 2), 0.5, np.float32)
    axis = Axis("text", labels=("a", "b"))
    other = Trace((AttentionMaps(weights, axis, axis, "encoder", (0,)),), "a b", "a b")
    over = head_profiles([*traces[:2], other], kind="encoder")
    assert over.n_sentences == 2
    assert "of another model" in over.problems[0][1]
    with pytest.raises(InputError, match="one for each"):
        head_profiles(traces[:2], reverse=traces[:1])


def means(name: str, lower: tuple[float, float, float], upper: tuple[float, float, float]) -> LayerMeans:
    halves: NDArray[np.float32] = np.array([lower, upper], np.float32)
    return LayerMeans(name, name, "F1" if name == "alignment" else "share", halves, halves)


LESS, MORE, BOTH = (0.2, 0.1, 0.3), (0.6, 0.5, 0.7), (0.4, 0.2, 0.6)


@pytest.mark.parametrize(
    ("aligns", "spreads", "begin", "detail"),
    [
        ((MORE, LESS), (LESS, MORE), "Lower layers align and higher ones abstract, as is", "lower layers align more"),
        ((LESS, MORE), (MORE, LESS), "It is the contrary of what is often said", "upper layers look at less"),
        ((LESS, MORE), (LESS, MORE), "That lower layers align and higher ones abstract,", "upper layers look wider"),
        ((MORE, LESS), (BOTH, MORE), "That lower layers align and higher ones abstract,", "neither half looks wider"),
        ((BOTH, LESS), (LESS, MORE), "That lower layers align and higher ones abstract,", "neither half aligns more"),
    ],
)
def test_depth_is_told_only_by_intervals_that_do_not_overlap(
    aligns: Any, spreads: Any, begin: str, detail: str
) -> None:
    said = depth_sentence([means("alignment", *aligns), means("entropy-share", *spreads)])
    assert said.startswith(begin)
    assert detail in said


def test_depth_of_self_attention_and_of_one_layer() -> None:
    spreads = means("entropy-share", LESS, MORE)
    assert depth_sentence([spreads]) == (
        "Upper layers look wider (20\u202f% of the largest entropy below, 60\u202f% above)."
    )
    none = np.full((2, 3), np.nan, np.float32)
    assert "one layer" in depth_sentence([replace(spreads, layers=spreads.layers[:1], halves=none)])


def test_means_of_layers_are_over_heads_in_their_better_row(found: HeadProfiles) -> None:
    better = np.fmax(found["alignment"].values, found["alignment-previous"].values).mean(1)
    named = {one.name: one for one in found.layer_means}
    assert named["alignment"].layers[:, 0] == pytest.approx(better, abs=1e-6)
    assert named["alignment"].halves == pytest.approx(named["alignment"].layers)  # two layers, two halves
    assert (named["alignment"].layers[:, 1] < named["alignment"].layers[:, 0]).all()
    assert named["mean-cost"].layers[:, 0] == pytest.approx(found["mean-cost"].values.mean(1), abs=1e-6)
    with pytest.raises(ValueError, match="Layer means are"):
        replace(named["mean-cost"], halves=named["mean-cost"].halves[:1])
