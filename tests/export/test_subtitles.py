"""Words in time as files: read back by independent readers, and nothing in a text becomes markup or breaks a file."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pysubs2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from praatio.utilities import textgrid_io

from xattn_viz.analysis.timing import SHORTEST, TimedWord, spoken_spans
from xattn_viz.export import subtitles
from xattn_viz.export.subtitles import MAX_CHARACTERS, MAX_SECONDS, MIN_SECONDS, cues, srt, textgrid, to_json, vtt

#: What SRT has no escape for, as it is written there.
FULL_WIDTH = str.maketrans("＜＞｛｝＼", "<>{}\\")
NASTY = (
    'A "b" <i>it</i> {\\an8}top C:\\new \\N\\h <script>alert(1)</script> &amp; &lt; 1 --> 2 <00:00:01.000> x\u202ey '
    'text = "" item [1]: xmin = 3 NOTE WEBVTT 4 = -- ='
)
TEXTS = ["Go forward 10 meters.", NASTY, "He was. He might, even then! 東京です。", "word " * 60, "a"]


def words(text: str, *, begin: float = 0.5, each: float = 0.4, pause: float = 0.0) -> list[TimedWord]:
    return [
        TimedWord(text[a:b], begin + i * (each + pause), begin + i * (each + pause) + each, 0.5, (a, b), (i, i))
        for i, (a, b) in enumerate(spoken_spans(text))
    ]


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def read_srt(text: str) -> list[tuple[float, float, str]]:
    """Blocks parted by blank lines: a number, a line of times, one line of text."""
    found = []
    for number, block in enumerate(text.removesuffix("\n").split("\n\n") if text else [], 1):
        head, times, *lines = block.split("\n")
        assert head == str(number)
        start, end = re.fullmatch(r"(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})", times).groups()  # type: ignore[union-attr]
        assert len(lines) == 1
        found.append((seconds(start), seconds(end), lines[0]))
    return found


def read_vtt(text: str) -> list[tuple[float, float, str]]:
    """As W3C's rules read cues of plain text with times in them."""
    head, *blocks = text.removesuffix("\n").split("\n\n")
    assert head.strip() == "WEBVTT"
    found = []
    for block in blocks:
        times, line = block.split("\n")
        start, end = (seconds(clock) for clock in times.split(" --> "))
        inside = [seconds(clock) for clock in re.findall(r"<(\d\d:\d\d:\d\d\.\d{3})>", line)]
        assert [start, *inside, end] == sorted({start, *inside, end})
        plain = re.sub(r"<\d\d:\d\d:\d\d\.\d{3}>", "", line)
        assert not re.search(r"[<>]", plain)  # no markup is left
        found.append((start, end, html.unescape(plain)))
    return found


