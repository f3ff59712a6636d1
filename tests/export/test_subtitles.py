"""Words in time as files: read back by independent readers, and nothing in a text becomes markup or breaks a file."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pympi
import pysubs2
import pytest
import webvtt
from hypothesis import example, given, settings
from praatio.utilities import textgrid_io

import xattn_viz as xv
from tests.export.words import any_words, durations, joined, styles, words, written
from xattn_viz.analysis.timing import SHORTEST, TimedWord
from xattn_viz.export.subtitles import (
    DEFAULT,
    ENDINGS,
    FORMATS,
    SubtitleStyle,
    audacity,
    cues,
    elan,
    karaoke_ass,
    karaoke_vtt,
    srt,
    textgrid,
    to_csv,
    to_json,
    vtt,
)

#: What SRT and ASS have no escape for, as it is written there.
FULL_WIDTH = str.maketrans("＜＞｛｝＼", "<>{}\\")
NASTY = (
    'A "b" <i>it</i> {\\an8}top C:\\new \\N\\h {\\p1} <script>alert(1)</script> &amp; &lt; 1 --> 2 <00:00:01.000> '
    'x\u202ey text = "" item [1]: xmin = 3 NOTE WEBVTT 4 = -- = {\\k10} &#92; @SUM(A1) \\0.5 ]]> 7'
)
TEXTS = ["Go forward 10 meters.", NASTY, "He was. He might, even then! 東京です。", "word " * 60, "a", "10"]
_TIME = r"(\d\d):(\d\d):(\d\d)[.,](\d{3})"
Read = list[tuple[int, int, str]]


def clock(found: Sequence[str]) -> int:
    hours, minutes, seconds, thousandths = map(int, found)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def subtitle_clock(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    return f"00:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def read_blocks(text: str) -> list[tuple[int, int, list[str]]]:
    """Blocks parted by blank lines: a number, a line of times, lines of text."""
    found = []
    for number, block in enumerate(text.removesuffix("\n").split("\n\n") if text else [], 1):
        head, line, *lines = block.split("\n")
        assert head == str(number)
        times = re.fullmatch(f"{_TIME} --> {_TIME}", line)
        assert times
        found.append((clock(times.groups()[:4]), clock(times.groups()[4:]), lines))
    return found


def read_vtt(text: str) -> tuple[Read, list[list[int]]]:
    """As W3C's rules read cues of plain text with times in them: the cues, and the times inside of each."""
    assert text.startswith("WEBVTT\n")
    cues_, inside = Read(), list[list[int]]()
    for start, end, lines in read_blocks(text.removeprefix("WEBVTT\n").removeprefix("\n")):
        line = "\n".join(lines)
        inside.append([clock(times) for times in re.findall(f"<{_TIME}>", line)])
        assert [start, *inside[-1], end] == sorted({start, *inside[-1], end})
        bare = re.sub(f"<{_TIME}>", "", line)
        assert not re.search(r"[<>]", bare)  # no markup is left
        cues_.append((start, end, html.unescape(bare)))
    return cues_, inside


def read_ass(text: str) -> tuple[Read, list[list[tuple[int, int, str]]]]:
    """As pysubs2 reads it: the cues, and each syllable with its time, of lines joined."""
    events = pysubs2.SSAFile.from_string(text, "ass").events
    syllables = []
    for event in events:
        parts = re.split(r"\{\\k(\d+)\}", event.text)
        assert not parts[0]
        ends = list(accumulate(map(int, parts[1::2])))
        told = zip([0, *ends], ends, parts[2::2], strict=False)
        syllables.append([(event.start + a * 10, event.start + b * 10, said) for a, b, said in told])
    return [(event.start, event.end, event.plaintext) for event in events], syllables


