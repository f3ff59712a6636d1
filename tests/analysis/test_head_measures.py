from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import xattn_viz as xv
from tests.analysis.test_word_units import made, tokens
from xattn_viz.analysis import heads
from xattn_viz.analysis.alignment_files import LinkedPair
from xattn_viz.analysis.head_measures import (
    MEASURES,
    RULES,
    head_names,
    linked_sums,
    map_grids,
    map_sums,
    quotient,
    surprises,
    timed_sums,
    written,
)
from xattn_viz.analysis.timing import timed_words
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import Alternative, HeadGrid, Step, Trace
from xattn_viz.examples import load

# Sums of a few hundred float32 numbers between 0 and 1, each rounded to 6e-8 of itself.
TOLERANCE = 1e-5
PIECES = ("The", "cat", ",", "it", "slept", ".", "</s>")


def maps_of(weights: NDArray[Any], kind: MapKind = "encoder", labels: tuple[str, ...] = PIECES) -> AttentionMaps:
    """Maps `[layer, head, query, key]` over one axis on both sides; the last position is special."""
    axis = Axis("text", labels=labels, special=tuple(label == "</s>" for label in labels))
    return AttentionMaps(weights.astype(np.float32), axis, axis, kind, tuple(range(len(weights))))


def drawn(rows: int = 7, seed: int = 0) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.random.default_rng(seed).dirichlet(np.full(7, 0.3), (2, 3, rows))
    return weights


def named(maps: AttentionMaps) -> dict[str, HeadGrid]:
    return {grid.name: grid for grid in map_grids(maps)}


def test_entropy_and_weight_on_special_keys_are_the_means_of_those_of_rows() -> None:
    maps = maps_of(drawn())
    found = named(maps)
    own = heads.entropy(maps)[:, :, :-1].mean(-1)  # the last row is of </s>
    assert found["entropy"].values == pytest.approx(own, abs=TOLERANCE)
    assert found["entropy-share"].values == pytest.approx(own / np.log2(7), abs=TOLERANCE)
    assert found["special"].values == pytest.approx(heads.weight_on_special(maps)[:, :, :-1].mean(-1), abs=TOLERANCE)
    assert found["special"].title == "Weight on </s>"
    assert found["punctuation"].values == pytest.approx(maps.weights[:, :, :-1][..., [2, 5]].sum(-1).mean(-1), abs=1e-5)
    assert "6 rows" in found["entropy"].method


def test_a_masked_key_takes_no_part_in_the_largest_entropy() -> None:
    causal = np.tril(np.ones((7, 7))) / np.arange(1, 8)[:, None]
    found = named(maps_of(np.stack([causal, np.eye(7)])[None], "decoder"))
    assert found["entropy-share"].values[0] == pytest.approx([1, 0], abs=TOLERANCE)
    # log2 of 1 to 6 keys: the first row has one key only, and is none of a share.
    assert found["entropy"].values[0, 0] == pytest.approx(np.log2(np.arange(1, 7)).mean(), abs=TOLERANCE)


def test_positions_before_and_behind_are_counted_by_the_largest_weight() -> None:
    before, behind = np.roll(np.eye(7), -1, 1), np.roll(np.eye(7), 1, 1)
    found = named(maps_of(np.stack([np.eye(7), before, behind])[None] * 0.9 + 0.1 / 7))
    assert found["current"].values[0].tolist() == [1, 0, 0]
    assert found["previous"].values[0] == pytest.approx([0, 1, 0])  # the first row has none before, and is not counted
    assert found["next"].values[0] == pytest.approx([0, 0, 1])
    assert found["previous"].title == "Largest weight at the position before"


def test_diagonality_is_the_mean_closeness_of_all_weight() -> None:
    maps = maps_of(drawn())
    wanted = np.zeros((2, 3))
    for layer, head in np.ndindex(2, 3):
        closeness = weight = 0.0
        for i in range(6):
            for j in range(6):
                w = float(maps.weights[layer, head, i, j])
                closeness += w * (1 - abs(i - j) / max(i, 5 - i))
                weight += w
        wanted[layer, head] = closeness / weight
    assert named(maps)["diagonality"].values == pytest.approx(wanted, abs=TOLERANCE)
    even = named(maps_of(np.full((1, 1, 7, 7), 1 / 7)))["diagonality"].values[0, 0]
    assert named(maps_of(np.eye(7)[None, None]))["diagonality"].values[0, 0] == pytest.approx(1)
    assert 0.45 < even < 0.6
    long = (*"abcdefghij" * 10, "</s>")
    even = named(maps_of(np.full((1, 1, 101, 101), 1 / 101), labels=long))["diagonality"].values[0, 0]
    assert even == pytest.approx(0.55, abs=0.01)  # what the method says of even weights


