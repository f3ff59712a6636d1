from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from thot.common import WordAlignmentMatrix

import xattn_viz as xv
from tests.analysis.test_word_units import made, tokens
from xattn_viz.analysis.alignment import BOTH_DIRECTIONS, WordMatrices, align, symmetrise
from xattn_viz.analysis.word_units import linked_cells
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import AlignmentHead, LinkMethod
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.inputs import InputError

EN = "The president said that the inter - state meeting in São Paulo cost 5 % more ."
PT = "O presidente disse que a reunião interestadual em São Paulo custou mais 5 por cento ."


@pytest.fixture(scope="module")
def both() -> tuple[Trace, Trace]:
    return xv.load("firefox-en-pt").trace(EN, target=PT), xv.load("firefox-pt-en").trace(PT, target=EN)


def from_specification(ahead: Trace, back: Trace) -> NDArray[np.float64]:
    """The mean of both directions by the definition, word by word: an oracle with none of the package's matrices."""

    def matrix(trace: Trace, guided: tuple[int, int], previous: tuple[int, int]) -> list[list[float]]:
        weights, rows, columns = trace.cross.weights, trace.cross.queries, trace.cross.keys

        def pieces(text: str, axis: xv.Axis) -> list[list[int]]:
            places, end = [], 0
            for word in text.split():
                start = text.index(word, end)
                end = start + len(word)
                own = [
                    i
                    for i, (a, b) in enumerate(axis.spans or ())
                    if not axis.is_special[i] and (a < end and b > start and text[a:b].strip())
                ]
                # SentencePiece has a lone piece for some spaces, which belongs to the piece behind it.
                own += [i - 1 for i in own if i and (axis.spans or ())[i - 1][1] == start and axis.name(i - 1) == " "]
                places.append(sorted(own))
            return places

        sources, found = pieces(str(trace.input), columns), []
        for own in pieces(trace.output, rows):
            row = []
            for source in sources:
                g = [float(weights[(*guided, t, s)]) for t in own for s in source]
                p = [float(weights[(*previous, min(t + 1, len(rows) - 1), s)]) for t in own for s in source]
                row.append((sum(g) + 2 * sum(p)) / 3 / len(own))
            found.append([weight / sum(row) for weight in row])
        return found

    forward, backward = matrix(ahead, (1, 0), (0, 5)), matrix(back, (1, 0), (0, 6))
    return np.array([[(forward[t][s] + backward[s][t]) / 2 for s in range(len(backward))] for t in range(len(forward))])


def test_the_weights_are_those_of_the_definition(both: tuple[Trace, Trace]) -> None:
    wanted = from_specification(*both)
    found = xv.align(both[0], reverse=both[1])
    np.testing.assert_allclose(found.weights, wanted, atol=1e-9)  # float64 sums in another order: 1e-15 or so
    above = {(s, t) for t, s in np.argwhere(wanted > BOTH_DIRECTIONS).tolist()}
    assert above <= found.pairs  # in this pair no sign and no word are above it
    assert found.pairs - above <= {(EN.split().index("-"), PT.split().index("interestadual"))}


def test_two_directions_agree_by_the_cosine_of_their_matrices(both: tuple[Trace, Trace]) -> None:
    found = xv.align(*both)
    assert found.agreement is not None
    pairs = WordMatrices.of(*both, "spaces", None, None)
    ahead, back = pairs.ahead.ravel().tolist(), (2 * found.weights - pairs.ahead).ravel().tolist()  # of their mean
    product, lengths = (sum(a * b for a, b in zip(*two, strict=True)) for two in ((ahead, back), (ahead, ahead)))
    wanted = product / math.sqrt(lengths * sum(b * b for b in back))
    assert math.isclose(found.agreement, wanted, rel_tol=1e-9)  # float64 sums in another order
    assert xv.align(both[0]).agreement is None