def read_textgrid(text: str) -> list[tuple[float, float, str]]:
    """As Praat reads it: free-standing numbers and quoted strings count, all other characters are comments."""
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    tokens = re.finditer(r'(?<!\S)(?:(-?\d+(?:\.\d+)?)|"((?:[^"]|"")*)")(?!\S)', text)
    values: list[Any] = [float(m[1]) if m[2] is None else m[2].replace('""', '"') for m in tokens]
    begin, end, tiers, kind, name, first, last, count, *rest = values[2:]  # behind the two strings of the head
    assert (begin, tiers, kind, name, first, last) == (0, 1, "IntervalTier", "words", 0, end)
    assert len(rest) == 3 * count
    found: list[tuple[float, float, str]] = list(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
    assert found[0][0] == 0
    assert found[-1][1] == end
    for (_, before, _), (start, *_) in pairwise(found):
        assert before == start
    assert all(start < stop for start, stop, _ in found)
    return [interval for interval in found if interval[2]]


def joined(made: Sequence[TimedWord]) -> str:
    """The words as a text: with a blank where their spans leave room, and what cannot be written replaced."""
    parts: list[str] = []
    for i, word in enumerate(made):
        parts += ["" if not i or word.span[0] == made[i - 1].span[1] else " ", written(word.text)]
    return "".join(parts)


def written(text: str) -> str:
    """A word on one line; NUL, other controls and halves of surrogate pairs have no place in a file of text."""
    plain = "".join(
        "\ufffd" if ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 else c
        for c in " ".join(text.split())
    )
    return plain or "\ufffd"


def unspaced(texts: Sequence[str]) -> str:
    return "".join("".join(texts).split())


texts = st.text(st.one_of(st.characters(), st.sampled_from('<i>{}\\nN/an8&;-"= \n\r\t\0\x1c\x85\u2028\ud800.,!?♪[]0')))
times = st.one_of(st.floats(-5, 50), st.floats(allow_nan=False), st.sampled_from([0.0, 1.0, 1.02, 3.0, -0.0, 30.0]))


@st.composite
def any_words(draw: st.DrawFn) -> list[TimedWord]:
    """Words of any text at any times, each behind the other in an output or next to it, some of a second window."""
    made, at = list[TimedWord](), 0
    for text, start, end, gap in draw(
        st.lists(st.tuples(texts, times, times, st.sampled_from([0, 1, 1, 1, -1])), max_size=15)
    ):
        at = 0 if gap < 0 else at + gap
        made.append(TimedWord(text, start, end, draw(st.floats(0, 1)), (at, at + len(text)), (0, 0)))
        at += len(text)
    return made


durations = st.one_of(st.floats(0.1, 40), st.sampled_from([0.1, 1.0, 0.7, 30.0, 6.0005]))


@settings(deadline=None, max_examples=60)
@given(any_words(), durations)
@example([TimedWord(f"w{i}", 0, 0, 1, (3 * i, 3 * i + 2), (0, 0)) for i in range(440)], 0.1)  # a window of tokens
@example([TimedWord("<i>", 0, 9, 1, (0, 3), (0, 0)), TimedWord("{\\an8}", 1, 2, 1, (4, 10), (0, 0))], 1.0)
@example([TimedWord("10", 0, 1, 1, (0, 2), (0, 0)), TimedWord("3", 9, 10, 1, (3, 4), (0, 0))], 10.0)
def test_every_word_stands_once_in_every_format(made: list[TimedWord], duration: float) -> None:
    in_json = json.loads(to_json(made, duration).encode())  # it can be written as UTF-8
    assert [word["text"] for word in in_json] == [word.text for word in made]
    in_grid = read_textgrid(textgrid(made, duration).encode().decode())
    assert [text for *_, text in in_grid] == [written(word.text) for word in made]
    for stretches in ([(w["start"], w["end"]) for w in in_json], [(a, b) for a, b, _ in in_grid]):
        least = min(SHORTEST, duration / max(1, len(made))) - 3e-6
        assert all(start >= 0 and end - start >= least and end <= duration for start, end in stretches)
        assert all(a <= b for (_, a), (b, _) in pairwise(stretches))
    in_srt, in_vtt = read_srt(srt(made, duration).encode().decode()), read_vtt(vtt(made, duration).encode().decode())
    groups = cues(made, duration)
    assert [word.text for cue in groups for word in cue.words] == [word.text for word in made]
    wanted = [joined(cue.words) for cue in groups]
    assert [text for *_, text in in_vtt] == wanted
    assert not re.search(r"[<>{}\\]", "".join(text for *_, text in in_srt))
    assert [text.translate(FULL_WIDTH) for *_, text in in_srt] == [text.translate(FULL_WIDTH) for text in wanted]
    for found in (in_srt, in_vtt):
        assert all(0 <= start < end <= duration for start, end, _ in found)
        assert all(a <= b for (_, a, _), (b, *_) in pairwise(found))


@settings(deadline=None, max_examples=60)
@given(any_words(), durations)
def test_cues_are_shown_as_long_as_the_words_allow(made: list[TimedWord], duration: float) -> None:
    groups = cues(made, duration)
    assert all(cue.end - cue.start <= MAX_SECONDS * 1000 for cue in groups)
    for cue, behind in pairwise(groups):
        if min(cue.end - cue.start, behind.end - behind.start) < MIN_SECONDS * 1000 - 1:
            # Together they would be too much: to read, or to look at.
            spoken = behind.words[-1].end - cue.words[0].start
            assert len(joined([*cue.words, *behind.words])) > MAX_CHARACTERS or spoken > MAX_SECONDS - 2e-3
    if len(groups) == 1 and duration >= MIN_SECONDS:
        assert groups[0].end - groups[0].start >= MIN_SECONDS * 1000 - 1


@settings(deadline=None, max_examples=60)
@given(any_words(), durations)
def test_other_readers_find_the_same(made: list[TimedWord], duration: float) -> None:
    """pysubs2 reads the subtitles, praatio the TextGrid; it takes a label that looks like a heading for one."""
    for format_, text in (("srt", srt(made, duration)), ("vtt", vtt(made, duration))):
        text = re.sub(r"<\d\d:\d\d:\d\d\.\d{3}>", "", text)  # pysubs2 takes times inside of cues for cues
        found = pysubs2.SSAFile.from_string(text, format_, keep_html_tags=format_ == "vtt").events
        groups = cues(made, duration)
        assert [(event.start, event.end) for event in found] == [(cue.start, cue.end) for cue in groups]
        if format_ == "srt":
            plain = [event.plaintext.translate(FULL_WIDTH) for event in found]
            assert list(map(unspaced, plain)) == [unspaced([cue.text.translate(FULL_WIDTH)]) for cue in groups]
    if not any(re.search(r"item ?\[|intervals ?\[|xm(in|ax) ?=|text ?=", word.text) for word in made):
        (tier,) = textgrid_io.parseTextgridStr(textgrid(made, duration))["tiers"]
        assert [label for *_, label in tier["entries"]] == [written(word.text) for word in made]


@pytest.mark.parametrize("text", TEXTS)
def test_srt_reads_back(text: str) -> None:
    made = words(text)
    found = read_srt(srt(made, 60))
    assert " ".join(line for *_, line in found).translate(FULL_WIDTH).split() == text.split() or "東" in text
    assert found[0][0] == pytest.approx(made[0].start, abs=1e-3)
    assert found[-1][1] == pytest.approx(max(made[-1].end, made[0].start + MIN_SECONDS), abs=1e-3)


@pytest.mark.parametrize("text", TEXTS)
def test_vtt_reads_back(text: str) -> None:
    found = read_vtt(vtt(words(text), 60))
    assert " ".join(line for *_, line in found).split() == text.split() or "東" in text


@pytest.mark.parametrize("text", TEXTS)
def test_a_textgrid_reads_back(text: str) -> None:
    made = words(text, pause=0.2)
    found = read_textgrid(textgrid(made, made[-1].end + 1))
    assert [name for *_, name in found] == [word.text for word in made]
    assert [start for start, *_ in found] == pytest.approx([word.start for word in made], abs=1e-5)
    assert [end for _, end, _ in found] == pytest.approx([word.end for word in made], abs=1e-5)


def test_json_holds_what_was_measured() -> None:
    made = words('Say "hi" 東京')
    found = json.loads(to_json(made, 5))
    assert [item["text"] for item in found] == [word.text for word in made]
    assert [item["start"] for item in found] == pytest.approx([word.start for word in made], abs=1e-6)
    assert set(found[0]) == {"text", "start", "end", "confidence"}


def test_markup_is_text_in_srt() -> None:
    made = words("An <i>italic</i> {\\an8} C:\\new --> end")
    text = srt(made, 10)
    assert "An ＜i＞italic＜/i＞ ｛＼an8｝ C:＼new --＞ end" in text
    (event,) = pysubs2.SSAFile.from_string(text, "srt").events
    assert event.text == event.plaintext == "An ＜i＞italic＜/i＞ ｛＼an8｝ C:＼new --＞ end"


def test_cues_end_with_sentences_pauses_and_what_can_be_read() -> None:
    assert [len(cue.words) for cue in cues(words("He was. He might, even then! So"), 9)] == [2, 4, 1]
    assert [len(cue.words) for cue in cues(words("one two three", pause=1.0), 9)] == [1, 1, 1]
    for cue in cues(words("word " * 100), 60):
        assert len(cue.text) <= MAX_CHARACTERS
        assert cue.end - cue.start <= MAX_SECONDS * 1000
    assert cues([], 1) == []


def test_a_short_cue_takes_the_pause_beside_it_or_the_sentence() -> None:
    def shown(made: Sequence[TimedWord], duration: float) -> list[tuple[int, int, str]]:
        return [(cue.start, cue.end, cue.text) for cue in cues(made, duration)]

    assert shown(words("Yes.", each=0.1), 5) == [(500, 1200, "Yes.")]  # behind it
    assert shown(words("Yes.", each=0.1), 0.8) == [(100, 800, "Yes.")]  # before it, where the sound ends
    assert shown(words("Yes.", begin=0.02, each=0.001), 0.1) == [(0, 100, "Yes.")]  # all that there is
    two = words("No. No. I do not know.", each=0.3)
    assert shown(two, 9) == [(400, 1100, "No. No."), (1100, 2300, "I do not know.")]
    long = [TimedWord("hm", 1, 12, 1, (0, 2), (0, 0))]
    assert shown(long, 20) == [(1000, 7000, "hm")]


def test_a_long_sentence_is_parted_evenly() -> None:
    made = words(
        "To mute or unmute yourself, when you are muted, you cannot send audio to other participants.", each=0.3
    )
    (first, second) = cues(made, 9)  # 91 characters; filled to 80 the second would be "participants." alone
    lengths = [len(cue.text) for cue in (first, second)]
    parted = [
        max(len(" ".join(word.text for word in part)) for part in (made[:at], made[at:])) for at in range(1, len(made))
    ]
    assert max(lengths) == min(parted)


def test_words_of_two_windows_stay_apart() -> None:
    made = [TimedWord("the", 0, 0.3, 1, (0, 3), (0, 0)), TimedWord("end", 0.3, 0.9, 1, (0, 3), (0, 0))]
    assert [cue.text for cue in cues(made, 1)] == ["the end"]


def test_times_that_meet_or_cross_are_kept_in_order() -> None:
    odd = [
        TimedWord("a", 1.0, 1.0, 1.0, (0, 1), (0, 0)),
        TimedWord("b", 1.0, 1.5, 1.0, (2, 3), (1, 1)),
        TimedWord("c", 1.4, 9.0, 1.0, (4, 5), (2, 2)),
    ]
    assert read_textgrid(textgrid(odd, 5.0)) == [(1.0, 1.02, "a"), (1.02, 1.4, "b"), (1.4, 5.0, "c")]
    assert [(word["start"], word["end"]) for word in json.loads(to_json(odd, 5.0))] == [
        (1, 1.02),
        (1.02, 1.4),
        (1.4, 5),
    ]
    assert textgrid([], 2.0).count("intervals [") == 1
    assert srt([], 2.0) == ""
    assert vtt([], 2.0).strip() == "WEBVTT"


@pytest.mark.parametrize("write", subtitles.FORMATS.values())
@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_a_sound_that_lasts_no_time_is_refused(write: object, duration: float) -> None:
    with pytest.raises(ValueError, match="no room for words"):
        write(words("a"), duration)  # type: ignore[operator]
    with pytest.raises(ValueError, match="NaN"):
        write([TimedWord("a", float("nan"), 1, 1, (0, 1), (0, 0))], 1.0)  # type: ignore[operator]