def test_a_diagonal_between_two_texts_goes_from_corner_to_corner() -> None:
    keys = Axis("text", labels=tuple("abcd"))
    queries = Axis("text", labels=tuple("tuvwxyz"))
    weights = np.zeros((1, 1, 7, 4), np.float32)
    for row, place in enumerate(np.linspace(0, 3, 7)):
        low = min(int(place), 2)
        weights[0, 0, row, low], weights[0, 0, row, low + 1] = 1 - (place - low), place - low
    found = named(AttentionMaps(weights, queries, keys, "cross", (0,)))
    assert {"special", "punctuation", "previous"}.isdisjoint(found)
    rows = np.linspace(0, 3, 7)
    far = np.abs(rows[:, None] - np.arange(4))
    wanted = (weights[0, 0] * (1 - far / far.max(-1, keepdims=True))).sum() / 7
    assert found["diagonality"].values[0, 0] == pytest.approx(wanted, abs=TOLERANCE)


def test_a_head_without_weight_has_no_numbers_and_no_name() -> None:
    axis = Axis("text", labels=PIECES, special=(False,) * 6 + (True,))
    weights = np.zeros((1, 2, 7, 7), np.float32)
    weights[0, 1] = 1 / 7
    maps = AttentionMaps(weights, axis, axis, "encoder", (0,), altered=("ablated",))
    grids = map_grids(maps)
    assert np.isnan(named(maps)["entropy"].values[0, 0])
    assert list(head_names(grids, "encoder")) == [(0, 1)]
    assert str(head_names(grids, "encoder")[0, 1]) == "spreads evenly, 100\u202f% of the largest entropy"


def test_what_means_nothing_on_an_axis_is_left_out() -> None:
    picture, words = Axis("image", grid=(2, 3)), Axis("text", labels=("a", "cat"))
    weights = np.full((1, 1, 2, 6), 1 / 6, np.float32)
    assert set(named(AttentionMaps(weights, words, picture, "cross", (0,)))) == {"entropy", "entropy-share"}
    special = Axis("text", labels=("<s>", "</s>"), special=(True, True))
    assert map_grids(AttentionMaps(weights, special, picture, "cross", (0,))) == ()


SOURCE, TARGET = "the black cat sleeps .", "o gato preto dorme ."
LINKS = ((0, 0), (2, 1), (1, 2), (3, 3), (4, 4))
GOLD = LinkedPair(tuple(SOURCE.split()), tuple(TARGET.split()), frozenset(LINKS))


def aligned_trace() -> Trace:
    """Three heads: one aligns, one looks at the source of the token before, one rests on the first word."""
    weights = np.full((1, 3, 6, 6), 0.02)
    for s, t in LINKS:
        weights[0, 0, t, s] += 1
        weights[0, 1, t + 1, s] += 1
    weights[0, 0, 5, 5] += 1
    weights[0, 1, 0, 5] += 1
    weights[0, 2, :, 0] += 1
    weights /= weights.sum(-1, keepdims=True)
    axes = tokens(SOURCE, SOURCE.split()), tokens(TARGET, TARGET.split())
    return made(weights.astype(np.float32), SOURCE, TARGET, *axes)


def test_heads_are_judged_by_links_in_both_conventions_of_rows() -> None:
    sums = linked_sums(aligned_trace(), gold=GOLD)
    numbers = {name: quotient(one)[0] for name, one in sums.items()}
    assert numbers["alignment"][0] == numbers["alignment-previous"][1] == 1
    assert numbers["alignment"][1] == pytest.approx(1 / 5)  # its first row is even but for </s>: the first word it is
    assert numbers["alignment-previous"][0] == 0
    # The third head links all five words with "the", of which one link is right.
    assert numbers["alignment"][2] == pytest.approx(1 / 5)
    assert numbers["current"].tolist() == [1, 0, 1 / 5]
    assert numbers["previous"].tolist() == [0, 1, 1 / 4]  # of four rows whose token before has a source
    assert numbers["next"].tolist() == [0, 0, 0]


def test_possible_links_count_for_precision_and_not_for_recall() -> None:
    gold = LinkedPair(GOLD.source_words, GOLD.target_words, frozenset(LINKS[:3]), frozenset(LINKS[3:]))
    f1 = quotient(linked_sums(aligned_trace(), gold=gold)["alignment"])[0]
    assert f1[0] == 1  # 5 of 5 links are sure or possible, 3 of 3 sure ones found
    assert f1[2] == pytest.approx(2 * (1 / 5) * (1 / 3) / (1 / 5 + 1 / 3))