def test_a_pair_is_linked_as_people_would(both: tuple[Trace, Trace]) -> None:
    found = xv.align(*both)
    assert [word.text for word in found.source_words] == EN.split()
    assert [word.text for word in found.target_words] == PT.split()
    links = {(EN.split()[s], PT.split()[t]) for s, t, _ in found.links}
    assert links >= {
        ("president", "presidente"),
        ("meeting", "reunião"),
        ("inter", "interestadual"),
        ("state", "interestadual"),
        ("-", "interestadual"),  # a hyphen without one on the other side goes with the word before it
        ("São", "São"),
        ("more", "mais"),
        (".", "."),
    }
    assert ({0, 4} & {s for s, _ in found.pairs}) == {0, 4}
    assert {(0, 0), (4, 4)} <= found.pairs  # the first "the" is not the second
    assert not {(0, 4), (4, 0)} & found.pairs
    assert found.chosen == "shipped"
    assert found.heads == (AlignmentHead(1, 0), AlignmentHead(0, 5, 1))
    assert found.reverse_heads == (AlignmentHead(1, 0), AlignmentHead(0, 6, 1))
    linked = {s for s, _ in found.pairs}, {t for _, t in found.pairs}
    assert {*found.source_nulls} == {*range(len(EN.split()))} - linked[0]
    assert {*found.target_nulls} == {*range(len(PT.split()))} - linked[1]
    assert all(weight == found.weights[t, s] and 0 <= weight <= 1 for s, t, weight in found.links)


def test_swapping_the_sides_swaps_the_links(both: tuple[Trace, Trace]) -> None:
    ahead, back = both
    assert {(t, s) for s, t in xv.align(ahead, back).pairs} == xv.align(back, ahead).pairs


def test_one_model_alone_links_less_and_says_so(both: tuple[Trace, Trace]) -> None:
    alone, together = align(both[0]), align(*both)
    assert alone.reverse_heads == ()
    assert alone.threshold == 0.5
    assert 0 < len(alone.pairs - together.pairs) + len(alone.pairs & together.pairs) < len(together.pairs)
    ahead = both[0].cross.weights
    row = PT.split().index("presidente")  # one piece, and its source word another
    token = next(i for i, word in enumerate(both[0].cross.queries.words or ()) if word == row)
    # The mean of both heads, each read in its own row, not divided by anything.
    wanted = (float(ahead[1, 0, token, 1]) + float(ahead[0, 5, token + 1, 1])) / 2
    assert math.isclose(alone.weights[row, 1], wanted, abs_tol=1e-9)


def test_heads_and_thresholds_that_are_given_are_taken(both: tuple[Trace, Trace]) -> None:
    ahead, back = both
    found = align(ahead, back, heads=[(1, 0)], reverse_heads=[(1, 0, 0)], threshold=0.9)
    assert (found.chosen, found.heads) == ("given", (AlignmentHead(1, 0),))
    assert all(weight > 0.9 for *_, weight in found.links)
    assert align(ahead, back, heads=[(1, 0)]).chosen == "given, shipped"
    unknown = [Trace(trace.maps, trace.input, trace.output) for trace in both]
    fresh = align(*unknown)
    assert fresh.chosen == "found in this pair"
    assert {*fresh.heads} == {*align(*both).heads}
    assert fresh.pairs == align(*both).pairs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": [(2, 0)]}, r"no head \(2, 0\): these maps hold layers 0, 1 with heads 0 to 7"),
        ({"heads": [(0, 8)]}, r"no head \(0, 8\)"),
        ({"heads": [(0, 1, 2)]}, "read it one row later: got"),
        ({"heads": [1, 0]}, "A head that aligns is"),
        ({"heads": []}, "The list of heads is empty"),
        ({"method": "best"}, "no method 'best'; there are threshold, intersection, union, grow-diag"),
        ({"signs": "some"}, 'signs are linked "apart" or "free"'),
        ({"reverse": None, "reverse_heads": [(1, 0)]}, "reverse_heads are those of a reverse trace"),
    ],
)
def test_what_cannot_be_done_is_told(both: tuple[Trace, Trace], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        align(both[0], **{"reverse": both[1], **settings})


def test_another_pair_in_reverse_is_told(both: tuple[Trace, Trace]) -> None:
    with pytest.raises(InputError, match="The reverse trace is not of the same two texts"):
        align(both[0], reverse=both[0])


def by_hand(weights: Sequence[Sequence[float]], source: str, target: str) -> Trace:
    """A trace whose words are single tokens, with one head of these weights."""
    keys, queries = tokens(source, source.split()), tokens(target, target.split())
    full = np.zeros((1, 1, len(queries), len(keys)), np.float32)
    full[0, 0, : len(weights), : len(weights[0])] = weights
    return made(full, source, target, keys, queries)


def test_words_are_linked_to_words_and_signs_to_signs_unless_told_otherwise() -> None:
    trace = by_hand([[0.9, 0.1, 0], [0.9, 0, 0.1], [0.6, 0.4, 0]], "a , b", "x y .")
    assert align(trace, heads=[(0, 0)]).pairs == {(0, 0), (0, 1)}
    assert align(trace, heads=[(0, 0)], signs="free").pairs == {(0, 0), (0, 1), (0, 2)}
    assert align(trace, heads=[(0, 0)], threshold=0.3).pairs == {(0, 0), (0, 1), (1, 2)}


def test_a_hyphen_or_per_cent_sign_goes_with_the_word_before_it_only_where_it_has_no_other() -> None:
    source = "5 % a - b"
    links = [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]]
    assert align(by_hand(links, source, "5 x y"), heads=[(0, 0)]).pairs == {(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)}
    links = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]
    assert align(by_hand(links, source, "5 % x -"), heads=[(0, 0)]).pairs == {(0, 0), (1, 1), (2, 2), (3, 3)}


