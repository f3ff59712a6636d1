"""Words parted into cues: inside the bounds of any style, whole, in order, and where language breaks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

import xattn_viz as xv
from tests.export.words import any_words, durations, joined, styles, words
from xattn_viz.analysis.timing import SHORTEST, TimedWord
from xattn_viz.export.cues import BOUNDS, DEFAULT, PRESETS, Cue, SubtitleStyle, cues

CROWDED = [TimedWord(f"w{i}", 0, 0, 1, (3 * i, 3 * i + 2), (0, 0)) for i in range(220)]


def size(text: str) -> int:
    return len(regex.findall(r"\X", text))


def count_lines(made: Sequence[TimedWord], style: SubtitleStyle) -> int:
    """How many lines words take that are filled one after the other, which no other way undercuts."""
    lines = [[made[0]]]
    for word in made[1:]:
        is_full = len(lines[-1]) == style.words_per_line
        if is_full or size(joined([*lines[-1], word])) > style.width:
            lines.append([])
        lines[-1].append(word)
    return len(lines)


@settings(deadline=None, max_examples=120)
@given(any_words(), durations, styles)
@example(CROWDED, 0.1, DEFAULT)
@example(CROWDED, 0.1, SubtitleStyle(words_per_line=1, lines=1, min_gap=1))
def test_cues_keep_every_word_and_the_bounds_of_a_style(
    made: list[TimedWord], duration: float, style: SubtitleStyle
) -> None:
    found = cues(made, duration, style)
    assert [word.text for cue in found for word in cue.words] == [word.text for word in made]
    for cue in found:
        assert 0 <= cue.start < cue.end <= duration * 1000
        assert cue.end - cue.start <= round(style.max_duration * 1000)
        assert [word for line in cue.lines for word in line] == list(cue.words)
        assert cue.text == "\n".join(joined(line) for line in cue.lines)
        if cue.words[-1].end - cue.words[0].start >= SHORTEST + 0.001:
            assert len(cue.lines) == count_lines(cue.words, style) <= style.lines  # the fewest
        for line in cue.lines:
            assert len(line) == 1 or size(joined(line)) <= style.width
            assert len(line) <= (style.words_per_line or len(line))
    for cue, following in pairwise(found):
        begin, end = (round(one.words[0].start * 1000) for one in (cue, following))
        assert following.start - cue.end >= min(round(style.min_gap * 1000), (end - begin) // 2)


@settings(deadline=None, max_examples=60)
@given(any_words(), durations, styles)
def test_cues_are_shown_as_long_as_the_words_allow(
    made: list[TimedWord], duration: float, style: SubtitleStyle
) -> None:
    style = replace(style, min_gap=0.0)
    found, least = cues(made, duration, style), style.min_duration * 1000 - 1
    for cue, following in pairwise(found):
        if min(cue.end - cue.start, following.end - following.start) < least:
            # Together they would be too much: to read, or to look at.
            both = [*cue.words, *following.words]
            spoken = both[-1].end - both[0].start
            assert count_lines(both, style) > style.lines or spoken > style.max_duration - 2e-3
    if len(found) == 1 and duration * 1000 >= least + 1:
        assert found[0].end - found[0].start >= least


def shown(made: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> list[tuple[int, int, str]]:
    return [(cue.start, cue.end, cue.text) for cue in cues(made, duration, style)]


def test_a_cue_ends_with_its_sentence_or_a_pause() -> None:
    assert [len(cue.words) for cue in cues(words("He was. He might, even then! So"), 9)] == [2, 4, 1]
    assert [len(cue.words) for cue in cues(words("one two three", pause=1.0), 9)] == [1, 1, 1]
    assert cues([], 1) == []


def test_a_short_cue_takes_the_pause_beside_it_or_the_sentence() -> None:
    assert shown(words("Yes.", each=0.1), 5) == [(500, 1200, "Yes.")]  # behind it
    assert shown(words("Yes.", each=0.1), 0.8) == [(100, 800, "Yes.")]  # before it, where the sound ends
    assert shown(words("Yes.", begin=0.02, each=0.001), 0.1) == [(0, 100, "Yes.")]  # all that there is
    two = words("No. No. I do not know.", each=0.3)
    assert shown(two, 9) == [(400, 1100, "No. No."), (1100, 2300, "I do not know.")]
    long = [TimedWord("hm", 1, 12, 1, (0, 2), (0, 0))]
    assert shown(long, 20) == [(1000, 7000, "hm")]
    assert shown(long, 20, SubtitleStyle(max_duration=3)) == [(1000, 4000, "hm")]


def test_a_cue_stays_until_it_can_be_read_and_leaves_a_gap() -> None:
    text = "Congratulations, everybody here."  # 32 characters, 3 words, said in 0.9 s
    made = words(text, begin=0.0, each=0.3)
    for style, seconds in (
        (SubtitleStyle(reading_speed=None), 0.9),
        (SubtitleStyle(), 1.6),
        (SubtitleStyle(reading_speed=16), 2.0),
        (SubtitleStyle(reading_speed=None, words_per_minute=60), 3.0),
        (SubtitleStyle(reading_speed=8, max_duration=2.5), 2.5),
    ):
        assert shown(made, 9, style) == [(0, seconds * 1000, text)]
    later = [*made, *words("Again.", begin=1.0, each=1.0)]
    assert shown(later, 9, SubtitleStyle(min_gap=0.2)) == [(0, 800, text), (1000, 2000, "Again.")]
    assert shown(later, 9, SubtitleStyle(min_gap=5, max_duration=1)) == [(0, 500, text), (1000, 2000, "Again.")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (  # behind a comma, as evenly as commas allow
            "To mute or unmute yourself, when you are muted, you cannot send audio to other participants.",
            ["To mute or unmute yourself,", "when you are muted,", "you cannot send audio", "to other participants."],
        ),
        (  # filled to 42 characters the first would end with "the"
            "It was the best of all the lives that the woman had ever seen.",
            ["It was the best of all the lives", "that the woman had ever seen."],
        ),
        ("Nobody in that town could say what it was.", ["Nobody in that town could say what it was."]),  # 42
        (
            "Der alte Mann mit dem kleinen Hund saß in der Sonne vor dem Haus.",
            ["Der alte Mann mit dem kleinen Hund saß", "in der Sonne vor dem Haus."],
        ),
        ("東京は日本の首都です。", ["東京は日本の首都です。"]),
    ],
)
def test_lines_break_where_language_does(text: str, lines: list[str]) -> None:
    style = SubtitleStyle(max_duration=20)
    assert "\n".join(cue.text for cue in cues(words(text), 40, style)).split("\n") == lines


def test_no_line_ends_with_an_article_where_another_break_is_as_good() -> None:
    """A page of prose in each preset: no line ends with what announces the next word."""
    text = (
        "The old man who lived in the house at the end of the road was a friend of the family and he often came to see "
        "us on a Sunday afternoon with a bag of apples from the tree in his garden because he knew that my mother made "
        "the best cake in the town and that the children would ask him for a story about the sea"
    )
    for style in PRESETS.values():
        found = cues(words(text, each=0.35), 60, style)
        ends = [line.rsplit(" ", 1)[-1] for cue in found for line in cue.text.split("\n")]
        assert not {"the", "a", "of", "and", "his", "my", "in", "at", "to", "with", "that"}.intersection(ends), ends
        lengths = [sorted(map(len, cue.text.split("\n"))) for cue in found if "\n" in cue.text]
        assert lengths
        assert all(short >= long / 3 for short, long in lengths)


def test_presets_are_what_the_guides_state() -> None:
    """Netflix's English template: 42 characters, 2 lines, 5/6 to 7 s, 2 frames, 17 a second; and the others'."""
    assert PRESETS["default"] == DEFAULT == xv.subtitles.SubtitleStyle()
    netflix, bbc, ted = (PRESETS[name] for name in ("netflix", "bbc", "ted"))
    assert (netflix.width, netflix.lines, netflix.max_duration, netflix.reading_speed) == (42, 2, 7, 17)
    assert [netflix.min_duration, netflix.min_gap] == pytest.approx([20 / 24, 2 / 24])
    assert (bbc.width, bbc.lines, bbc.words_per_minute, bbc.reading_speed) == (37, 2, 180, None)
    assert (ted.width, ted.lines, ted.min_duration, ted.max_duration, ted.reading_speed) == (42, 2, 1, 7, 21)


@pytest.mark.parametrize("name", BOUNDS)
def test_an_option_that_cannot_be_is_named(name: str) -> None:
    for value in (-1, float("nan"), float("inf"), "4", True, 10**9):
        with pytest.raises(xv.InputError, match=f"cannot have {name}={re.escape(repr(value))}: it is a"):
            SubtitleStyle(**{name: value})  # type: ignore[arg-type]


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(xv.InputError, match="7 s at least cannot be gone after 6 s"):
        SubtitleStyle(min_duration=7)
    with pytest.raises(xv.InputError, match="width=None"):
        SubtitleStyle(width=None)  # type: ignore[arg-type]
    assert SubtitleStyle(reading_speed=None).reading_speed is None


def test_words_of_two_windows_stay_apart() -> None:
    made = [TimedWord("the", 0, 0.3, 1, (0, 3), (0, 0)), TimedWord("end", 0.3, 0.9, 1, (0, 3), (0, 0))]
    assert [cue.text for cue in cues(made, 1)] == ["the end"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_a_cue_knows_its_lines(counts: list[int]) -> None:
    made = tuple(words("word " * sum(counts)))
    breaks = tuple(sum(counts[: i + 1]) for i in range(len(counts) - 1))
    cue = Cue(0, 1, made, breaks)
    assert [len(line) for line in cue.lines] == counts
    assert cue.text.split("\n") == [" ".join(["word"] * count) for count in counts]
