from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.analysis import head_costs as costs
from xattn_viz.inputs import InputError
from xattn_viz.models.base import Cancelled, ModelError

# Ordinary English sentences of our own.
SENTENCES = [
    "The cat sat on the mat.",
    "My brother works in a small hospital near the river.",
    "She forgot her umbrella at the office yesterday.",
    "We will visit our grandparents in the summer.",
    "The train to Lisbon leaves at half past nine.",
    "I would like a cup of coffee without sugar, please.",
    "The children played football in the park until it got dark.",
    "He bought a new car because the old one was too slow.",
    "This book tells the story of a young doctor in a big city.",
    "Nobody knew why the door was open in the morning.",
    "The government announced new rules for schools and universities.",
    "If it rains tomorrow, we will stay at home and watch a film.",
]
TOLERANCE = 1e-4  # of log-probabilities in float32


@pytest.fixture(scope="module")
def model() -> xv.Adapter:
    return xv.load("firefox-en-pt")


@pytest.fixture(scope="module")
def traces(model: xv.Adapter) -> list[xv.Trace]:
    return [model.trace(sentence) for sentence in SENTENCES]


@pytest.fixture(scope="module")
def found(model: xv.Adapter, traces: list[xv.Trace]) -> xv.HeadCosts:
    return xv.head_costs(model, traces)


def test_the_head_that_follows_the_previous_token_costs_most_by_far(found: xv.HeadCosts) -> None:
    # Heads from 1: 1.6 follows the previous token, 2.1 aligns.
    assert found.largest == (0, 5)
    order = np.sort(found.costs.ravel())
    assert order[-1] > 4 * order[-2]
    assert order[-1] > 15 * found.costs[1, 0]
    assert 0.5 < order[-1] < 1.5
    assert found.changed_outputs[0, 5] >= 10 > found.changed_outputs[1, 0]


def test_a_cost_is_what_the_log_probabilities_fall_by(model: xv.Adapter, found: xv.HeadCosts) -> None:
    # What is given is scored over the whole vocabulary, so the search is to choose among all of it here.
    trace = model.trace(SENTENCES[0], shortlist=False)
    own = xv.head_costs(model, trace)
    ids = [step.id for step in trace.steps]
    for layer, head in ((0, 5), (1, 2)):
        without = model.trace(trace, prefix=ids, ablate=[("cross", layer, head)])
        falls = [a.log_prob - b.log_prob for a, b in zip(trace.steps, without.steps, strict=True)]
        # The search never chooses <unk>, which has 1e-4 of the probability at most.
        assert np.allclose(own.per_token[0][layer, head], falls, atol=1e-3)
    total = sum(costs[:, :, own].sum(-1) for costs, own in zip(found.per_token, found.counted, strict=True))
    assert np.allclose(found.costs, total / sum(own.sum() for own in found.counted), atol=TOLERANCE)


def test_an_output_is_changed_where_the_model_writes_another(
    model: xv.Adapter, traces: list[xv.Trace], found: xv.HeadCosts
) -> None:
    for number in (0, 4):
        for layer, head in ((0, 5), (1, 0), (1, 6), (1, 2)):
            again = model.trace(traces[number], ablate=[("cross", layer, head)])
            changed = found.changed[number][layer, head]
            assert bool(changed.any()) == (again.steps[: len(changed)] != traces[number].steps) or not changed.any()
            same = [step.id for step in again.steps] == [step.id for step in traces[number].steps]
            assert same == (not changed.any())
            if not same:  # the first token that differs is the one that was told
                first = int(changed.argmax())
                assert again.steps[first].id == found.likeliest[number][layer, head, first]
                assert found.tokens[again.steps[first].id] == again.steps[first].token


def test_several_traces_are_their_tokens_together(model: xv.Adapter, traces: list[xv.Trace]) -> None:
    told = list[tuple[int, int]]()
    both = xv.head_costs(model, traces[:2], on_step=lambda done, total: told.append((done, total)))
    each = [xv.head_costs(model, trace) for trace in traces[:2]]
    counts = [one.counted[0].sum() for one in each]
    assert np.allclose(both.costs, np.average([one.costs for one in each], axis=0, weights=counts), atol=TOLERANCE)
    assert told == [(0, 34), (17, 34)]


