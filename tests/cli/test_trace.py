"""`trace` and `transcribe`: what they print, and what they write."""

from __future__ import annotations

import io
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xattn_viz as xv
from tests.cli.conftest import Typed
from xattn_viz.cli import main
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import select
from xattn_viz.examples import clips
from xattn_viz.export import compared
from xattn_viz.inputs import audio
from xattn_viz.models.base import Adapter
from xattn_viz.models.families.whisper import FAMILY as SPEECH_FAMILY
from xattn_viz.plots.terminal import text_map
from xattn_viz.shapes import Scene, Thing, draw

ROOT = Path(__file__).parents[2]
TEXT = "a small sentence"
FORWARD = Path(clips.__file__).with_name("forward.ogg")


def test_trace_prints_the_output_and_the_alignment(tiny: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tiny", TEXT, "--layer", "1", "--head", "2"]) == 0
    trace = tiny.trace(TEXT)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("\t") for line in printed[1:]] == [
        [str(link.target_index + 1), visible(link.target), str(link.source_index + 1), visible(link.source)]
        for link in xv.most_attended(trace.cross, layer=0, head=1)
    ]


@pytest.mark.parametrize("no_color", ["", "1"])
def test_trace_prints_the_map_on_a_terminal(
    tiny: Adapter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    assert main(["trace", "tiny", TEXT, "--layer", "1", "--head", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    wanted = text_map(select(tiny.trace(TEXT).cross, 0, 1), width=70, coloured=not no_color)
    assert printed[2:] == wanted
    assert any("\x1b[" in line for line in printed) == (not no_color)


def test_trace_writes_each_format(tiny: Adapter, tmp_path: Path) -> None:
    trace = tiny.trace(TEXT)
    for name in ("t.npz", "t.json", "t.csv", "t.svg", "t.html"):
        assert main(["trace", "tiny", TEXT, "--out", str(tmp_path / name), "--layer", "1", "--head", "2"]) == 0
    assert xv.load_trace(tmp_path / "t.npz").cross == trace.cross
    assert json.loads((tmp_path / "t.json").read_text())["output"] == trace.output
    view = xv.View(layer=0, head=1)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == xv.export.csv(trace, view)
    assert (tmp_path / "t.svg").read_text(encoding="utf-8") == xv.export.svg(trace, view)
    assert (tmp_path / "t.html").read_text(encoding="utf-8") == xv.export.html(trace, view)
    assert main(["trace", "tiny", TEXT, "--out", str(tmp_path / "t.csv")]) == 0
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == xv.export.csv(trace)
    assert main(["trace", "tiny", TEXT, "--out", str(tmp_path / "t.html")]) == 0
    assert (tmp_path / "t.html").read_text(encoding="utf-8") == xv.export.html(trace)
    assert main(["trace", "tiny", TEXT, "--out", str(tmp_path / "t.svg")]) == 0
    assert (tmp_path / "t.svg").read_text(encoding="utf-8") == xv.export.svg(trace)
    assert len(list(tmp_path.iterdir())) == 5


def test_trace_takes_a_picture_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = draw(Scene((Thing("red", "circle", 0.3, 0.3, 0.17),)), 150)
    Image.fromarray(pixels).save(tmp_path / "scene.png")
    assert main(["trace", "caption-shapes", str(tmp_path / "scene.png")]) == 0
    trace = xv.load("caption-shapes").trace(pixels)
    output, *pairs = capsys.readouterr().out.splitlines()
    assert output == trace.output == "a large red circle"
    fields = [pair.split("\t") for pair in pairs]
    assert [(target, source) for _, target, _, source in fields] == [
        (link.target, link.source) for link in xv.most_attended(trace.cross)
    ]
    assert fields[0][3].startswith("row ")
    assert main(["trace", "caption-shapes", str(tmp_path / "scene.png"), "-o", str(tmp_path / "t.npz")]) == 0
    assert xv.load_trace(tmp_path / "t.npz") == trace


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file can grow larger meanwhile."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@pytest.mark.parametrize("size", [0, 1000])
def test_a_full_disk_is_said_with_the_file_that_stays_as_it_was(tiny: Adapter, tmp_path: Path, size: int) -> None:
    paths = [tmp_path / f"t.{ending}" for ending in ("npz", "json", "csv", "svg", "html")]
    for path in paths:
        path.write_bytes(b"good")
        assert limited(["trace", "tiny", TEXT, "--out", str(path)], size) == (
            2,
            f"xattn-viz: {str(path)!r}: File too large.\n",
        )
    assert all(path.read_bytes() == b"good" for path in paths)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_words_on_a_full_disk_are_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "t.srt"
    done = limited(["transcribe", "whisper-tiny-en", str(FORWARD), "-o", str(path)], 10)
    assert done == (2, f"xattn-viz: {str(path)!r}: File too large.\n")
    assert list(tmp_path.iterdir()) == []


def limited(command: list[str], size: int) -> tuple[int, str]:
    """The exit code and stderr of a command where no file can grow larger."""
    with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()), disk_of(size):
        code = main(command)
    return code, said.getvalue()


def test_a_recording_of_several_windows_has_a_file_a_window(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = SPEECH_FAMILY.example()
    monkeypatch.setattr("xattn_viz.models.registry.load", lambda name, **options: adapter)
    long = tmp_path / "long.wav"
    long.write_bytes(audio.wav(np.tile(clips.sound("forward").samples, 13)))  # 36 s
    assert main(["trace", "tiny", str(long), "-o", str(tmp_path / "t.npz")]) == 0
    windows = list(adapter.traces(long))
    assert [xv.load_trace(tmp_path / name) for name in ("t.npz", "t-1.npz")] == windows
    printed = capsys.readouterr()
    assert printed.out.count("Wrote ") == 2
    for trace in windows:
        for note in trace.remarks:
            assert note in printed.err


def test_words_are_written_in_time_in_each_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = xv.load("whisper-tiny-en")
    trace = adapter.trace(FORWARD)
    words = xv.timed_words(trace)
    seconds = clips.sound("forward").seconds
    for name in set(xv.subtitles.FORMATS) - {"elan"}:  # which says when it was written
        out = tmp_path / f"forward.{name}"
        assert main(["transcribe", "whisper-tiny-en", str(FORWARD), "--format", name, "-o", str(out)]) == 0
        assert out.read_text(encoding="utf-8") == xv.subtitles.FORMATS[name](words, seconds)
    for name, begins in {"f.ass": "[Script Info]", "f.eaf": "<?xml", "f.TextGrid": "File type", "f.txt": "0."}.items():
        assert main(["transcribe", "whisper-tiny-en", str(FORWARD), "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    capsys.readouterr()
    ask = ["transcribe", "whisper-tiny-en", str(FORWARD), "--format", "json"]
    assert main([*ask, "--heads", "3.5,2.6"]) == 0
    assert capsys.readouterr().out.strip() == xv.subtitles.to_json(xv.timed_words(trace, [(2, 4), (1, 5)]), seconds)
    assert main([*ask, "--method", "zscores"]) == 0
    named = xv.timed_words(trace, adapter.alignment_heads, method="zscores")  # type: ignore[attr-defined]
    assert capsys.readouterr().out.strip() == xv.subtitles.to_json(named, seconds)


def test_words_are_scored_by_true_times_of_a_recording_and_of_a_saved_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = xv.load("whisper-tiny-en").trace(FORWARD, target="Go forward ten meters.")
    words, files = xv.timed_words(trace), [str(tmp_path / name) for name in ("true.json", "t.npz", "true.TextGrid")]
    moved = [{"text": word.text, "start": word.start + 0.03, "end": word.end} for word in words]
    Path(files[0]).write_text(json.dumps(moved), encoding="utf-8")
    Path(files[2]).write_text(xv.subtitles.textgrid(words, 3.0), encoding="utf-8")
    xv.save(trace, files[1])
    assert main(["score-times", files[1], "--truth", files[0], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["starts"]["mean"], said["ends"]["mean"], said["f1"]) == (pytest.approx(0.03), 0, 1)
    assert [match["found"]["text"] for match in said["matches"]] == [word.text for word in words]
    assert main(["score-times", "whisper-tiny-en", str(FORWARD), "--truth", files[2], "--force"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "starts\t4\t0\t0\t100%\t100%\t100%"
    assert len(lines) == 9 + len(words)
    assert main(["score-times", files[1], "--truth", files[0], "--force"]) == 2
    assert "has its words already" in capsys.readouterr().err


def test_subtitles_have_the_style_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words, seconds = xv.timed_words(xv.load("whisper-tiny-en").trace(FORWARD)), clips.sound("forward").seconds
    ask = ["transcribe", "whisper-tiny-en", str(FORWARD)]
    told = ["--preset", "netflix", "--width", "12", "--words-per-line", "2", "--lines", "1"]
    told += ["--min-gap", "0.5", "--reading-speed", "none"]
    assert main([*ask, *told]) == 0
    style = replace(
        xv.subtitles.PRESETS["netflix"], width=12, words_per_line=2, lines=1, min_gap=0.5, reading_speed=None
    )
    assert capsys.readouterr().out.strip() == xv.subtitles.srt(words, seconds, style).strip()
    for mistaken, said in (
        (["--width", "2"], "Subtitles cannot have width=2"),
        (["--width", "none"], "Subtitles cannot have width=None"),
        (["--lines", "1.5"], "lines=1.5: it is a whole number from 1 to 20"),
        (["--min-gap", "x"], "'x' is no number"),
        (["-o", "talk.doc"], "'talk.doc' ends in none of .ass, .csv, .eaf, .json, .srt, .textgrid, .txt, .vtt"),
    ):
        assert main([*ask, *mistaken]) == 2
        assert said in capsys.readouterr().err


def test_silence_gives_no_words_and_settings_say_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "silence.wav"
    file.write_bytes(audio.wav(np.zeros(31 * 16_000, np.float32)))
    assert main(["trace", "whisper-tiny-en", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["∅", "∅"]
    assert printed.err.count("no words were written") == 2  # windows
    assert main(["transcribe", "whisper-tiny-en", str(file), "--format", "vtt"]) == 0
    assert capsys.readouterr().out.strip() == "WEBVTT"
    assert main(["transcribe", "whisper-tiny-en", str(file), "--format", "json", "--set", "write_anyway=true"]) == 0
    assert [word["text"] for word in json.loads(capsys.readouterr().out)] == ["you", "you"]


def test_the_last_layer_is_the_one_without_a_number(tiny: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tiny", TEXT]) == main(["trace", "tiny", TEXT, "--layer", "-1", "--head", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


def test_trace_reads_standard_input_and_saved_traces_and_says_it_as_json(
    tiny: Adapter, typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.npz"
    trace = tiny.trace(TEXT)
    xv.save(trace, file)
    said = []
    for given in (["tiny", "-"], [str(file)]):
        typed(f"\ufeff{TEXT}\r\n".encode())
        assert main(["trace", *given, "--layer", "1", "--head", "2", "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert np.allclose(said[0].pop("weights"), trace.cross.head(0, 1), atol=1e-6)
    assert said[0] == {
        "heads_from": 0,
        "model": trace.model,
        "output": trace.output,
        "offset": 0,
        "layer": 0,
        "head": 1,
        "rows": [trace.cross.queries.name(row) for row in range(len(trace.cross.queries))],
        "columns": [trace.cross.keys.name(column) for column in range(len(trace.cross.keys))],
        "links": [vars(link) for link in xv.most_attended(trace.cross, 0, 1)],
        "notes": list(trace.remarks),
        "wrote": None,
    }
    assert main(["trace", "tiny", TEXT, "--json", "-o", str(tmp_path / "t.json")]) == 0
    assert json.loads(capsys.readouterr().out)["wrote"] == str(tmp_path / "t.json")
    typed(b"\xff")
    assert main(["trace", "tiny", "-"]) == 2
    assert capsys.readouterr().err == "xattn-viz: Standard input is no text in UTF-8: byte 1 is none of it.\n"


def test_pictures_and_sounds_come_through_a_pipe(
    typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "scene.png"
    Image.fromarray(draw(Scene((Thing("red", "circle", 0.3, 0.3, 0.17),)), 150)).save(picture)
    typed(picture.read_bytes())
    assert main(["trace", "caption-shapes", "-"]) == 0
    assert capsys.readouterr().out.startswith("a large red circle\n")
    printed = []
    for given in ("-", str(FORWARD)):
        typed(FORWARD.read_bytes())
        assert main(["transcribe", "whisper-tiny-en", given, "--json"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert [word["text"] for word in json.loads(printed[0])] == ["Go", "forward", "10", "meters."]


def test_compare_says_what_changes_and_shows_the_difference(
    tiny: Adapter, typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "70")
    one, other = tiny.trace(TEXT), tiny.trace("a large sentence")
    files = [str(tmp_path / name) for name in ("a.npz", "b.npz")]
    for trace, file in zip((one, other), files, strict=True):
        xv.save(trace, file)
    found = xv.compare(one, other, xv.View(layer=0, head=1))
    changes = [change.says for change in found.changes()]
    for given in (["tiny", TEXT, "a large sentence"], ["tiny", TEXT, "-"], files):
        typed(b"a large sentence\n")
        assert main(["compare", *given, "--layer", "1", "--head", "2"]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == f"A: {TEXT} → {visible(one.output)}"
        assert printed[3:] == [*(changes or ["No weight changes by 0.05 or more."]), *filter(None, [found.alone])]
    out = tmp_path / "c.svg"
    assert main(["compare", *files, "--layer", "1", "--head", "2", "--json", "-o", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["changes"] == changes
    assert np.allclose(np.array(said["difference"], float), found.difference[0, 0], rtol=0, atol=1e-6, equal_nan=True)
    assert said["wrote"] == str(out)
    assert out.read_text(encoding="utf-8") == xv.export.svg(found)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["compare", *files]) == 0
    mean = xv.compare(one, other)
    wanted = text_map(compared.selected(mean), width=70, coloured=False)
    assert capsys.readouterr().out.splitlines()[-len(wanted) :] == wanted
    for mistaken, words in (
        (["tiny", TEXT], "give a second input, or another model with --model-b"),
        ([*files, TEXT], "give two files that end in .npz, and nothing else"),
        ([files[0], TEXT], "give two files that end in .npz, and nothing else"),
        ([*files, "--layer", "9"], "There is no layer 9"),
        ([*files, "-o", "c.pdf"], "ends in none of"),
    ):
        assert main(["compare", *mistaken]) == 2
        assert words in capsys.readouterr().err
    assert main(["compare", "tiny", TEXT, "--model-b", "tiny"]) == 0
    assert "\n\nNo weight changes by 0.05 or more.\n" in capsys.readouterr().out