def test_over_sound_the_largest_weight_is_looked_for_in_the_time_of_the_word() -> None:
    trace = load("forward")
    assert trace is not None
    maps, words = trace.cross, timed_words(trace)
    found = quotient(timed_sums(trace)["speech"])
    middle = [(start + end) / 2 for start, end in maps.keys.times or ()]
    for layer, head in ((1, 5), (1, 0), (3, 5)):
        inside = [
            word.start < middle[int(maps.weights[layer, head, row].argmax())] < word.end
            for word in words
            for row in range(word.rows[0], word.rows[1] + 1)
        ]
        assert found[layer, head] == pytest.approx(np.mean(inside))
    assert found[1, 5] >= 0.8


def grid(name: str, values: Any, kind: MapKind = "cross", low: Any = None) -> HeadGrid:
    measure = MEASURES[name]
    ends = {} if low is None else {"low": np.array([low]), "high": np.array([values])}
    title = measure.title.format("</s>" if name == "special" else "the position")
    return HeadGrid(name, title, measure.unit, kind, (2,), np.array([values]), "Planted.", **ends)


NAMES = {
    "alignment": "aligns, F1 .94",
    "alignment-previous": "aligns the previous token, F1 .94",
    "speech": "follows the speech, 94\u202f%",
    "previous": "looks at the position before, 94\u202f%",
    "next": "looks at the position behind, 94\u202f%",
    "current": "looks at the position itself, 94\u202f%",
    "special": "rests on </s>, 94\u202f%",
    "punctuation": "rests on punctuation, 94\u202f%",
    "entropy-share": "spreads evenly, 94\u202f% of the largest entropy",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.measure)
def test_every_rule_names_heads_from_its_threshold_on(rule: Any) -> None:
    values = [0.94, rule.least, rule.least - 0.01, np.nan]
    found = head_names([grid(rule.measure, values)])
    assert list(found) == [(2, 0), (2, 1)]
    assert str(found[2, 0]) == NAMES[rule.measure]
    # The lower end of an interval has to reach it.
    assert list(head_names([grid(rule.measure, [0.94, 0.94], low=[0.9, 0.3])])) == [(2, 0)]


def test_a_head_that_aligns_both_ways_has_the_name_of_the_better_and_the_first_name_that_fits() -> None:
    grids = [grid("alignment", [0.7, 0.8]), grid("alignment-previous", [0.9, 0.65]), grid("special", [0.6, 0.6])]
    found = head_names(grids)
    assert [str(found[2, head]) for head in (0, 1)] == ["aligns the previous token, F1 .90", "aligns, F1 .80"]
    assert found[2, 0].number.value == pytest.approx(0.9)
    assert head_names(grids, "encoder") == {}
    # Where links are known, how often a row looks at the source of its token is no name besides.
    assert head_names([grid("alignment", [0.5]), grid("current", [0.9])]) == {}


def test_numbers_are_written_as_people_read_them() -> None:
    assert [written(value, unit) for value, unit in ((0.944, "F1"), (1, "F1"), (0.705, "share"), (1.3, "bits"))] == [
        "F1 .94",
        "F1 1.00",
        "70\u202f%",
        "1.30 bits",
    ]
    assert written(float("nan"), "share") == "–"


def test_map_sums_are_those_that_grids_divide() -> None:
    maps = maps_of(drawn())
    sums = map_sums(maps)
    assert list(named(maps)) == [name for name in MEASURES if name in sums]
    for name, one in sums.items():
        assert one.shape == (2, 3, 2)
        assert xv.map_grids(maps)[list(named(maps)).index(name)].values == pytest.approx(quotient(one), abs=1e-6)


def surprising(weights: NDArray[Any], chosen: tuple[float, ...] = ()) -> Trace:
    """A trace of these maps `[layer, head, query, key]` over pieces, whose tokens were chosen so probably."""
    steps = tuple(
        Step(label, i, float(np.log(p)), (Alternative(label, i, float(np.log(p))), Alternative("<b>no</b>", 9, -2.0)))
        for i, (label, p) in enumerate(zip(PIECES, chosen, strict=False))
    )
    return Trace((maps_of(weights, "cross"),), "The cat, it slept.", "The cat, it slept.", steps)


