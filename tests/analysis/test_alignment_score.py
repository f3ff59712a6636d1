from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.analysis import alignment_score
from xattn_viz.analysis.alignment_files import LinkedPair, read_gold
from xattn_viz.analysis.alignment_heads import BY_HAND
from xattn_viz.analysis.alignment_score import AlignmentScores, counts, head_agreement, rates, score
from xattn_viz.core.evidence import AlignmentHead
from xattn_viz.inputs import InputError

COUNT = 10  # pairs of the file that are scored here


@pytest.fixture(scope="module")
def models() -> tuple[xv.Adapter, xv.Adapter]:
    return xv.load("firefox-en-pt"), xv.load("firefox-pt-en")


@pytest.fixture(scope="module")
def gold() -> list[LinkedPair]:
    return read_gold(BY_HAND)[:COUNT]


@pytest.fixture(scope="module")
def whole(models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair]) -> AlignmentScores:
    return score(gold, *models, pick_on=0.4, resamples=50)


def random_pair(rng: np.random.Generator) -> tuple[set[tuple[int, int]], LinkedPair]:
    links, sure, possible = (
        {(int(s), int(t)) for s, t in np.argwhere(rng.random((5, 6)) < share)} for share in (0.3, 0.2, 0.1)
    )
    return links, LinkedPair(("w",) * 5, ("v",) * 6, frozenset(sure | {(0, 0)}), frozenset(possible))


def test_aer_agrees_with_a_published_implementation() -> None:
    """That of NLTK on 300 random link sets, each pair alone; 1e-12 is rounding."""
    # Brings scikit-learn, which no other test needs.
    from nltk.translate import Alignment as TheirAlignment
    from nltk.translate.metrics import alignment_error_rate

    rng = np.random.default_rng(14)
    for _ in range(300):
        links, pair = random_pair(rng)
        possible = TheirAlignment(pair.sure | pair.possible)
        wanted = alignment_error_rate(TheirAlignment(pair.sure), TheirAlignment(links), possible)
        assert abs(rates(counts(links, pair))[3] - wanted) < 1e-12


def test_rates_by_hand_and_where_nothing_is_counted() -> None:
    pair = LinkedPair(("a", "b", "c"), ("x", "y", "z"), frozenset({(0, 0), (1, 1)}), frozenset({(2, 2)}))
    counted = counts([(0, 0), (2, 2), (2, 0)], pair)
    assert counted.tolist() == [3, 2, 1, 2]
    precision, recall, f1, aer = rates(counted)
    assert (precision, recall) == (2 / 3, 1 / 2)
    assert abs(f1 - 4 / 7) < 1e-12  # 2 · 2/3 · 1/2 / (2/3 + 1/2)
    assert abs(aer - (1 - 3 / 5)) < 1e-12
    assert np.isnan(rates(np.zeros(4))).all()
    assert rates(np.array([2, 3, 0, 0])).tolist() == [0, 0, 0, 1]


def test_the_recipe_is_scored_as_align_links(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], whole: AlignmentScores
) -> None:
    """On the pairs that nothing was picked on: precision, recall, F1 and AER by their definitions, link by link."""
    order = np.random.default_rng(0).permutation(COUNT)
    measured = [gold[number] for number in sorted(order[4:])]
    found: dict[str, list[set[tuple[int, int]]]] = {"recipe": [], "one model": []}
    for pair in measured:
        source, target = " ".join(pair.source_words), " ".join(pair.target_words)
        ahead, back = models[0].trace(source, target=target), models[1].trace(target, target=source)
        found["recipe"].append({*xv.align(ahead, reverse=back).pairs})
        found["one model"].append({*xv.align(ahead).pairs})
    for name, links in found.items():
        a, s = sum(map(len, links)), sum(len(pair.sure) for pair in measured)
        in_sure = sum(len(own & pair.sure) for own, pair in zip(links, measured, strict=True))
        in_either = sum(len(own & (pair.sure | pair.possible)) for own, pair in zip(links, measured, strict=True))
        p, r = in_either / a, in_sure / s
        wanted = (p, r, 2 * p * r / (p + r), 1 - (in_sure + in_either) / (a + s))
        assert whole[name].rates == pytest.approx(wanted, abs=1e-12), name
        assert whole[name].n_pairs == COUNT - 4
    assert (whole.n_pairs, whole.n_picked_on, whole.n_gold) == (COUNT, 4, COUNT)
    assert whole.heads == (AlignmentHead(1, 0), AlignmentHead(0, 5, 1))
    assert all(
        low <= value <= high
        for each in whole.scores
        for low, value, high in zip(each.low[:3], each.rates[:3], each.high[:3], strict=True)
    )
    assert whole.problems == ()
    with pytest.raises(KeyError):
        whole["none"]