def read_textgrid(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """As Praat reads it: free-standing numbers and quoted strings count, all other characters are comments."""
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    tokens = re.finditer(r'(?<!\S)(?:(-?\d+(?:\.\d+)?(?:e-?\d+)?)|"((?:[^"]|"")*)")(?!\S)', text)
    values: list[Any] = [float(m[1]) if m[2] is None else m[2].replace('""', '"') for m in tokens][2:]
    (begin, last, count), rest, tiers = values[:3], values[3:], {}
    assert (begin, count) == (0, 2)
    while rest:
        kind, name, first, end, size = rest[:5]
        assert (kind, first, end) == ("IntervalTier", 0, last)
        own, rest = rest[5 : 5 + 3 * int(size)], rest[5 + 3 * int(size) :]
        found: list[tuple[float, float, str]] = list(zip(own[::3], own[1::3], own[2::3], strict=True))
        assert [found[0][0], *(end for _, end, _ in found)] == [0, *(start for start, *_ in found[1:]), last]  # no gaps
        assert all(start < stop for start, stop, _ in found)
        tiers[name] = [interval for interval in found if interval[2]]
    assert list(tiers) == ["segments", "words"]
    return tiers


def near(found: Sequence[tuple[float, float, str]], wanted: Sequence[tuple[float, float, str]], far: float) -> bool:
    """Whether two hold the same texts at the same times, to `far` seconds."""
    assert [said for *_, said in found] == [said for *_, said in wanted]
    pairs = zip(found, wanted, strict=True)
    return all(abs(a[0] - b[0]) <= far and abs(a[1] - b[1]) <= far for a, b in pairs)


def unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


@settings(deadline=None, max_examples=80)
@given(any_words(), durations, styles)
@example([TimedWord(f"w{i}", 0, 0, 1, (3 * i, 3 * i + 2), (0, 0)) for i in range(150)], 0.1, DEFAULT)
@example([TimedWord("<i>", 0, 9, 1, (0, 3), (0, 0)), TimedWord("{\\an8}", 1, 2, 1, (4, 10), (0, 0))], 1.0, DEFAULT)
@example([TimedWord("10", 0, 1, 1, (0, 2), (0, 0)), TimedWord("3", 9, 10, 1, (3, 4), (0, 0))], 10.0, DEFAULT)
@example(words(NASTY), 30.0, SubtitleStyle(width=20, words_per_line=2, min_gap=0.1))
def test_every_word_stands_once_in_every_format(made: list[TimedWord], duration: float, style: SubtitleStyle) -> None:
    files = {name: make(made, duration, style).encode().decode() for name, make in FORMATS.items()}  # UTF-8 can hold it
    groups = cues(made, duration, style)
    plain = [written(word.text) for word in made]

    # Subtitles: the cues with their lines, times to the millisecond, in ASS to the hundredth.
    wanted = [(cue.start, cue.end, "\n".join(map(joined, cue.lines))) for cue in groups]
    in_srt = [(start, end, "\n".join(lines)) for start, end, lines in read_blocks(files["srt"])]
    assert not re.search(r"[<>{}\\]", "".join(text for *_, text in in_srt))
    assert [(a, b, text.translate(FULL_WIDTH)) for a, b, text in in_srt] == [
        (a, b, text.translate(FULL_WIDTH)) for a, b, text in wanted
    ]
    in_vtt, inside = read_vtt(files["vtt"])
    assert (in_vtt, [time for times in inside for time in times]) == (wanted, [])
    in_karaoke, inside = read_vtt(files["karaoke-vtt"])
    assert in_karaoke == wanted
    for cue, times in zip(groups, inside, strict=True):
        later = {round(word.start * 1000) for word in cue.words[1:]}
        assert set(times) == {time for time in later if cue.start < time < cue.end}
    in_ass, syllables = read_ass(files["karaoke-ass"])
    assert [text.translate(FULL_WIDTH) for *_, text in in_ass] == [text.translate(FULL_WIDTH) for *_, text in wanted]
    for cue, (start, end, _), said in zip(groups, in_ass, syllables, strict=True):
        assert max(abs(start - cue.start), abs(end - cue.end)) <= (5 if cue.end - cue.start >= 20 else 10)
        assert 0 <= start < end
        sung = [one for one in said if one[2]]
        assert len(sung) == len(cue.words)
        for word, one in zip(cue.words, sung, strict=True):
            assert one[:2] == pytest.approx([min(time * 1000, cue.end) for time in (word.start, word.end)], abs=11)

    # Words: each of them, inside the sound and in order.
    in_json, in_grid = json.loads(files["json"]), read_textgrid(files["textgrid"])
    head, *rows = csv.reader(io.StringIO(files["csv"]))
    labels = [line.split("\t") for line in files["audacity"].split("\n")[:-1]]
    assert [word["text"] for word in in_json] == [word.text for word in made]
    assert [text for *_, text in in_grid["words"]] == [text for *_, text in labels] == plain
    assert head == ["text", "start", "end", "confidence", "is_repeated", "start_margin", "end_margin"]
    assert list(map(unguarded, (row[0] for row in rows))) == list(map(unguarded, plain))
    assert not any(unicodedata.normalize("NFKC", row[0])[:1] in "=+-@\u2212" for row in rows)
    for stretches in (
        [(word["start"], word["end"]) for word in in_json],
        [(start, end) for start, end, _ in in_grid["words"]],
        [(float(start), float(end)) for _, start, end, *_ in rows],
        [(float(start), float(end)) for start, end, _ in labels],
    ):
        least = min(SHORTEST, duration / max(1, len(made))) - 3e-6
        assert all(start >= 0 and end - start >= least and end <= duration + 1e-6 for start, end in stretches)
        assert all(a <= b for (_, a), (b, _) in pairwise(stretches))
    segments = [(cue.words[0].start, cue.words[-1].end, joined(cue.words)) for cue in groups]
    assert near(in_grid["segments"], segments, 1e-6)
    tiers = {tier.get("TIER_ID"): tier for tier in ElementTree.fromstring(files["elan"]).iter("TIER")}  # noqa: S314
    assert tiers["words"].get("PARENT_REF") == "segments"
    assert [value.text for value in tiers["words"].iter("ANNOTATION_VALUE")] == plain
    assert [value.text for value in tiers["segments"].iter("ANNOTATION_VALUE")] == [joined(c.words) for c in groups]


@settings(deadline=None, max_examples=60)
@given(any_words(), durations, styles)
def test_other_readers_find_the_same(made: list[TimedWord], duration: float, style: SubtitleStyle) -> None:
    """webvtt-py reads the subtitles, praatio the TextGrid; it takes a label that looks like a heading for one."""
    groups = cues(made, duration, style)
    wanted = [(cue.start, cue.end) for cue in groups]
    for made_vtt in (vtt(made, duration, style), karaoke_vtt(made, duration, style)):
        found = webvtt.from_string(made_vtt).captions
        assert [(each.start, each.end) for each in found] == [tuple(map(subtitle_clock, pair)) for pair in wanted]
    events = pysubs2.SSAFile.from_string(srt(made, duration, style), "srt").events
    assert [(event.start, event.end) for event in events] == wanted
    for event, cue in list(zip(events, groups, strict=True))[:-1]:  # of the last it cuts off a line of digits
        assert event.plaintext.translate(FULL_WIDTH) == cue.text.translate(FULL_WIDTH)
    if not any(re.search(r"item ?\[|intervals ?\[|xm(in|ax) ?=|text ?=", joined(cue.words)) for cue in groups):
        segments, own = textgrid_io.parseTextgridStr(textgrid(made, duration, style))["tiers"]
        assert [label for *_, label in own["entries"]] == [written(word.text) for word in made]
        assert [label for *_, label in segments["entries"]] == [joined(cue.words) for cue in groups]


@pytest.mark.parametrize("text", TEXTS)
def test_files_read_back(text: str, tmp_path: Path) -> None:
    made = words(text, pause=0.2)
    seconds = made[-1].end + 1
    timed = [(word.start, word.end, word.text) for word in made]
    in_srt = read_blocks(srt(made, seconds))
    assert " ".join(line for *_, lines in in_srt for line in lines).translate(FULL_WIDTH).split() == text.split() or (
        "東" in text
    )
    assert in_srt[0][0] == 500
    assert near(read_textgrid(textgrid(made, seconds))["words"], timed, 1e-6)
    path = tmp_path / "words.eaf"
    path.write_text(elan(made, seconds), encoding="utf-8")
    document = pympi.Eaf(str(path))
    annotated = document.get_annotation_data_for_tier("words")
    assert near([(start / 1000, end / 1000, said) for start, end, said in annotated], timed, 6e-4)
    parents = document.get_annotation_data_for_tier("segments")
    assert [said for *_, said in parents] == [joined(cue.words) for cue in cues(made, seconds)]
    found = json.loads(to_json(made, seconds))
    assert [item["start"] for item in found] == pytest.approx([word.start for word in made], abs=1e-6)
    assert set(found[0]) == {"text", "start", "end", "confidence", "is_repeated", "start_margin", "end_margin"}
    unsure = [replace(made[0], start_margin=0.03, end_margin=0.25)]
    assert [json.loads(to_json(unsure, seconds))[0][edge] for edge in ("start_margin", "end_margin")] == [0.03, 0.25]
    assert to_csv(unsure, seconds).endswith(",0,0.03,0.25\n")
    assert unsure[0].is_unsure > made[0].is_unsure


def test_markup_is_text() -> None:
    made = words("An <i>italic</i> {\\an8} C:\\new --> &lt; =1+1 end")
    text = srt(made, 10)
    assert "An ＜i＞italic＜/i＞ ｛＼an8｝ C:＼new --＞ &lt;\n=1+1 end" in text
    (event,) = pysubs2.SSAFile.from_string(text, "srt").events
    assert event.plaintext == "An ＜i＞italic＜/i＞ ｛＼an8｝ C:＼new --＞ &lt;\n=1+1 end"
    assert "An &lt;i&gt;italic&lt;/i&gt; {\\an8} C:\\new --&gt; &amp;lt;\n=1+1 end" in vtt(made, 10)
    assert "{\\k40}<i>italic</i> {\\k40}｛＼an8｝ {\\k40}C:＼new {\\k40}--> {\\k40}&lt;" in karaoke_ass(made, 10)
    assert '\n"\'=1+1",2.9,3.3,0.5,0,"",""\n' in to_csv(made, 10)
    assert "\n2.100000\t2.500000\t-->\n" in audacity(made, 10)


def test_karaoke_tells_when_each_word_is_said() -> None:
    made = words("Go forward, now.", begin=0.3, each=0.4, pause=0.1)
    assert karaoke_vtt(made, 5).endswith(
        "00:00:00.300 --> 00:00:01.700\nGo <00:00:00.800>forward, <00:00:01.300>now.\n"
    )
    early = words("Go.", begin=0.9, each=0.1)  # shown before it is said, where the sound ends
    assert "0,0:00:00.30,0:00:01.00,Default,,0,0,0,,{\\k60}{\\k10}Go." in karaoke_ass(early, 1.0)
    assert "0,0:00:00.30,0:00:01.70,Default,,0,0,0,,{\\k40}Go {\\k10}{\\k40}forward, {\\k10}{\\k40}now." in (
        karaoke_ass(made, 5)
    )


def test_words_of_a_loop_are_left_out_unless_asked_for() -> None:
    made = words("Go now. Go now. Go now.")
    made[2:] = [replace(word, is_repeated=True) for word in made[2:]]
    for name, write in FORMATS.items():
        asked, kept = (write(made, 9, SubtitleStyle(keep_repeated=keep)) for keep in (False, True))
        is_data = name in ("json", "csv")  # where they are marked
        assert (asked.count("now."), kept.count("now.")) in ([(3, 3)] if is_data else [(1, 3), (2, 6)])
    assert [word["is_repeated"] for word in json.loads(to_json(made, 9))] == [False] * 2 + [True] * 4
    assert cues(made[2:], 9) == []


def test_times_that_meet_or_cross_are_kept_in_order() -> None:
    odd = [
        TimedWord("a", 1.0, 1.0, 1.0, (0, 1), (0, 0)),
        TimedWord("b", 1.0, 1.5, 1.0, (2, 3), (1, 1)),
        TimedWord("c", 1.4, 9.0, 1.0, (4, 5), (2, 2)),
    ]
    in_order = [(1.0, 1.02, "a"), (1.02, 1.4, "b"), (1.4, 5.0, "c")]
    assert read_textgrid(textgrid(odd, 5.0))["words"] == in_order
    assert [(word["start"], word["end"], word["text"]) for word in json.loads(to_json(odd, 5.0))] == in_order
    assert textgrid([], 2.0).count("intervals [") == 2
    assert (srt([], 2.0), audacity([], 2.0)) == ("", "")
    assert vtt([], 2.0) == karaoke_vtt([], 2.0) == "WEBVTT\n"
    assert "ANNOTATION_VALUE" not in elan([], 2.0)


@pytest.mark.parametrize("name", FORMATS)
def test_what_cannot_be_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = FORMATS[name]
    assert ENDINGS[name].startswith(".")
    for duration in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no room for words"):
            write(words("a"), duration)
    with pytest.raises(ValueError, match="NaN"):
        write([TimedWord("a", float("nan"), 1, 1, (0, 1), (0, 0))], 1.0)
    for library in ("pysubs2", "praatio.utilities.textgrid_io", "pympi.Elan"):
        monkeypatch.setitem(sys.modules, library, None)
    if name not in ("json", "csv", "audacity"):
        with pytest.raises(xv.InputError, match=r"files are written by .*: pip install 'xattn-viz\[speech\]'"):
            write(words("a"), 2.0)
    else:
        assert "a" in write(words("a"), 2.0)