def test_the_grid_keeps_what_was_measured(traces: list[xv.Trace], found: xv.HeadCosts, model: xv.Adapter) -> None:
    grid = found.grid()
    assert (grid.name, grid.unit, grid.kind, grid.layers) == ("cost", "nats a token", "cross", (0, 1))
    assert np.allclose(grid.values, found.costs)
    assert "12 outputs of its own" in grid.method
    assert grid.low is not None
    assert grid.high is not None
    assert (grid.low <= grid.values).all()
    assert (grid.values <= grid.high).all()
    one = xv.head_costs(model, traces[0]).grid()
    assert one.per_query is not None
    assert one.per_query.shape == (2, 8, len(traces[0].steps))
    assert one.low is None
    kept = traces[0].with_evidence(one)
    assert xv.load_trace(xv.export.npz(kept)) == kept


def test_heads_are_taken_away_in_other_ways(model: xv.Adapter, traces: list[xv.Trace], found: xv.HeadCosts) -> None:
    even = xv.head_costs(model, traces, "uniform")
    mean = xv.head_costs(model, traces, "mean", sentences=[*traces[:3], SENTENCES[3]])
    assert even.largest == mean.largest == (0, 5)
    assert even.costs[0, 5] < mean.costs[0, 5] < found.costs[0, 5]  # nothing at all is furthest from what it says
    assert "even over all keys" in even.method
    assert "its mean over 4 sentences" in mean.method
    assert mean.grid().name == "cost-mean"
    outputs = [model.head_outputs(trace) for trace in traces[:4]]
    means = costs.mean_outputs(model, traces[:4])
    assert np.allclose(means[1, 3], np.concatenate([own[1, 3] for own in outputs]).mean(0), atol=TOLERANCE)


def test_only_what_the_model_wrote_counts(model: xv.Adapter) -> None:
    begun = model.trace(SENTENCES[0], prefix="O gato")
    forced = [step.forced for step in begun.steps]
    assert any(forced)
    assert costs.counted_tokens(begun).tolist() == [not one for one in forced]
    given = model.trace(SENTENCES[0], target="O gato.")
    assert costs.counted_tokens(given).all()
    heard = xv.load("whisper-tiny-en").trace(np.zeros(16000), sampling_rate=16000, target="Go.")
    assert costs.counted_tokens(heard).tolist() == [False, True, True, True]
    with pytest.raises(InputError, match="no token that the model wrote"):
        costs.counted_tokens(replace(given, maps=(), steps=()))


def test_sets_of_heads_cost_what_they_cost_together(model: xv.Adapter, traces: list[xv.Trace]) -> None:
    trace = traces[0]
    layer, pair, one, twice = costs.set_costs(model, trace, [[(0, None)], [(0, 5), (1, 2)], [(0, 5)], [(0, 5), (0, 5)]])
    single = xv.head_costs(model, trace).costs
    assert one == pytest.approx(single[0, 5], abs=TOLERANCE)
    assert twice == pytest.approx(one, abs=TOLERANCE)
    every = costs.set_costs(model, trace, [[(0, head) for head in range(8)]])[0]
    assert layer == pytest.approx(every, abs=TOLERANCE)
    assert layer > one
    assert pair > one


def test_the_new_output_stands_beside_the_old(model: xv.Adapter, traces: list[xv.Trace]) -> None:
    found = xv.ablated_output(model, traces[0], [(0, 5)])
    assert found.before is traces[0]
    assert found.after == model.trace(SENTENCES[0], ablate=[("cross", 0, 5)])
    assert found.heads == (("cross", 0, 5),)
    assert found.changes
    layer = xv.ablated_output(model, traces[0], [(1, None)])
    assert len(layer.heads) == 8
    # An output that was given is no output of the model to compare with.
    given = xv.ablated_output(model, model.trace(SENTENCES[0], target="Um cão."), [(1, 0)])
    assert given.before.output == traces[0].output
    twice = xv.ablated_output(model, found.after, [(1, 0)])
    assert twice.after.settings["ablate"] == [["cross", 0, 5], ["cross", 1, 0]]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("O gato sentou-se.", "O gato sentou-se.", []),
        ("O gato sentou-se.", "O cão sentou-se.", [("gato", "cão")]),
        ("O gato sentou-se.", "O gato preto sentou-se", [("", "preto"), (".", "")]),
        ("", "Um gato", [("", "Um gato")]),
        ("A a a", "a a A", [("A", ""), ("", "A")]),
    ],
)
def test_changed_words_are_whole_words(before: str, after: str, changed: list[tuple[str, str]]) -> None:
    found = costs.changed_words(before, after)
    assert [(before[slice(*one.before)], after[slice(*one.after)]) for one in found] == changed


