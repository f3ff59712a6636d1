"""Rank correlations by their definitions, and deletion curves against sources that were cut by hand."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

import xattn_viz as xv
from xattn_viz.analysis import faithfulness
from xattn_viz.analysis.faithfulness import agreement, deletion_curves, deletions, summarise
from xattn_viz.core.evidence import Deletion, ranking_name
from xattn_viz.core.trace import Trace


@pytest.fixture(scope="module")
def firefox() -> tuple[Any, Trace]:
    model = xv.load("firefox-en-pt")
    return model, model.trace("The cat sat on the mat.")


@pytest.fixture(scope="module")
def occluded(firefox: tuple[Any, Trace]) -> xv.Attribution:
    return xv.attribute(*firefox, "occlusion")


@pytest.fixture(scope="module")
def deleted(firefox: tuple[Any, Trace], occluded: xv.Attribution) -> Deletion:
    return deletion_curves(*firefox, ("attention", "2.1", occluded), seeds=5)


def test_ranks_share_their_mean() -> None:
    assert faithfulness.ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0.0, 2.5, 1.0]


@pytest.mark.parametrize("seed", range(5))
def test_correlations_by_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 5, (2, 8)).astype(float)  # with ties
    spearman = faithfulness._correlation(a, b, "spearman")
    assert spearman == pytest.approx(pd.DataFrame({"a": a, "b": b}).corr("spearman").iloc[0, 1])
    pairs = list(combinations(range(8), 2))
    agree = sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs)
    untied = [sum(x[i] != x[j] for i, j in pairs) for x in (a, b)]
    assert faithfulness._correlation(a, b, "kendall") == pytest.approx(agree / np.sqrt(untied[0] * untied[1]))


def test_agreement_is_a_grid_of_heads(firefox: tuple[Any, Trace], occluded: xv.Attribution) -> None:
    _, trace = firefox
    grid = agreement(occluded, trace.cross)
    assert grid.values.shape == (2, 8)
    assert (grid.unit, grid.name) == ("Spearman ρ", "agreement-occlusion")
    row, head, keys = 1, (1, 0), list(range(7))  # each word is one piece here; </s> takes no part
    weights, values = trace.cross.weights[head][row, keys], np.abs(occluded.values[0, 0, row, keys])
    wanted = pd.DataFrame({"a": weights, "b": values}).corr("spearman").iloc[0, 1]
    assert grid.per_query is not None
    assert grid.low is not None
    assert grid.high is not None
    assert grid.per_query[(*head, row)] == pytest.approx(wanted, abs=1e-6)
    assert grid.values == pytest.approx(grid.per_query.mean(-1), abs=1e-6)
    assert (grid.low <= grid.values).all()
    assert (grid.values <= grid.high).all()
    assert xv.load_trace(xv.export.npz(trace.with_evidence(grid))).evidence == (grid,)
    twice = agreement([occluded, occluded], [trace.cross, trace.cross])
    assert twice.values == pytest.approx(grid.values, abs=1e-6)
    assert twice.low is not None and twice.high is not None  # noqa: PT018 - for the type checker
    assert (twice.high - twice.low).mean() < (grid.high - grid.low).mean()


def test_what_follows_the_weights_agrees_fully(firefox: tuple[Any, Trace]) -> None:
    model, trace = firefox
    norms = xv.attribute(model, trace, "value-norms")
    assert agreement(norms, norms.maps).values == pytest.approx(1, abs=1e-6)


def test_what_cannot_be_compared_is_said(firefox: tuple[Any, Trace], occluded: xv.Attribution) -> None:
    model, trace = firefox
    asked: Any = "pearson"
    with pytest.raises(xv.InputError, match="one of spearman, kendall"):
        agreement(occluded, trace.cross, asked)
    with pytest.raises(xv.InputError, match="got 1 and 0"):
        agreement(occluded, [])
    other = model.trace("The dog ran.")
    with pytest.raises(xv.InputError, match="both are of one trace"):
        agreement(occluded, other.cross)
    for ranking, said in (("magic", "is no ranking"), ("2.mean", "no single head"), (occluded, "its own trace")):
        with pytest.raises(xv.InputError, match=said):
            deletion_curves(model, other, (ranking,))
    with pytest.raises(xv.InputError, match="a random order"):
        deletion_curves(model, trace, seeds=0)
    with pytest.raises(xv.InputError, match="one sentence at least"):
        summarise([])


def test_a_curve_is_the_source_without_its_first_words(firefox: tuple[Any, Trace], deleted: Deletion) -> None:
    model, trace = firefox
    inspection = model.inspect(trace)
    for curve in deleted.curves:
        assert sorted(curve.order) == list(range(7))
        for place in (0, 1, 3, 7):
            gone = [key for group in curve.order[:place] for key in deleted.groups[group]]
            assert curve.log_probs[place] == pytest.approx(inspection.without([gone])[0].mean(), abs=1e-4)
        steps = np.diff(curve.fractions) * (curve.log_probs[:-1] + curve.log_probs[1:]) / 2
        assert curve.area == pytest.approx(steps.sum())


def test_everything_deleted_is_the_empty_source(firefox: tuple[Any, Trace], deleted: Deletion) -> None:
    model, trace = firefox
    alone = inspection_of_end(model, trace)
    ends = {float(curve.log_probs[-1]) for curve in (*deleted.curves, *deleted.random)}
    (end,) = ends
    assert end == pytest.approx(alone, abs=1e-4)


def inspection_of_end(model: Any, trace: Trace) -> float:
    """What a source of nothing but </s> gives for the output, in nats a token."""
    import torch

    with torch.inference_mode():
        network, ids = model.network.model, [step.id for step in trace.steps]
        memory = network.memory(network.encode(torch.tensor([[0]])))
        hidden, _ = network.decode(torch.tensor([[-1, *ids[:-1]]]), memory)
        log_probs = network.output(hidden)[0].log_softmax(-1)
    return float(log_probs[range(len(ids)), ids].mean())


def test_the_ranking_that_is_followed(deleted: Deletion) -> None:
    best = deleted.followed
    assert best is not None
    assert best.area == min(curve.area for curve in deleted.curves) < deleted.random_interval[1]
    said = f"The model follows {ranking_name(best.name)} most: area \u2212{-best.area:.2f} nats a token"
    assert deleted.sentence.startswith(said)
    by_chance = Deletion(deleted.random[:1], deleted.random, deleted.groups)
    assert by_chance.followed is None
    assert by_chance.sentence.startswith("No ranking finds")


def test_a_long_source_is_taken_away_in_few_steps(firefox: tuple[Any, Trace]) -> None:
    model, trace = firefox
    found = deletion_curves(model, trace, ("attention",), seeds=2, points=3)
    assert [len(curve.fractions) for curve in (*found.curves, *found.random)] == [4] * 3


def test_many_sentences_are_summed_up(firefox: tuple[Any, Trace]) -> None:
    model, _ = firefox
    lines = ["The cat sat on the mat.", "She gave the old dog a bone.", "We will leave early tomorrow."]
    made = list(deletions(model, lines, ("attention", "occlusion"), seeds=4))
    found = summarise(made)
    assert found.areas.shape == (3, 2)
    below, low, high = found.lower()["occlusion"]
    assert low <= below <= high
    assert below == pytest.approx(np.mean([one.random_interval[0] - one.curves[1].area for one in made]))
    assert below > 0.5  # measured on 12 sentences: 1.38, interval 1.04 to 1.76
    with pytest.raises(xv.InputError, match="same rankings"):
        summarise([made[0], deletion_curves(model, model.trace(lines[0]), ("attention",), seeds=1)])