def test_every_head_is_scored_in_both_row_conventions(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], whole: AlignmentScores
) -> None:
    predicted, read = whole.grids
    assert (predicted.name, read.name) == ("alignment-predicted", "alignment-read")
    assert predicted.values.shape == (2, 8)
    assert (predicted.values[1, 0], read.values[0, 5]) == (predicted.values.max(), read.values.max())
    assert {grid.values.shape for grid in whole.reverse_grids} == {(2, 8)}
    links = []
    for pair in gold:  # the head that most_attended takes by default, whose rows are of the token predicted
        trace = models[0].trace(" ".join(pair.source_words), target=" ".join(pair.target_words))
        links.append(xv.align(trace, heads=[(1, 0)], method="argmax", signs="free").pairs)
    total = np.sum([counts(own, pair) for own, pair in zip(links, gold, strict=True)], axis=0)
    assert abs(predicted.values[1, 0] - rates(total)[2]) < 1e-6  # float32


def test_how_far_the_heads_of_one_trace_agree_with_its_alignment(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair]
) -> None:
    source, target = (" ".join(words) for words in (gold[0].source_words, gold[0].target_words))
    ahead, back = models[0].trace(source, target=target), models[1].trace(target, target=source)
    found = xv.align(ahead, reverse=back)
    predicted, read = head_agreement(ahead, found)
    alone = xv.align(ahead, heads=[(0, 5, 1)], method="argmax", signs="free").pairs
    assert abs(read.values[0, 5] - 2 * len(alone & found.pairs) / (len(alone) + len(found.pairs))) < 1e-6  # float32
    assert read.values[0, 5] == 1
    assert predicted.values[0, 5] < 0.5
    assert ahead.with_evidence(predicted, read).evidence == (predicted, read)


def test_settings_are_picked_on_one_part_and_measured_on_the_other(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], whole: AlignmentScores
) -> None:
    order = np.random.default_rng(0).permutation(COUNT)
    picked, others = ([gold[number] for number in sorted(part)] for part in (order[:4], order[4:]))
    assert whole.threshold in alignment_score.THRESHOLDS
    at = {
        each: score(picked, *models, threshold=each, pick_on=0, resamples=0)["recipe"].rates.f1 for each in (0.1, 0.9)
    }
    best = score(picked, *models, threshold=whole.threshold, pick_on=0, resamples=0)
    assert best["recipe"].rates.f1 >= max(at.values())
    assert (best.threshold, best.n_picked_on, len(best.scores)) == (None, 0, 3)
    again = score(others, *models, threshold=whole.threshold, pick_on=0, resamples=0)
    assert again["recipe"].rates == pytest.approx(whole["recipe, threshold picked"].rates, abs=1e-12)


