from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.analysis import alignment_heads
from xattn_viz.analysis.alignment_heads import (
    BY_HAND,
    CACHE_VARIABLE,
    SHIPPED,
    choose,
    find_alignment_heads,
    known_heads,
    search,
)
from xattn_viz.analysis.word_units import sides, with_rows_of_one, word_weights
from xattn_viz.core.evidence import AlignmentHead
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.models.families.seq2seq import FAMILY as TEXT_FAMILY

PAIRS = [
    ("The mayor did not answer the letter .", "O presidente da câmara não respondeu à carta ."),
    ("We will buy a new car next month .", "Vamos comprar um carro novo no próximo mês ."),
    ("Her black shoes are under the bed .", "Os sapatos pretos dela estão debaixo da cama ."),
]
GUIDED, AHEAD_READ, BACK_READ = AlignmentHead(1, 0), AlignmentHead(0, 5, 1), AlignmentHead(0, 6, 1)


@pytest.fixture(scope="module")
def models() -> tuple[xv.Adapter, xv.Adapter]:
    return xv.load("firefox-en-pt"), xv.load("firefox-pt-en")


@pytest.fixture(scope="module")
def traces(models: tuple[xv.Adapter, xv.Adapter]) -> tuple[list[Trace], list[Trace]]:
    en_pt, pt_en = models
    return [en_pt.trace(en, target=pt) for en, pt in PAIRS], [pt_en.trace(pt, target=en) for en, pt in PAIRS]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


def test_the_four_heads_are_found_from_three_pairs_without_gold(traces: tuple[list[Trace], list[Trace]]) -> None:
    found = search(*traces)
    assert (found.heads, found.reverse_heads) in [
        (one, other) for one in _orders(GUIDED, AHEAD_READ) for other in _orders(GUIDED, BACK_READ)
    ]
    assert found.n_pairs == 3
    assert "float64[2, 8, 2]" in repr(found)


def _orders(a: AlignmentHead, b: AlignmentHead) -> tuple[tuple[AlignmentHead, ...], ...]:
    return (a, b), (b, a)


