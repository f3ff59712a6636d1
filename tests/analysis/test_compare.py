from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xattn_viz as xv
from xattn_viz.analysis.compare import compare, paired
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View

NAN = float("nan")


def text_axis(text: str, end: str = "</s>") -> Axis:
    """One position a piece: words between blanks, cut at "|"; then the end."""
    pieces = [(word, piece) for word, said in enumerate(text.split()) for piece in said.split("|")]
    labels = (*(piece for _, piece in pieces), end)
    words = (*(word for word, _ in pieces), len(text.split()))
    return Axis("text", labels=labels, words=words, special=(*[False] * len(pieces), True))


def trace_of(
    source: str, output: str, rows: object = None, *, model: str = "m", shape: tuple[int, int] = (1, 1)
) -> Trace:
    """A trace of planted rows `[query, key]`, or random ones, the same in all heads of `shape`."""
    keys, queries = text_axis(source), text_axis(output)
    if rows is None:
        rows = np.random.default_rng(len(source)).dirichlet(np.ones(len(keys)), (*shape, len(queries)))
    weights = np.broadcast_to(np.asarray(rows, np.float32), (*shape, len(queries), len(keys)))
    maps = AttentionMaps(weights, queries, keys, "cross", tuple(range(shape[0])))
    return Trace((maps,), source.replace("|", ""), output.replace("|", ""), provenance={"model": model})


BEFORE = trace_of(
    "the bank by town", "le bord", [[0.5, 0.04, 0, 0.46, 0], [0.04, 0.6, 0.3, 0.04, 0.02], [0, 0, 0, 0, 1]]
)
AFTER = trace_of(
    "the old bank by water",
    "le bord droit",
    [[0.5, 0, 0.04, 0, 0.46, 0], [0.04, 0.25, 0.1, 0.5, 0.1, 0.01], [0, 1, 0, 0, 0, 0], [0.25, 0, 0, 0, 0, 0.75]],
)


def test_what_both_have_stands_side_by_side_and_the_rest_has_no_difference() -> None:
    found = compare(BEFORE, AFTER)
    assert found.units == "pieces"
    assert found.column_labels == (
        ("the", "the"),
        (None, "old"),
        ("bank", "bank"),
        ("by", "by"),
        ("town", "water"),
        ("</s>", "</s>"),
    )
    assert found.rows == ((0, 0), (1, 1), (None, 2), (2, 3))
    # Differences of planted float32 numbers: each is off by less than 1e-7.
    wanted = [
        [0, NAN, 0, 0, 0, 0],
        [0, NAN, -0.5, 0.2, 0.06, -0.01],
        [NAN] * 6,
        [0.25, NAN, 0, 0, 0, -0.25],
    ]
    np.testing.assert_allclose(found.difference[0, 0], wanted, atol=1e-6)
    assert found.alone == "Only in B: old, droit."
    assert repr(found).startswith("Comparison by pieces: [layer 1, head 1, query 4, key 6]\n  A: 'the bank by town'")


def test_changes_are_said_by_the_numbers_the_largest_first() -> None:
    found = compare(BEFORE, AFTER).changes()
    assert [change.says for change in found] == [
        "bord now reads by: .50, was .30.",
        "</s> reads the more: .25, was .00.",
    ]
    assert [(change.query, change.key) for change in found] == [(1, 3), (3, 0)]
    np.testing.assert_allclose([change.difference for change in found], [-0.5, 0.25], atol=1e-6)
    assert [change.query for change in compare(BEFORE, AFTER).changes(0, 0, most=1)] == [1]
    assert compare(BEFORE, BEFORE).changes() == ()
    # Another strongest key, one that the first lacks, and a word in place of another.
    newer = trace_of(
        "the river by town", "la rive", [[0.1, 0.2, 0, 0.7, 0], [0.04, 0.02, 0.3, 0.04, 0.6], [0, 0, 0, 0, 1]]
    )
    assert [change.says for change in compare(BEFORE, newer).changes()] == [
        "rive (bord in A) now reads </s>: .60, was .02.",
        "la (le in A) now reads town: .70, was .46.",
    ]
    longer = trace_of("the bank by old town", "le bord", np.eye(6)[[0, 3, 5]])
    [said, *_] = compare(BEFORE, longer, names=("mine", "yours")).changes()
    assert said.says == "bord now reads old: 1.00, mine has no such column."
    assert said.before is None


@pytest.mark.parametrize(
    ("labels", "others", "wanted"),
    [
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "ac", [(0, 0), (1, None), (2, 1)]),
        ("ac", "abc", [(0, 0), (None, 1), (1, 2)]),
        ("abc", "axc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "axyc", [(0, 0), (1, 1), (None, 2), (2, 3)]),
        ("", "ab", [(None, 0), (None, 1)]),
    ],
)
def test_rows_find_their_counterparts(labels: str, others: str, wanted: list[tuple[int | None, int | None]]) -> None:
    assert paired(labels, others) == wanted


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_every_place_of_both_is_paired_once_in_order(one: list[str], other: list[str]) -> None:
    found = paired(one, other)
    assert [i for i, _ in found if i is not None] == [*range(len(one))]
    assert [j for _, j in found if j is not None] == [*range(len(other))]
    assert (None, None) not in found
    assert [(j, i) for i, j in paired(other, one)] == found