def test_the_smallest_set_keeps_the_output(model: xv.Adapter, traces: list[xv.Trace]) -> None:
    told = list[tuple[int, int]]()
    trace = traces[0]
    found = xv.smallest_set(model, trace, on_step=lambda done, total: told.append((done, total)))
    assert sorted((*found.kept, *found.removed)) == [(layer, head) for layer in range(2) for head in range(8)]
    assert (0, 5) in found.kept
    off: list[Any] = [("cross", *head) for head in found.removed]
    assert model.trace(trace, ablate=off).output == trace.output
    assert found.costs[-1] == pytest.approx(costs.set_costs(model, trace, [found.removed])[0], abs=TOLERANCE)
    assert told[0] == (0, 16)
    assert told == sorted(told)
    assert all(done < total == 16 for done, total in told)


def test_how_far_a_mean_is_can_be_seen_and_it_can_be_stopped(model: xv.Adapter, traces: list[xv.Trace]) -> None:
    told = list[tuple[int, int]]()
    inputs: list[Any] = [SENTENCES[1], traces[2]]
    xv.head_costs(model, traces[0], "mean", sentences=inputs, on_step=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    # Two sentences, each written and read again, and the output once with each of 16 heads and once with all.
    assert {total for _, total in told} == {2 * 2 + 17}
    assert {done for done, _ in told} >= {0, 1, 3, 4}
    with pytest.raises(Cancelled):
        xv.head_costs(model, traces[0], "mean", sentences=inputs, on_step=lambda done, _: done < 1)


def test_the_smallest_set_is_that_of_every_head_tried_alone_in_every_round(
    model: xv.Adapter, traces: list[xv.Trace]
) -> None:
    trace, own = traces[0], costs.counted_tokens(traces[0])
    left, removed = [(layer, head) for layer in range(2) for head in range(8)], list[tuple[int, int]]()
    whole = model.force(trace, [[]])
    while True:
        tried = {}
        for head in left:
            forced = model.force(trace, [[xv.Intervention("cross", *one) for one in (*removed, head)]])
            if (forced.best[0, own] == whole.best[0, own]).all():
                tried[head] = float((whole.log_probs[0] - forced.log_probs[0])[own].mean())
        if not tried:
            break
        removed.append(min(tried, key=lambda head: tried[head]))
        left = [head for head in tried if head != removed[-1]]
    assert list(xv.smallest_set(model, trace).removed) == removed


def test_what_cannot_be_measured_is_refused(model: xv.Adapter, traces: list[xv.Trace]) -> None:
    with pytest.raises(InputError, match="There is no output to measure heads on"):
        xv.head_costs(model, [])
    with pytest.raises(InputError, match=r"A mean needs sentences .* sentences=\[…\]"):
        xv.head_costs(model, traces[0], "mean")
    with pytest.raises(InputError, match="has no decoder heads; it has cross, encoder"):
        xv.head_costs(model, traces[0], kind="decoder")
    with pytest.raises(InputError, match="no cross layer 2: they are 0 to 1"):
        costs.set_costs(model, traces[0], [[(2, None)]])
    with pytest.raises(ModelError, match=r"no cross head \(0, 8\)"):
        xv.ablated_output(model, traces[0], [(0, 8)])
    with pytest.raises(Cancelled):
        xv.head_costs(model, traces[0], on_step=lambda *_: False)


def test_a_sentence_says_which_head_matters_most(
    model: xv.Adapter, traces: list[xv.Trace], found: xv.HeadCosts
) -> None:
    cost = found.costs[0, 5]
    assert found.sentence == (
        f"Layer 1, head 6 matters most: without it a token of the output loses {cost:.2f} nats, which leaves "
        f"{np.exp(-cost):.0%} of its probability, and {found.changed_outputs[0, 5]} of 12 outputs change."
    )
    assert xv.head_costs(model, traces[0]).sentence.endswith("and the output changes.")
    little = replace(found, costs=np.zeros((2, 8)))
    assert little.sentence.startswith("No head matters by itself")