def test_the_agreement_is_the_cosine_between_matrices(traces: tuple[list[Trace], list[Trace]]) -> None:
    wanted = []
    for ahead, back in zip(*traces, strict=True):
        source, target = sides(ahead)
        a = with_rows_of_one(word_weights(ahead, source, target))[0, 5, 1]
        b = with_rows_of_one(word_weights(back, *sides(back)))[1, 3, 0].T
        wanted.append((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    found = search(*traces).agreement
    assert found is not None
    assert abs(found[0, 5, 1, 1, 3, 0] - np.mean(wanted)) < 1e-12  # float64 sums in another order


def test_one_model_alone_finds_the_same_heads(traces: tuple[list[Trace], list[Trace]]) -> None:
    for own, read in zip(traces, (AHEAD_READ, BACK_READ), strict=True):
        found = search(own)
        assert found.heads in _orders(GUIDED, read)
        assert (found.agreement, found.reverse_scores, found.rows(reverse=True)) == (None, None, [])
        table = found.rows()
        assert len(table) == 2 * 8 * 2
        assert [row["is_chosen"] for row in table[:3]] == [True, True, False]
        unshifted, shifted = found.grids()
        assert (unshifted.name, shifted.name) == ("aligns-predicted", "aligns-read")
        assert unshifted.values.argmax() == 8  # layer 1, head 0
        assert "on 3 pairs, without any gold" in shifted.method
        assert found.grids(reverse=True) == ()
        assert [row["score"] for row in table] == sorted((row["score"] for row in table), reverse=True)


def test_the_score_of_one_model_is_sharpness_times_coverage(traces: tuple[list[Trace], list[Trace]]) -> None:
    (trace, *_), _ = traces
    weights = with_rows_of_one(word_weights(trace, *sides(trace)))[1, 0, 0]
    sharp = np.mean([sum(w * w for w in row) for row in weights])
    shares = weights.sum(axis=0) / weights.sum()
    coverage = 1 - sum(abs(share - 1 / len(shares)) for share in shares) / 2
    assert abs(search([trace]).scores[1, 0, 0] - sharp * coverage) < 1e-12


def test_a_head_is_taken_in_the_better_of_its_two_ways_and_a_poor_second_is_not() -> None:
    scores = np.array([[[0.9, 0.8], [0.1, 0.2]], [[0.3, 0.1], [0.2, 0.7]]])
    assert choose(scores, (4, 5)) == (AlignmentHead(4, 0), AlignmentHead(5, 1, 1))
    scores[1, 1] = 0.2, 0.3
    assert choose(scores, (4, 5)) == (AlignmentHead(4, 0),)


def test_what_ships_is_what_the_search_finds(models: tuple[xv.Adapter, xv.Adapter]) -> None:
    """The first five of the pairs that `make alignment-heads` reads are enough."""
    pairs = [line.split("\t") for line in BY_HAND.read_text(encoding="utf-8").splitlines() if "\t" in line][:5]
    en_pt, pt_en = models
    found = find_alignment_heads(en_pt, pt_en, [(en, pt) for en, pt, _ in pairs], keep=False)
    assert found.agreement is not None
    best = np.argsort(-found.agreement, axis=None)[:4]
    places = {tuple(int(i) for i in np.unravel_index(place, found.agreement.shape)) for place in best}
    assert places == {(*a, *b) for a in (GUIDED, AHEAD_READ) for b in (GUIDED, BACK_READ)}
    shipped = json.loads(SHIPPED.read_bytes())
    assert len(shipped) == 2
    for model, heads in ((en_pt, found.heads), (pt_en, found.reverse_heads)):
        trace = model.trace("a", target="a")
        said = shipped[trace.provenance["weights_sha256"]]
        assert {*map(tuple, said["heads"])} == {*heads}
        assert np.shape(said["scores"]) == (2, 8, 2)
        assert known_heads(trace) == (tuple(AlignmentHead(*head) for head in said["heads"]), "shipped")


def test_what_was_found_is_kept_for_the_model_and_nothing_else(models: tuple[xv.Adapter, xv.Adapter]) -> None:
    en_pt, _ = models
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> bool:
        seen.append((done, total))
        return done < 3

    found = find_alignment_heads(
        en_pt, texts=["The cat sleeps .", "A dog barked .", "No bird sang .", "No ."], on_pair=stop
    )
    assert seen == [(1, 4), (2, 4), (3, 4)]
    assert found.n_pairs == 3
    trace = en_pt.trace("a", target="a")
    assert known_heads(trace) == (found.heads, "found before")
    find_alignment_heads(en_pt, texts=["No ."])  # too little to be kept
    assert known_heads(trace) == (found.heads, "found before")
    other = replace(trace, provenance={**trace.provenance, "weights_sha256": "0" * 64})
    assert known_heads(other) is None
    assert known_heads(replace(other, provenance={"weights_sha256": "../../x"})) is None
    assert known_heads(replace(other, alignment_heads=((1, 2),))) == ((AlignmentHead(1, 2),), "named by the checkpoint")


@pytest.mark.parametrize("damaged", ["", "[]", '{"heads": 3}', '{"heads": [["a"]]}', '{"heads": [[7, 0, 0]]}', "\x00"])
def test_a_damaged_file_of_the_cache_is_none(models: tuple[xv.Adapter, xv.Adapter], damaged: str) -> None:
    trace = models[0].trace("a", target="a")
    folder = alignment_heads.cache_folder()
    folder.mkdir(parents=True)
    (folder / f"{trace.provenance['weights_sha256']}.json").write_text(damaged)
    found = known_heads(trace)
    assert found is not None
    assert found[1] == "shipped"


def test_a_cache_that_cannot_be_written_is_none(models: tuple[xv.Adapter, xv.Adapter], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert find_alignment_heads(models[0], texts=["The cat sleeps ."] * 3).heads


def test_without_sentences_nothing_is_searched(models: tuple[xv.Adapter, xv.Adapter]) -> None:
    with pytest.raises(InputError, match="there are none: give some as texts"):
        find_alignment_heads(models[0], texts=[])

    with pytest.raises(InputError, match=r"between two texts, and .* does not read one and write another"):
        find_alignment_heads(xv.load("caption-shapes"))

    class Danish:
        card = replace(models[0].card, name="da-sv", source_language="da", target_language="sv")
        trace = models[0].trace

    with pytest.raises(InputError, match="No sentences come with the package that 'da-sv' is known to read"):
        find_alignment_heads(Danish())


def test_any_text_model_of_transformers_has_its_heads_found(models: tuple[xv.Adapter, xv.Adapter]) -> None:
    """One with random weights: its heads align nothing, and the search says so by what they score."""
    tiny = TEXT_FAMILY.example()
    found = find_alignment_heads(tiny, texts=["black cats", "a dog", "two"], max_new_tokens=6)
    maps = tiny.trace("black cats", max_new_tokens=6).cross
    assert found.scores.shape == (len(maps.layers), maps.n_heads, 2)
    assert found.scores.max() < search([models[0].trace(*PAIRS[0][:1], target=PAIRS[0][1])]).scores.max()
    both = find_alignment_heads(
        tiny, tiny, texts=[("black cats", "gatos pretos")], keep=False, reverse_settings={"num_beams": 1}
    )
    assert both.agreement is not None
    assert both.agreement.shape == (*found.scores.shape, *found.scores.shape)
    alone = xv.align(tiny.trace("black cats", target="gatos pretos"))
    assert (alone.chosen, alone.heads) == ("found before", found.heads)
