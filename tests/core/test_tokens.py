from __future__ import annotations

import html
import time
import unicodedata
from importlib import metadata
from itertools import pairwise

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.version import Version

from xattn_viz.core.tokens import (
    joined_words,
    plotly_label,
    short_label,
    span_labels,
    unicode_words,
    visible,
    whole_graphemes,
    word_indices,
    word_spans,
)


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("   \n\t", []),
        ("The cat sat.", ["The", "cat", "sat", "."]),
        ("don't pay 3.50 €", ["don't", "pay", "3.50", "€"]),
        ("sentou-se", ["sentou-se"]),
        ("👩‍👧 sat", ["👩‍👧", "sat"]),
        ("não\u00a0é", ["não", "é"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("</s>", ["<", "/", "s", ">"]),
    ],
)
def test_words_are_those_of_unicode(text: str, wanted: list[str]) -> None:
    assert words(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$1,000.50 (3.5%)", ["$1,000.50", "(", "3.5%", ")"]),
        ("It cost €3.50, or 10 000 kr.", ["It", "cost", "€3.50", ",", "or", "10", "000", "kr", "."]),
        ("1\u202f000 at 10:30 on 2024-01-31", ["1\u202f000", "at", "10:30", "on", "2024-01-31"]),
        ("from -3 to +5", ["from", "-3", "to", "+5"]),
        ("see https://a.example/b?c=d&e, then", ["see", "https://a.example/b?c=d&e", ",", "then"]),
        ("write to me+you@mail.example.org.", ["write", "to", "me+you@mail.example.org", "."]),
        ("a well-known mother-in-law", ["a", "well-known", "mother-in-law"]),
        ("l'été, qu'elle; don\u2019t", ["l'été", ",", "qu'elle", ";", "don\u2019t"]),
        ("R&D in the U.S.A. today", ["R&D", "in", "the", "U.S.A.", "today"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("cafe\u0301 \u1112\u1161\u11ab", ["cafe\u0301", "\u1112\u1161\u11ab"]),
    ],
)
def test_numbers_addresses_and_joined_words_stay_whole(text: str, wanted: list[str]) -> None:
    assert words(text) == wanted


@pytest.mark.skipif(
    Version(metadata.version("regex")) < Version("2026.11.18"),
    reason="before it the library cut otherwise than UAX 29 says, so that there is nothing to hold ours against",
)
@example("א'1")
@example("a.א'_1'1")
@example("🇦🇦\u200d👩")
@given(st.text(alphabet=st.sampled_from("ab1א_.,'\":\u0301\u200dカ🇦👩 \r\n")))
def test_the_pattern_of_unicode_words_is_the_library_s(text: str) -> None:
    text = regex.sub("  +", " ", text)  # a run of blanks is one there, and blanks are no words here
    library = [match.group() for match in regex.finditer(r"(?w).+?\b", text, regex.DOTALL)]
    assert unicode_words().findall(text) == library


@pytest.mark.parametrize(
    "unit", ["🇦", "a", "1", "\u0301", "1,", "a-", "a.", "a@", "a@a.", "www.", "http://", "$", "(", "-", "👩\u200d"]
)
def test_words_and_graphemes_of_a_long_text_take_no_long_time(unit: str) -> None:
    text = (unit * 60_000)[:60_000]
    began = time.perf_counter()
    found = word_spans(text)
    whole_graphemes(text, found)
    assert time.perf_counter() - began < 3  # what looked back took 21 s and more


def test_spans_grow_to_whole_graphemes() -> None:
    assert whole_graphemes("cafe\u0301!", [(0, 4), (4, 5), (5, 6)]) == ((0, 5), (3, 5), (5, 6))
    assert whole_graphemes("नमस्ते", [(0, 1), (1, 3), (3, 6)]) == ((0, 1), (1, 6), (2, 6))
    assert whole_graphemes("abc", [(0, 1), (1, 1), (1, 3)]) == ((0, 1), (1, 1), (1, 3))
    assert whole_graphemes("🇵🇹🇫🇷", [(0, 1), (1, 2), (2, 3)]) == ((0, 2), (0, 2), (2, 4))


@given(st.text(alphabet=st.sampled_from("ae\u0301\u200d👩🇦 한\u1112\u1161")), st.data())
def test_no_span_begins_or_ends_inside_a_grapheme(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    edges = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    for (a, b), (start, end) in zip(pairwise(cuts), whole_graphemes(text, list(pairwise(cuts))), strict=True):
        assert {start, end} <= edges
        assert start <= a
        assert end >= b or a == b


@given(st.text())
def test_words_cover_everything_but_white_space_once_in_order(text: str) -> None:
    spans = word_spans(text)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    covered = {i for start, end in spans for i in range(start, end)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


def test_pieces_are_numbered_by_the_word_that_they_belong_to() -> None:
    text = "kitty sat."
    spans = [(0, 3), (3, 5), (5, 9), (9, 10), (10, 10)]  # kit|ty| sat|.|</s>
    assert word_indices(text, spans, [False] * 5) == (0, 0, 1, 2, 3)


def test_special_tokens_stand_alone_and_blanks_belong_to_the_word_behind_them() -> None:
    text = "a  b "
    #        <s>     a       ␣       ␣       b       ␣       ␣       </s>
    spans = [(0, 0), (0, 1), (1, 2), (2, 2), (3, 4), (4, 5), (5, 5), (5, 5)]
    special = [True, *[False] * 6, True]
    assert word_indices(text, spans, special) == (0, 1, 2, 2, 2, 3, 4, 5)


def test_words_under_one_token_are_joined_and_an_empty_token_inside_a_word_belongs_to_it() -> None:
    text, spans = "ab cd ef", [(0, 4), (4, 5), (6, 8)]
    assert word_indices(text, spans, [False] * 3) == (0, 0, 1)
    assert joined_words(text, spans, [False] * 3) == ["ab cd"]
    assert joined_words("ab, cd", [(0, 3), (4, 6)], [False] * 2) == []  # a comma is no word of its own
    assert word_indices("abcd", [(0, 2), (2, 2), (2, 4)], [False] * 3) == (0, 0, 0)


@given(st.text(max_size=30), st.data())
def test_indices_start_at_0_and_rise_without_gaps(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    spans = list(pairwise(cuts))
    indices = word_indices(text, spans, [False] * len(spans))
    assert len(indices) == len(spans)
    assert indices[:1] in ((), (0,))
    assert all(b - a in (0, 1) for a, b in pairwise(indices))


def test_labels_come_from_the_text_and_fall_back_where_it_is_blank() -> None:
    assert span_labels("€ cat", [(0, 1), (1, 5), (1, 2), (5, 5)], ["<unk>", "▁cat", "▁", "</s>"]) == (
        *("€", "cat", "▁", "</s>"),
    )


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("", "∅"),
        ("\n", "⏎"),
        ("\t", "⇥"),
        (" ", "␣"),
        ("   ", "␣␣␣"),
        ("\u00a0", "␣"),
        ("a b", "a b"),
        ("a\nb", "a⏎b"),
        ("\u202egato", "\\u202egato"),
        ("\x00", "\\u0000"),
        ("\ud800", "\\ud800"),
        ("\uffff", "\\uffff"),
        ("\U000e0041", "\\U000e0041"),
        ("\u200d", "\\u200d"),
        ("👩‍👧", "👩‍👧"),
        ("</s>", "</s>"),
    ],
)
def test_everything_hidden_is_made_visible(label: str, shown: str) -> None:
    assert visible(label) == shown


@given(st.text(st.characters()))
def test_what_is_shown_is_never_blank_and_steers_nothing(label: str) -> None:
    shown = visible(label)
    assert shown.strip()
    assert {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert {c for c in shown if unicodedata.category(c) == "Cf"} <= {"\u200d"}
    shown.encode()


@given(st.text(st.characters()))
def test_a_plotly_label_has_no_live_character_and_reads_as_the_short_one(label: str) -> None:
    drawn = plotly_label(label)
    assert not set("<>$") & set(drawn)
    assert html.unescape(drawn) == short_label(label)
    assert len(short_label(label)) <= 26
    assert (drawn[0], drawn[-1]) == ("\u2068", "\u2069")


def test_long_labels_are_cut_with_an_ellipsis() -> None:
    assert short_label("x" * 24) == "\u2068" + "x" * 24 + "\u2069"
    assert short_label("x" * 25) == "\u2068" + "x" * 23 + "…\u2069"
    assert plotly_label("<" * 9, limit=4) == "\u2068&lt;&lt;&lt;…\u2069"