def test_a_killed_run_goes_on_with_the_same_result(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], whole: AlignmentScores, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    program = f"""
import time, xattn_viz as xv
from xattn_viz.analysis.alignment_files import read_gold
from xattn_viz.analysis.alignment_score import score
score(read_gold({str(BY_HAND)!r})[:{COUNT}], xv.load("firefox-en-pt"), xv.load("firefox-pt-en"), pick_on=0.4,
      resamples=50, journal={str(journal)!r}, on_pair=lambda done, count: time.sleep(0.2))
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        end = time.monotonic() + 120
        while not journal.exists() or journal.read_bytes().count(b"\n") < 4:
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with journal.open("ab") as file:
        file.write(b'{"pair": 9, "counts": {"rec')  # what a kill can leave of a line
    before = journal.read_bytes().count(b"\n")
    assert 4 <= before <= COUNT
    seen: list[int] = []
    found = score(gold, *models, pick_on=0.4, resamples=50, journal=journal, on_pair=lambda done, _: seen.append(done))
    assert seen == list(range(before, COUNT + 1))[: COUNT + 1 - before]
    assert found == whole
    assert score(gold, *models, pick_on=0.4, resamples=50, journal=journal) == whole  # nothing is left to do


def test_a_run_can_be_stopped(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], whole: AlignmentScores, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    found = score(gold, *models, pick_on=0.4, resamples=0, journal=journal, on_pair=lambda done, _: done < 6)
    assert (found.n_pairs, found.n_gold) == (6, COUNT)
    with pytest.raises(InputError, match="no journal of these pairs, models and settings"):
        score(gold[:5], *models, journal=journal)
    with pytest.raises(InputError, match="no journal of these pairs, models and settings"):
        score(gold, *models, journal=journal, threshold=0.5)
    journal.write_text("something else\n")
    with pytest.raises(InputError, match="no journal of these pairs"):
        score(gold, *models, journal=journal)
    assert journal.read_text() == "something else\n"


def test_one_model_alone_is_scored_too(models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair]) -> None:
    found = score(gold[:3], models[0], pick_on=0, resamples=0)
    assert [each.name for each in found.scores] == ["recipe", "one model"]
    assert found.reverse_grids == ()
    assert found["recipe"].rates == found["one model"].rates
    assert "one direction" in found["recipe"].settings


def test_heads_that_are_not_known_are_found_without_the_links(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment_score, "known_heads", lambda trace: None)
    found = score(gold, *models, pick_on=0, resamples=0)
    assert {*found.heads} == {AlignmentHead(1, 0), AlignmentHead(0, 5, 1)}
    assert {*found.reverse_heads} == {AlignmentHead(1, 0), AlignmentHead(0, 6, 1)}


def test_a_pair_that_cannot_be_traced_counts_as_without_links(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair]
) -> None:
    odd = LinkedPair(("a\ud800",), ("b",), frozenset({(0, 0)}))
    found = score([odd, *gold[:3]], *models, pick_on=0, resamples=0)
    assert [name for name, _ in found.problems] == ["pair 1"]
    assert "lone surrogate" in found.problems[0][1]
    plain = score(gold[:3], *models, pick_on=0, resamples=0)
    assert found["recipe"].rates.precision == plain["recipe"].rates.precision
    sure = sum(len(pair.sure) for pair in gold[:3])
    assert found["recipe"].rates.recall == pytest.approx(plain["recipe"].rates.recall * sure / (sure + 1), abs=1e-12)
    with pytest.raises(InputError, match="lone surrogate"):
        score([odd], *models, pick_on=0)


@pytest.mark.parametrize(("count", "share"), [(1, 0.3), (0, 0), (3, 1), (3, -0.1)])
def test_too_few_pairs_are_told(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], count: int, share: float
) -> None:
    with pytest.raises(InputError, match="Settings are picked on a share of the pairs below 1"):
        score(gold[:count], *models, pick_on=share)


def test_a_journal_is_json_a_line(
    models: tuple[xv.Adapter, xv.Adapter], gold: list[LinkedPair], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    score(gold[:2], *models, pick_on=0, resamples=0, journal=journal)
    head, *lines = (json.loads(line) for line in journal.read_text().splitlines())
    assert head["heads"] == [[[1, 0, 0], [0, 5, 1]], [[1, 0, 0], [0, 6, 1]]]
    said: list[Any] = [line["counts"]["recipe"] for line in lines]
    assert [line["pair"] for line in lines] == [0, 1]
    assert [each[1] for each in said] == [len(pair.sure) for pair in gold[:2]]
