from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.core.test_evidence import alignment
from tests.speech import speech_maps
from xattn_viz.analysis.word_units import (
    Words,
    by_spans,
    links_caption,
    sides,
    sides_again,
    with_rows_of_one,
    word_weights,
)
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import AlignmentHead
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError

SOURCE, TARGET = "I can 't go .", "Não posso ir."


def tokens(text: str, pieces: list[str]) -> Axis:
    """An axis of pieces, each found in the text behind the one before, and `</s>`; words as the pieces begin them."""
    spans, end = [], 0
    for piece in pieces:
        start = text.index(piece, end)
        end = start + len(piece)
        spans.append((start, end))
    words = np.cumsum([start == 0 or text[start - 1] == " " for start, _ in spans]) - 1
    return Axis(
        "text",
        labels=(*pieces, "</s>"),
        spans=(*spans, (len(text), len(text))),
        words=(*map(int, words), int(words[-1]) + 1),
        special=(*[False] * len(pieces), True),
    )


def made(weights: NDArray[np.float32], source: str, target: str, keys: Axis, queries: Axis) -> Trace:
    maps = AttentionMaps(weights, queries, keys, "cross", tuple(range(len(weights))), altered=("aggregated",))
    return Trace((maps,), source, target)


def planted(seed: int = 0) -> Trace:
    keys, queries = tokens(SOURCE, ["I", "ca", "n", "'t", "go", "."]), tokens(TARGET, ["Não", "po", "sso", "ir", "."])
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(keys)), (2, 3, len(queries))).astype(np.float32)
    return made(weights, SOURCE, TARGET, keys, queries)


def said(trace: Trace, words: Words = "spaces") -> tuple[list[str], list[str]]:
    source, target = sides(trace, words)
    return [word.text for word in source.words], [word.text for word in target.words]


def test_words_between_spaces_have_the_numbers_of_split() -> None:
    assert said(planted()) == (SOURCE.split(), TARGET.split())
    source, target = sides(planted())
    for side, text in ((source, SOURCE), (target, TARGET)):
        assert all(word.span and text[slice(*word.span)] == word.text for word in side.words)
    odd = "\u00a0 a\u3000b\n c  "
    assert (
        said(
            made(
                np.ones((1, 1, 1, 1), np.float32), odd, "x", Axis("text", spans=((0, 8),)), tokens("x", ["x"]).take([0])
            )
        )[0]
        == odd.split()
    )


def test_the_axis_has_punctuation_apart_and_lists_are_taken_as_given() -> None:
    keys = Axis(
        "text",
        labels=("ir", ".", "</s>"),
        spans=((0, 2), (2, 3), (3, 3)),
        words=(0, 1, 2),
        special=(False, False, True),
    )
    trace = made(np.full((1, 1, 3, 3), 1 / 3, np.float32), "ir.", "ir.", keys, keys)
    assert said(trace) == (["ir."], ["ir."])
    assert said(trace, "axis") == (["ir", "."], ["ir", "."])
    assert said(trace, (["i", "r."], ["ir", "."])) == (["i", "r."], ["ir", "."])
    source, _ = sides(trace, (["i", "r."], ["ir", "."]))
    assert source.members.tolist() == [[0.5, 0, 0], [0.5, 1, 0]]  # a token of two words is shared


def test_a_text_without_spaces_in_a_script_without_them_is_cut_as_its_axis_is() -> None:
    text = "我爱你。"
    keys = Axis("text", labels=tuple(text), spans=tuple((i, i + 1) for i in range(4)), words=(0, 1, 2, 3))
    trace = made(
        np.full((1, 1, 4, 4), 0.25, np.float32),
        text,
        "我 爱 你 。",
        keys,
        tokens("我 爱 你 。", list(text)).take(range(4)),
    )
    assert said(trace) == (list(text), list(text))


def test_weights_are_summed_over_a_source_word_and_averaged_over_a_target_word() -> None:
    trace = planted()
    source, target = sides(trace)
    found = word_weights(trace, source, target)
    assert found.shape == (2, 3, 2, 3, 5)
    columns, rows = [[0], [1, 2], [3], [4], [5]], [[0], [1, 2], [3, 4]]  # pieces of each word, by hand
    for layer, head in np.ndindex(2, 3):
        weights = trace.cross.weights[layer, head].astype(np.float64)
        for shift in (0, 1):
            for t, own in enumerate(rows):
                later = [min(row + shift, len(weights) - 1) for row in own]
                wanted = [np.mean([weights[row, column].sum() for row in later]) for column in columns]
                # Sums in another order: 1e-12 is a thousand times their rounding.
                np.testing.assert_allclose(found[layer, head, shift, t], wanted, atol=1e-12)


