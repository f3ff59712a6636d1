"""Words in time against true times: planted errors come back, files of each kind say the same words."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest

import xattn_viz as xv
from xattn_viz.analysis.timing import TimedWord
from xattn_viz.analysis.word_scores import TrueWord, pool_scores, read_words, score_times
from xattn_viz.inputs import InputError

TRUE = [TrueWord("Go", 0.2, 0.5), TrueWord("on,", 0.5, 1.0), TrueWord("go", 1.5, 2.0), TrueWord("home.", 2.0, 2.5)]


def words(*times: tuple[str, float, float]) -> list[TimedWord]:
    return [TimedWord(text, start, end, 1.0, (0, 1), (i, i)) for i, (text, start, end) in enumerate(times)]


def test_planted_errors_come_back() -> None:
    found = xv.score_times(words(("go", 0.24, 0.5), ("on", 0.4, 1.2), ("Go", 1.5, 2.0), ("home", 2.8, 3.4)), TRUE)
    assert [(match.found_index, match.true_index) for match in found.matches] == [(i, i) for i in range(4)]
    assert [match.start_error for match in found.matches] == pytest.approx([0.04, -0.1, 0, 0.8])
    assert [match.end_error for match in found.matches] == pytest.approx([0, 0.2, 0, 0.9])
    assert (found.starts.mean, found.starts.median, found.starts.largest) == pytest.approx((0.235, 0.07, 0.8))
    assert (found.starts.within, found.ends.within) == ((0.5, 0.75, 0.75), (0.5, 0.5, 0.75))
    overlaps = [0.26 / 0.3, 0.5 / 0.8, 1, 0]
    assert [match.iou for match in found.matches] == pytest.approx(overlaps)
    assert found.iou == pytest.approx(sum(overlaps) / 4)
    assert (found.precision, found.recall, found.f1, found.count_wrong()) == (0.75, 0.75, 0.75, 2)
    assert [match.found_index for match in found.worst] == [3, 1, 0, 2]


def test_words_without_counterpart_count_and_come_first() -> None:
    found = score_times(words(("Go", 0.2, 0.5), ("uh", 0.5, 0.6), ("home", 2.0, 2.5)), TRUE)
    pairs = [(match.found_index, match.true_index) for match in found.matches]
    assert [pair for pair in pairs if None not in pair] == [(0, 0), (2, 3)]
    assert sorted(pair for pair in pairs if pair[0] is None) == [(None, 1), (None, 2)]
    assert (found.precision, found.recall, found.f1) == pytest.approx((2 / 3, 0.5, 4 / 7))
    assert {found.worst[i].found_index for i in range(3)} == {None, 1}
    nothing = score_times([], TRUE)
    assert (nothing.recall, nothing.starts.count, math.isnan(nothing.precision)) == (0, 0, True)


def test_of_repeated_words_the_one_that_overlaps_is_matched() -> None:
    true = [TrueWord("no", float(i), i + 0.5) for i in range(5)]
    found = score_times(words(("No", 2.1, 2.5), ("no!", 4.0, 4.4)), true)
    assert [match.true_index for match in found.matches if match.found_index is not None] == [2, 4]
    # As many words as can be come first: here the overlap of "no" with the first would cost "yes".
    order = [TrueWord("no", 0, 1), TrueWord("yes", 1, 2), TrueWord("no", 2, 3)]
    found = score_times(words(("yes", 0.0, 0.1), ("no", 0.1, 1)), order)
    assert [match.true_index for match in found.matches if match.found_index is not None] == [1, 2]


def test_unknown_times_are_left_out_and_recordings_pooled() -> None:
    true = [TrueWord("a", 0.0, None), TrueWord("b", None, None), TrueWord("c", 2.0, 3.0)]
    found = score_times(words(("a", 0.1, 1), ("b", 1, 2), ("c", 2, 3)), true)
    assert (found.starts.count, found.ends.count, found.f1) == (2, 1, 1)
    both = pool_scores([found, score_times(words(("a", 0.3, 0.4)), true[:1])])
    assert both.starts.mean == pytest.approx((0.1 + 0 + 0.3) / 3)
    with pytest.raises(InputError, match="nothing to pool"):
        pool_scores([])
    with pytest.raises(InputError, match="no true word"):
        score_times([], [])
    with pytest.raises(InputError, match="too many at once"):
        score_times(true * 2000, true * 1000)


def test_files_of_each_kind_hold_the_same_words(tmp_path: Path) -> None:
    said = words(("He", 0.25, 0.5), ('"so",', 0.5, 1.0), ("says.", 1.75, 2.0))
    path = tmp_path / "true.TextGrid"
    path.write_text(xv.subtitles.textgrid(said, 3.0), encoding="utf-16")
    wanted = [(word.text, word.start, word.end) for word in said]
    assert [(word.text, word.start, word.end) for word in read_words(path)] == wanted
    plain = [{"text": word.text, "start": word.start, "end": word.end} for word in said]
    other = [{"word": f" {word.text}", "start": word.start, "end": word.end} for word in said]
    whisper = {"segments": [{"words": other[:1]}, {}, {"words": other[1:]}]}
    helds: list[object] = [plain, {"words": plain}, whisper]
    for held in helds:
        found = read_words(io.BytesIO(json.dumps(held).encode()))
        assert [(word.text, word.start, word.end) for word in found] == wanted
    shown = "1\n00:00:00,250 --> 00:00:00,500\nHe\n\n2\n00:00:00,500 --> 00:00:02,000\nsays <i>so</i>.\n"
    subtitles = [("He", 0.25, 0.5), ("says", 0.5, None), ("so.", None, 2.0)]
    for text in (shown, "WEBVTT\n\n" + shown.replace(",", ".")):
        assert [(word.text, word.start, word.end) for word in read_words(io.BytesIO(text.encode()))] == subtitles
    assert score_times(said, path).f1 == 1


def test_a_tier_is_named_and_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    one = xv.subtitles.textgrid(words(("a", 0, 1)), 2.0)
    two = one.replace('"segments"', '"phones"').replace('"words"', '"orthography"')
    assert [word.text for word in read_words(io.BytesIO(two.encode()), "orthography")] == ["a"]
    for data, words_of_it in (
        (two.encode(), "say which tier holds the words; it has 'phones', 'orthography'"),
        (b'File type = "ooTextFile"\nObject class = "TextGrid"\nxmin = ', "cannot be read"),
        (b"{}", "holds no words"),
        (b"[1]", "its word 1 has no"),
        (b'[{"text": "a", "start": "0", "end": 1}]', "its word 1 has no"),
        (b'[{"text": "a", "start": 2, "end": 1}]', "'a' lasts from 2.0 to 1.0 s"),
        (b'[{"text": "a", "start": NaN, "end": 1}]', "'a' lasts from nan"),
        (b"[" * 100_000, "no JSON"),
        (b"plain", "holds no words with times"),
        (b"\x80\x81", "no text in UTF-8"),
        (b"WEBVTT", "holds no words"),
    ):
        with pytest.raises(InputError, match=words_of_it):
            read_words(io.BytesIO(data))
    with pytest.raises(InputError, match="cannot be read"):
        read_words(tmp_path / "missing.srt")