def test_the_largest_weight_of_every_target_word_is_what_the_old_way_gave() -> None:
    trace = by_hand([[0.4, 0.6, 0], [0.4, 0.6, 0], [0, 0, 0]], "a b c", "x y z")
    assert align(trace, heads=[(0, 0)], method="argmax").pairs == {(1, 0), (1, 1)}
    assert align(trace, heads=[(0, 0)], method="argmax", threshold=0.7).pairs == set()


def test_symmetrisation_agrees_with_a_published_implementation() -> None:
    """That of Thot (Ortiz-Martínez and Casacuberta 2014) on 300 random pairs of link sets."""
    theirs: dict[LinkMethod, str] = {
        "intersection": "intersect",
        "union": "union",
        "grow-diag": "grow_diag",
        "grow-diag-final": "grow_diag_final",
        "grow-diag-final-and": "grow_diag_final_and",
    }
    rng = np.random.default_rng(14)
    for _ in range(300):
        shape = tuple(rng.integers(1, 9, 2))
        forward, backward = ({(int(s), int(t)) for s, t in np.argwhere(rng.random(shape) < 0.25)} for _ in range(2))
        for method, name in theirs.items():
            matrix = _matrix(forward, shape)
            getattr(matrix, name)(_matrix(backward, shape))
            wanted = {(int(s), int(t)) for s, t in np.argwhere(np.array(matrix.to_numpy()))}
            assert symmetrise(forward, backward, method) == wanted, method


def _matrix(links: set[tuple[int, int]], shape: tuple[int, ...]) -> WordAlignmentMatrix:
    matrix = WordAlignmentMatrix(*map(int, shape))
    for s, t in links:
        matrix.set(s, t)
    return matrix


def test_the_methods_lie_between_intersection_and_union(both: tuple[Trace, Trace]) -> None:
    least, most = align(*both, method="intersection").pairs, align(*both, method="union").pairs
    between: tuple[LinkMethod, ...] = ("grow-diag", "grow-diag-final-and", "grow-diag-final")
    for method in between:
        found = align(*both, method=method, signs="free").pairs
        assert len(least) <= len(found) <= len(most) + 4, method
    with pytest.raises(InputError, match="Two directions are not made one by 'argmax'"):
        symmetrise(set(), set(), "argmax")


@pytest.mark.parametrize(("units", "rows"), [("pieces", "predicted"), ("words", "predicted"), ("pieces", "input")])
def test_links_lie_on_the_map_on_screen(both: tuple[Trace, Trace], units: Any, rows: Any) -> None:
    """Each cell lies between two tokens of linked words, and the tokens of each link make up its words."""
    ahead, back = both
    found = align(ahead, back)
    maps = View(layer=1, head=0, units=units, rows=rows, special=False).shown(ahead)
    cells = linked_cells(found, maps.queries, maps.keys)
    left = set(cells)
    for source, target, _ in found.links:
        words = found.source_words[source], found.target_words[target]
        columns, tokens = (
            [at for at, (start, end) in enumerate(axis.spans or ()) if start < own.span[1] and end > own.span[0]]
            for axis, own in zip((maps.keys, maps.queries), words, strict=True)
            if own.span is not None
        )
        own = {(row, column) for row in tokens for column in columns}
        assert own <= set(cells)
        assert own or rows == "input"  # nothing reads the last token
        left -= own
    assert not left
    assert list(cells) == sorted(cells)
    assert linked_cells(found, maps.queries, Axis("image", labels=("a", "b"), grid=(1, 2))) == ()


def test_an_alignment_prints_in_a_line(both: tuple[Trace, Trace]) -> None:
    found = align(*both)
    assert str(found).startswith("The–O president–presidente said–disse that–que the–a ")
    assert len(repr(found).splitlines()) == 1
    assert "float64[16, 17]" in repr(found)
    with pytest.raises(ValueError, match="read-only"):
        found.weights[0, 0] = 1