@pytest.mark.parametrize("view", [None, View(units="words"), (View(head=1), View(layer=1, head="mean"))])
def test_a_trace_and_itself_differ_nowhere_and_turned_round_the_difference_turns(view: object) -> None:
    trace = trace_of("one t|wo three", "u|n deux", shape=(2, 3))
    other = trace_of("one four", "un d|eu|x trois", shape=(2, 3))
    if not isinstance(view, tuple):
        assert (compare(trace, trace, view).difference == 0).all()  # type: ignore[arg-type]
    ahead, back = compare(trace, other, view), compare(other, trace, view)  # type: ignore[arg-type]
    if view is None or isinstance(view, View):
        np.testing.assert_array_equal(ahead.difference, -back.difference)  # NaN where one has nothing, in both
        assert ahead.rows == tuple((i, j) for j, i in back.rows)


def test_models_that_cut_words_otherwise_are_compared_by_words_and_of_other_sizes_by_their_means() -> None:
    one = trace_of("the un|der|ground", "le mé|tro", shape=(2, 2))
    other = trace_of("the underground", "le métro", model="n", shape=(3, 4))
    found = compare(one, other)
    assert (found.units, found.a.shape, found.title) == ("words", (1, 1, 3, 3), "mean over all heads")
    assert found.column_labels[1] == ("underground", "underground")
    mean = one.cross.weights.astype(np.float64).mean((0, 1))
    oracle = np.stack([mean[0], mean[1:3].mean(0), mean[3]])
    oracle = np.stack([oracle[:, 0], oracle[:, 1:4].sum(1), oracle[:, 4]], axis=1)
    np.testing.assert_allclose(found.a[0, 0], oracle, atol=1e-6)
    np.testing.assert_allclose(found.b[0, 0], other.cross.weights.mean((0, 1)), atol=1e-6)
    # The end is called otherwise in each model, and stands beside the other's.
    ends = replace(
        other.cross, keys=text_axis("the old underground", "<eos>"), weights=np.full((3, 4, 3, 4), 0.25, np.float32)
    )
    assert compare(one, replace(other, maps=(ends,))).column_labels == (
        ("the", "the"),
        (None, "old"),
        ("underground", "underground"),
        ("</s>", "<eos>"),
    )


def test_two_heads_of_one_trace() -> None:
    trace = trace_of("a b c", "x y", shape=(1, 2))
    weights = np.stack([trace.cross.weights[0, 0], np.roll(trace.cross.weights[0, 1], 1, axis=-1)])[None]
    trace = replace(trace, maps=(replace(trace.cross, weights=weights),))
    found = compare(trace, trace, (View(head=0), View(head=1)))
    np.testing.assert_array_equal(found.difference[0, 0], weights[0, 1] - weights[0, 0])
    assert found.title == "layer 1, head 1 and layer 1, head 2"
    assert compare(trace, trace, View(special=False)).a.shape == (1, 1, 2, 3)
    with pytest.raises(ValueError, match="no head 7"):
        compare(trace, trace, View(head=7))


def heard(frames: int, step: float = 0.02, start: float = 0.0) -> Trace:
    times = tuple((start + i * step, start + (i + 1) * step) for i in range(frames))
    weights = np.full((1, 1, 2, frames), 1 / frames, np.float32)
    maps = AttentionMaps(weights, text_axis("go"), Axis("audio", times=times), "cross", (0,))
    return Trace((maps,), np.zeros(frames, np.float32), "go")


def seen(side: int) -> Trace:
    weights = np.full((1, 1, 2, side * side), 1 / side**2, np.float32)
    return Trace((AttentionMaps(weights, text_axis("star"), Axis.picture(side, side), "cross", (0,)),), "", "star")


def test_sounds_are_aligned_by_time_and_pictures_by_place() -> None:
    found = compare(heard(5), heard(7, start=30.0))
    assert found.columns == (*((i, i) for i in range(5)), (None, 5), (None, 6))
    assert np.isnan(found.difference[..., 5:]).all()
    assert compare(seen(3), seen(3)).columns == tuple((i, i) for i in range(9))


def test_what_has_nothing_in_common_is_refused_in_a_sentence() -> None:
    with pytest.raises(xv.InputError, match="the columns of A are text, those of B sound"):
        compare(BEFORE, heard(3))
    with pytest.raises(xv.InputError, match=r"frames of A last 0\.020 s, those of B 0\.040 s"):
        compare(heard(3), heard(3, step=0.04))
    with pytest.raises(xv.InputError, match="A has 2 × 2 patches, B has 3 × 3"):
        compare(seen(2), seen(3))
    with pytest.raises(xv.InputError, match="a map of the kind encoder to be compared, and one holds: cross"):
        compare(BEFORE, AFTER, View(kind="encoder"))
    with pytest.raises(xv.InputError, match="Two traces are compared"):
        compare(BEFORE, "a text")  # type: ignore[arg-type]


def test_an_ablation_is_the_difference_that_numpy_finds() -> None:
    model, text = xv.load("firefox-en-pt"), "A dog slept near the door."
    plain = model.trace(text)
    changed = model.trace(text, ablate=(("cross", 0, 1),), target=plain.output)
    plain = model.trace(text, target=plain.output)
    found = xv.compare(plain, changed)
    # The same subtraction of the same float32 numbers.
    np.testing.assert_array_equal(found.difference, changed.cross.weights - plain.cross.weights)
    assert np.abs(found.difference[1]).max() > 0.001  # the layer behind reads something else
    apart = found.difference[1].mean(0)
    first = xv.compare(plain, changed).changes(1, least=0.0, most=1)[0]
    assert first.query == np.unravel_index(np.abs(apart).argmax(), apart.shape)[0]
    assert first.difference == pytest.approx(apart.flat[np.abs(apart).argmax()], abs=1e-6)
