"""Axes as the script reads them: each once, the text between tokens, blanks, sentences, two outputs row by row."""

from __future__ import annotations

import random

import pytest

from xattn_viz.core.axis import Axis
from xattn_viz.web.explorer.axes import Axes, paired, sentence_indices, sentence_spans


def test_equal_axes_over_the_same_text_are_packed_once() -> None:
    axes = Axes(sentences=False)
    axis = Axis("text", labels=("a", "b"), spans=((0, 1), (2, 3)))
    assert [axes.add(axis, "a b"), axes.add(Axis("text", labels=("a", "b"), spans=((0, 1), (2, 3))), "a b")] == [0, 0]
    assert axes.add(axis, "a  b") == 1
    assert [packed["gaps"] for packed in axes.packed] == [["", " "], ["", " "]]


@pytest.mark.parametrize(
    ("text", "spans", "gaps", "blanks", "rest"),
    [
        ("10 lan", ((0, 2), (2, 3), (3, 6)), ["", "", ""], {1: " "}, ""),
        ("10  lan ", ((0, 2), (2, 4), (4, 7)), ["", "", ""], {1: "  "}, " "),
        ("a b", ((0, 1), (1, 3)), ["", " "], None, ""),
        ("a b", ((0, 1), (1, 2), (1, 3)), ["", "", ""], {1: " "}, ""),
        ("a", ((0, 1), (1, 1)), ["", ""], None, ""),
        ("a b", ((0, 1), (1, 1), (1, 3)), ["", "", ""], {1: " "}, ""),
        ("a  b", ((0, 1), (3, 3), (3, 4)), ["", "", " "], {1: " "}, ""),
    ],
)
def test_the_text_is_its_gaps_its_tokens_and_its_blanks(
    text: str, spans: tuple[tuple[int, int], ...], gaps: list[str], blanks: dict[int, str] | None, rest: str
) -> None:
    axes = Axes(sentences=False)
    axes.add(Axis("text", spans=spans, labels=tuple(text[a:b].strip() or " " for a, b in spans)), text)
    packed = axes.packed[0]
    assert (packed["gaps"], packed.get("blanks"), packed["rest"]) == (gaps, blanks, rest)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The cat sat.  Dr. Smith left!\n\nNew one", ["The cat sat.", "Dr. Smith left!", "New one"]),
        ("我来了。你走了！好吗？", ["我来了。", "你走了！", "好吗？"]),
        (" One only ", ["One only"]),
        ("", []),
    ],
)
def test_sentences_are_found_without_the_blanks_around_them(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


def test_every_token_belongs_to_one_sentence() -> None:
    text = "Hi you.  Bye."
    #        Hi     ␣you    .       ␣       ␣Bye     .         </s>
    spans = ((0, 2), (2, 6), (6, 7), (7, 8), (8, 12), (12, 13), (13, 13))
    assert sentence_indices(text, spans, [False] * 6 + [True]) == (0, 0, 0, 0, 1, 1, 2)
    # A mark of a space that covers nothing does not cut a sentence in two.
    assert sentence_indices("Hi you. Bye", ((0, 2), (2, 2), (2, 6), (6, 7), (7, 7), (7, 11)), [False] * 6) == (
        0,
    ) * 5 + (1,)
    # One token over the end of a sentence counts to the first; a special one between two words is alone.
    assert sentence_indices("A b. C", ((0, 2), (2, 6)), [False, False]) == (0, 0)
    assert sentence_indices("A b", ((0, 1), (1, 1), (1, 3)), [False, True, False]) == (0, 1, 2)
    assert sentence_indices("   ", ((0, 3),), [False]) == (0,)


def test_groups_of_sentences_hold_every_position_once() -> None:
    axes = Axes(sentences=True)
    text = "Hi. Bye."
    number = axes.add(Axis("text", labels=("Hi", ".", "Bye."), spans=((0, 2), (2, 3), (4, 8))), text)
    other = axes.add(Axis("text", labels=("x", "y")), text)
    assert axes.sentence_groups(number) == [[0, 1], [2]]
    assert axes.sentence_groups(other) == [[0], [1]]


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


def test_every_row_stands_once_and_in_order() -> None:
    chance = random.Random(4)  # noqa: S311
    for _ in range(50):
        labels, others = ("".join(chance.choices("abcd", k=chance.randint(0, 300))) for _ in range(2))
        found = paired(labels, others)
        assert [i for i, _ in found if i is not None] == list(range(len(labels)))
        assert [j for _, j in found if j is not None] == list(range(len(others)))
        assert all(pair != (None, None) for pair in found)
