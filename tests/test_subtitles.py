"""Words in time as files: read back by independent rules, and nothing in a text becomes markup or breaks a file."""

from __future__ import annotations

import html
import json
import re
from itertools import pairwise

import pytest

from xattn_viz.analysis.timing import TimedWord, spoken_spans
from xattn_viz.subtitles import MAX_CHARACTERS, MAX_SECONDS, cues, srt, textgrid, to_json, vtt


def words(text: str, *, begin: float = 0.5, each: float = 0.4, pause: float = 0.0) -> list[TimedWord]:
    return [
        TimedWord(text[a:b], begin + i * (each + pause), begin + i * (each + pause) + each, 0.5, (a, b), (i, i))
        for i, (a, b) in enumerate(spoken_spans(text))
    ]


NASTY = 'A "b" <script>alert(1)</script> &amp; 1 --> 2 <00:00:01.000> x\u202ey'
TEXTS = ["Go forward 10 meters.", NASTY, "He was. He might, even then! 東京です。", "word " * 60, "a"]


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def read_srt(text: str) -> list[tuple[float, float, str]]:
    found = []
    for number, block in enumerate(text.strip().split("\n\n"), 1):
        head, times, *lines = block.split("\n")
        assert head == str(number)
        start, end = re.fullmatch(r"(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})", times).groups()  # type: ignore[union-attr]
        assert len(lines) == 1
        found.append((seconds(start), seconds(end), lines[0]))
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_srt_reads_back(text: str) -> None:
    made = words(text)
    found = read_srt(srt(made))
    assert " ".join(line for *_, line in found).split() == text.replace("-->", "→").split() or "東" in text
    assert found[0][0] == pytest.approx(made[0].start, abs=1e-3)
    assert found[-1][1] == pytest.approx(made[-1].end, abs=1e-3)
    edges = [edge for start, end, _ in found for edge in (start, end)]
    assert edges == sorted(edges)
    assert all(end > start for start, end, _ in found)


@pytest.mark.parametrize("text", TEXTS)
def test_vtt_reads_back(text: str) -> None:
    made = words(text)
    head, *blocks = vtt(made).strip().split("\n\n")
    assert head == "WEBVTT"
    seen: list[str] = []
    for block in blocks:
        times, line = block.split("\n")
        start, end = (seconds(clock) for clock in times.split(" --> "))
        inside = [seconds(clock) for clock in re.findall(r"<(\d\d:\d\d:\d\d\.\d{3})>", line)]
        assert [start, *inside, end] == sorted({start, *inside, end})
        plain = re.sub(r"<\d\d:\d\d:\d\d\.\d{3}>", "", line)
        assert not re.search(r"[<>]", plain)  # no markup is left
        seen.append(html.unescape(plain))
    assert " ".join(seen).split() == text.split() or "東" in text


def test_cues_end_with_sentences_pauses_and_what_can_be_read() -> None:
    assert [len(cue) for cue in cues(words("He was. He might, even then! So"))] == [2, 4, 1]
    assert [len(cue) for cue in cues(words("one two three", pause=1.0))] == [1, 1, 1]
    for cue in cues(words("word " * 100)):
        assert len(" ".join(word.text for word in cue)) <= MAX_CHARACTERS
        assert cue[-1].end - cue[0].start <= MAX_SECONDS + 1e-9
    assert cues([]) == []


def test_a_long_sentence_is_parted_evenly() -> None:
    made = words(
        "To mute or unmute yourself, when you are muted, you cannot send audio to other participants.", each=0.3
    )
    (first, second) = cues(made)  # 91 characters; filled to 80 the second would be "participants." alone
    lengths = [len(" ".join(word.text for word in cue)) for cue in (first, second)]
    parted = [
        max(len(" ".join(word.text for word in part)) for part in (made[:at], made[at:])) for at in range(1, len(made))
    ]
    assert max(lengths) == min(parted)
    assert first + second == made


def test_json_holds_what_was_measured() -> None:
    made = words('Say "hi" 東京')
    found = json.loads(to_json(made))
    assert [item["text"] for item in found] == [word.text for word in made]
    assert [item["start"] for item in found] == pytest.approx([word.start for word in made], abs=1e-3)
    assert set(found[0]) == {"text", "start", "end", "confidence"}


@pytest.mark.parametrize("text", TEXTS)
def test_a_textgrid_covers_the_sound_without_gaps(text: str) -> None:
    made = words(text, pause=0.2)
    duration = made[-1].end + 1
    found = textgrid(made, duration)
    assert found.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    count = int(re.search(r"intervals: size = (\d+)", found)[1])  # type: ignore[index]
    intervals = re.findall(r'xmin = ([\d.]+)\n +xmax = ([\d.]+)\n +text = "((?:[^"]|"")*)"', found)
    assert len(intervals) == count
    assert float(intervals[0][0]) == 0
    assert float(intervals[-1][1]) == pytest.approx(duration, abs=1e-5)
    for (_, end, _), (start, *_) in pairwise(intervals):
        assert end == start
    assert [name.replace('""', '"') for *_, name in intervals if name] == [word.text for word in made]


def test_times_that_meet_or_cross_are_kept_in_order() -> None:
    odd = [
        TimedWord("a", 1.0, 1.0, 1.0, (0, 1), (0, 0)),
        TimedWord("b", 1.0, 1.5, 1.0, (2, 3), (1, 1)),
        TimedWord("c", 1.4, 9.0, 1.0, (4, 5), (2, 2)),
    ]
    assert read_srt(srt(odd))[0][0] == 1.0
    assert 'text = "b"' in textgrid(odd, 5.0)
    assert 'text = "a"' not in textgrid(odd, 5.0)
    assert textgrid([], 2.0).count("intervals [") == 1
    assert srt([]) == ""
    assert vtt([]).strip() == "WEBVTT"