def test_surprises_are_the_planted_extremes_and_say_their_numbers() -> None:
    even, resting = np.full((7, 7), 1 / 7), np.full((7, 7), 0.02)
    resting[:, 6] = 0.88
    straight = 0.9 * np.eye(7) + 0.1 / 7
    lines_up = 0.06 * np.eye(7) + np.where(np.arange(7) == 6, 0.94, 0)  # on the diagonal, with what little is left
    trace = surprising(np.array([[even, resting], [straight, lines_up]]), (0.9, 0.8, 0.3, 0.7, 0.95, 0.6, 0.1))
    aligned, rests, unsure = surprises(trace)
    assert (aligned.layer, aligned.head, aligned.query) == (1, 0, None)
    assert aligned.title == "diagonal: head 2.1"
    assert "Layer 2, head 1 is closest of those that do not rest on </s> to the diagonal: " in aligned.says
    assert f"{named(trace.cross)['diagonality'].at(1, 0):.0%}"[:-1] in aligned.says
    assert (rests.layer, rests.head, rests.title) == (1, 1, "rests on </s>: head 2.2")
    assert rests.says == "Layer 2, head 2 puts 94\u202f% of its weight on </s>, more than any other of 4 heads."
    assert (unsure.layer, unsure.head, unsure.query) == (None, None, 2)  # </s> was less certain, and is no word
    assert unsure.title == "least certain: ,"
    assert unsure.says.endswith("a probability of 0.30; it could have been “<b>no</b>”, with 0.14.")
    certain = replace(
        trace, steps=tuple(replace(step, log_prob=-0.01 - 0.001 * i) for i, step in enumerate(trace.steps))
    )
    assert (
        surprises(certain)[2].says
        == "The model was sure of all that it wrote, and least of “.”: a probability of 0.99."
    )
    shifted = replace(trace, maps=(replace(trace.cross, layers=(3, 5)),))
    assert [one.layer for one in surprises(shifted)] == [5, 5, None]


def test_alignment_that_was_measured_goes_before_the_diagonal() -> None:
    trace = surprising(drawn_heads())
    grid = HeadGrid("alignment", "Alignment", "F1", "cross", (0, 1), np.array([[0.2, np.nan], [0.4, 0.91]]), "Of gold.")
    first, *_ = surprises(trace.with_evidence(grid))
    assert (first.layer, first.head) == (1, 1)
    assert first.says == "Layer 2, head 2 aligns best of all 4 heads: F1 .91."
    tied = replace(grid, values=np.array([[0.2, 0.91], [0.4, 0.91]]))
    assert (
        surprises(trace.with_evidence(tied))[0].says == "Layer 1, head 2 aligns as well as any of all 4 heads: F1 .91."
    )


def test_where_there_is_no_order_and_nothing_was_chosen_the_sharpest_the_widest_and_the_largest_are_said() -> None:
    weights = drawn_heads() * 0.5 + 0.5 / 7
    weights[0, 1, 3] = np.where(np.arange(7) == 4, 0.94, 0.01)
    weights[1, 0] = 1 / 7
    patches, latents = Axis("image", grid=(1, 7)), Axis("latent", labels=tuple("abcdefg"))
    maps = AttentionMaps(weights.astype(np.float32), latents, patches, "cross", (0, 1))
    found = surprises(Trace((maps,), np.zeros((1, 7, 3), np.uint8), "a cat"))
    shares = named(maps)["entropy-share"].values
    assert [one.title.split(":")[0] for one in found] == ["sharpest", "widest", "largest weight"]
    sharpest = np.unravel_index(shares.argmin(), shares.shape)
    assert [(one.layer, one.head) for one in found] == [tuple(sharpest), (1, 0), (0, 1)]
    assert (found[2].query, found[2].key) == (3, 4)
    assert "0.94" in found[2].says


def test_of_a_single_head_only_what_can_be_said_of_one_is_said() -> None:
    trace = surprising(drawn_heads()[:1, :1])
    assert [one.title.split(":")[0] for one in surprises(trace)] == ["largest weight"]
    nothing = replace(trace, maps=(maps_of(np.full((1, 1, 7, 7), 1 / 7), "cross", ("</s>",) * 7),))
    assert surprises(nothing) == ()
    cropped = replace(nothing.cross, altered=("cropped",))
    assert surprises(replace(nothing, maps=(cropped,))) == ()  # no row tells what was on the padding


@pytest.mark.parametrize("slug", ["cat", "peixe", "amiable"])
def test_surprises_of_what_ships_are_true_of_its_maps(slug: str) -> None:
    """Each number again from the weights, with float64: half of the last digit written, and float32 sums."""
    trace = load(slug)
    assert trace is not None
    aligned, rests, unsure = surprises(trace)
    maps, steps = trace.cross, trace.steps
    assert aligned.head is not None
    own = maps.weights[:, :, ~maps.queries.is_special][..., ~maps.keys.is_special]
    share = 1 - own.sum(-1, dtype=np.float64).mean(-1)  # on </s>, or on padding that was cropped
    assert share[aligned.layer, aligned.head] < 0.5
    assert (rests.layer, rests.head) == np.unravel_index(share.argmax(), share.shape)
    assert int(re.findall(r"(\d+)\u202f%", rests.says)[0]) == pytest.approx(100 * share.max(), abs=0.51)
    assert unsure.query is not None
    free = [i for i, step in enumerate(steps) if not step.forced and not maps.queries.is_special[i]]
    assert steps[unsure.query].log_prob == min(steps[i].log_prob for i in free)


def drawn_heads() -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.random.default_rng(4).dirichlet(np.full(7, 0.3), (2, 2, 7))
    return weights