def test_rows_divided_by_their_sum_and_a_row_of_zeros() -> None:
    assert with_rows_of_one(np.array([[1.0, 3.0], [0, 0]])).tolist() == [[0.25, 0.75], [0, 0]]


def test_the_mark_of_a_space_is_of_the_word_behind_it() -> None:
    axis = Axis("text", labels=("a", "▁", ","), spans=((0, 1), (1, 2), (2, 3)))
    source, _ = sides(made(np.full((1, 1, 3, 3), 1 / 3, np.float32), "a ,", "a ,", axis, axis))
    assert source.members.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert by_spans(source.words, axis).members.tolist() == source.members.tolist()


def test_an_axis_without_places_gives_its_own_words() -> None:
    axis = Axis("text", labels=("ka", "tze", "schläft"), words=(0, 0, 1))
    trace = made(np.full((1, 1, 3, 3), 1 / 3, np.float32), "", "", axis, axis)
    assert said(trace) == (["katze", "schläft"], ["katze", "schläft"])
    assert said(trace, (["Katze", "schläft"], ["x", "y"])) == (["Katze", "schläft"], ["x", "y"])
    assert sides(trace)[0].words[0].span is None
    with pytest.raises(InputError, match="has 2 words in this trace, and 1 are listed"):
        sides(trace, (["a"], ["b", "c"]))


def test_the_other_direction_has_the_words_of_the_first() -> None:
    ahead, back = planted(), planted(1)
    back = made(np.swapaxes(back.cross.weights, 2, 3), TARGET, SOURCE, back.cross.queries, back.cross.keys)
    source, target = sides(ahead)
    read, written = sides_again(back, source.words, target.words, (SOURCE, TARGET))
    assert (read.words, written.words) == (target.words, source.words)
    np.testing.assert_array_equal(read.members, target.members)
    cut = made(
        back.cross.weights[:, :, :, :4],
        TARGET[:9],
        SOURCE,
        tokens(TARGET[:9], ["Não", "po", "sso"]),
        back.cross.queries,
    )
    read, _ = sides_again(cut, source.words, target.words, (SOURCE, TARGET))  # it could not read all
    assert read.members[2].tolist() == [0, 0, 0, 0]
    with pytest.raises(InputError, match='The reverse trace is not of the same two texts: one says "I can'):
        sides_again(ahead, source.words, target.words, (SOURCE, TARGET))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("lines", 'words is "spaces", "axis", or a list of source words and one of target words'),
        (("a b", "c"), "words is"),
        ((["I", "cannot"], ["Não"]), "The source word 'cannot', number 2 of the list, does not stand in"),
        (([], ["Não"]), "The source of this trace holds no word"),
        ((["I", ""], ["Não"]), "The source word '', number 2"),
    ],
)
def test_words_that_cannot_be_had_are_told(words: Words, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        sides(planted(), words)


def test_what_is_no_text_is_told() -> None:
    maps = speech_maps()
    with pytest.raises(InputError, match="between two texts, and this map is of text over audio"):
        sides(Trace((maps,), np.zeros((80, 3000), np.float32), "go"))
    with pytest.raises(InputError, match="Words are aligned in a trace, not in AttentionMaps"):
        sides(maps)  # type: ignore[arg-type]


def test_signs_are_punctuation_and_nothing_else() -> None:
    source, _ = sides(planted(), (["I", "."], ["Não"]))
    assert [word.is_sign for word in source.words] == [False, True]
    words = sides(
        made(
            np.ones((1, 1, 1, 1), np.float32),
            "- % … & € 's 3.5 ”",
            "x",
            Axis("text", spans=((0, 18),)),
            Axis("text", spans=((0, 1),)),
        )
    )[0].words
    assert [word.is_sign for word in words] == [True, False, True, False, False, False, False, True]


def test_a_caption_says_the_heads_of_links_from_1() -> None:
    assert links_caption(alignment()) == "In a frame: words that are linked, by heads 2.1 and 1.6."
    both = alignment(heads=(AlignmentHead(1, 0),), reverse_heads=(AlignmentHead(0, 0),))
    said = "In a frame: words that are linked, by head 2.1 and a model of the opposite direction."
    assert links_caption(both) == said
