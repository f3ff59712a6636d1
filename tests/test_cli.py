"""The command line: what it prints and writes, and one sentence for every mistake."""

from __future__ import annotations

import io
import json
import re
import resource
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xattn_viz as xv
from xattn_viz.cli import main
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import select
from xattn_viz.doctor import app_script
from xattn_viz.examples import clips
from xattn_viz.inputs import audio
from xattn_viz.models.base import Adapter, ModelWarning
from xattn_viz.models.families.firefox import FAMILY as TEXT_FAMILY
from xattn_viz.models.families.whisper import FAMILY as SPEECH_FAMILY
from xattn_viz.plots.terminal import text_map
from xattn_viz.shapes import Scene, Thing, draw

ROOT = Path(__file__).parents[1]
TEXT = "a small sentence"
FORWARD = Path(clips.__file__).with_name("forward.ogg")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    """A model with random weights, under the name `tiny`."""
    adapter = TEXT_FAMILY.example()
    monkeypatch.setattr("xattn_viz.models.registry.load", lambda name: adapter)
    return adapter


def test_models_lists_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [card.name for card in xv.cards()]


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


def test_animate_writes_a_moving_picture(tiny: Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.svg"
    command = ["animate", "tiny", TEXT, "--layer", "1", "--head", "2", "--size", "640x360", "--light"]
    assert main([*command, "--seconds", "0.5", "--out", str(out)]) == 0
    made = xv.animate(tiny.trace(TEXT), xv.View(layer=0, head=1), size=(640, 360), seconds=0.5, dark=False)
    assert out.read_text(encoding="utf-8") == made.svg()
    assert capsys.readouterr().out.endswith(f", {made.count} frames of 640 × 360 pixels\n")
    assert main([*command, "--out", str(tmp_path / "t.avi")]) == 2
    assert "ends in one of .gif" in capsys.readouterr().err


def test_figure_writes_what_is_asked_for_and_prints_its_caption(
    tiny: Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "f.svg", tmp_path / "t.npz"
    xv.save(tiny.trace(TEXT), file)
    said = ["--layer", "1", "--head", "2", "--row", "1", "--width", "90mm", "--size", "6.5", "--title", "--no-bar"]
    wanted = xv.figures.draw(
        tiny.trace(TEXT), xv.View(layer=0, head=1, query=0), width="9cm", size=6.5, title=True, bar=False
    )
    for given in (["tiny", TEXT], [str(file)]):
        assert main(["figure", *given, "-o", str(out), *said]) == 0
        assert out.read_text(encoding="utf-8") == wanted.svg()
        height = f"{wanted.size[1] / 72 * 2.54:.1f}"
        assert capsys.readouterr().out == f"{visible(wanted.caption)}\nWrote {out}, 9.0 × {height} cm\n"
    bare = ["--no-special", "--rows", "input", "--units", "words", "--scale", "common", "--what", "grid"]
    assert main(["figure", str(file), "-o", str(out), *bare]) == 0
    view = xv.View(special=False, rows="input", units="words", scale="common")
    assert out.read_text(encoding="utf-8") == xv.figures.draw(tiny.trace(TEXT), view, "grid").svg()
    two = ["--what", "heads", "--heads", "1.2,2.1", "--scale", "head", "--transparent", "-o", str(tmp_path / "f.pdf")]
    assert main(["figure", str(file), *two]) == 0
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    capsys.readouterr()
    for mistaken, words in (
        (["tiny", TEXT, "-o", "f.gif"], "ends in one of .pdf, .svg, .png, .tex"),
        (["tiny", "-o", "f.svg"], "A model needs an input"),
        ([str(file), TEXT, "-o", "f.svg"], "has its input already"),
        ([str(file), "-o", str(out), "--width", "wide"], "A width is such as"),
        ([str(file), "-o", str(out), "--what", "heads", "--heads", "9.1"], "There is no layer 9"),
        ([str(file), "-o", str(out), "--what", "sound"], "holds no sound"),
    ):
        assert main(["figure", *mistaken]) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["figure", str(file), "-o", str(out), "--row", "0"])
    assert "count from 1" in capsys.readouterr().err


def test_costs_prints_a_table_of_heads_and_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cat.npz"
    assert main(["costs", "firefox-en-pt", "The cat sat on the mat.", "-o", str(out)]) == 0
    output, _, heads, first, second, _, sentence, method, wrote = capsys.readouterr().out.splitlines()
    assert output == "O gato sentou-se no tapete."
    assert heads.split("\t") == ["layer", *(f"head {number}" for number in range(1, 9))]
    grid = xv.load_trace(out).grid("cost")
    assert grid is not None
    for number, line in enumerate((first, second)):
        cells = line.split("\t")
        assert cells[0] == str(number + 1)
        assert np.allclose([float(cell) for cell in cells[1:]], grid.values[number], atol=5e-4)
    assert sentence.startswith("Layer 1, head 6 matters most: without it a token of the output loses 0.42 nats")
    assert method == grid.method
    assert wrote == f"Wrote {out}"
    assert main(["costs", "firefox-en-pt", "The cat sat.", "--how", "uniform", "--kind", "encoder"]) == 0
    assert "weights even" in capsys.readouterr().out
    assert main(["costs", "firefox-en-pt", "The cat sat.", "--kind", "decoder"]) == 2
    assert capsys.readouterr().err == "xattn-viz: This model has no decoder heads; it has cross, encoder.\n"


def test_attribute_prints_a_row_a_token_and_keeps_the_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cat.npz"
    assert main(["attribute", "firefox-en-pt", "The cat sat on the mat.", "-o", str(out)]) == 0
    output, _, words, *rows, _, how, wrote = capsys.readouterr().out.splitlines()
    assert output == "O gato sentou-se no tapete."
    assert words.split("\t") == ["row", "token", "The", "cat", "sat", "on", "the", "mat", "."]
    assert rows[1].split("\t")[:2] == ["2", "gato"]
    assert float(rows[1].split("\t")[3]) > 5
    assert how.startswith("In nats. By how many nats")
    assert wrote == f"Wrote {out}"
    assert xv.load_trace(out).of_kind("occlusion").weights.shape == (1, 1, 10, 8)
    asked = ["attribute", "firefox-en-pt", "The cat sat on the mat.", "--contrast"]
    assert main([*asked, "2=cat"]) == 0
    assert "its difference from that of the other token" in capsys.readouterr().out
    assert main([*asked, "0=cat"]) == 2
    assert "a row from 1" in capsys.readouterr().err
    assert main([*asked, "2=zebra"]) == 2
    assert "The token 'gato' has no alternative 'zebra'" in capsys.readouterr().err


def test_deletion_ranks_the_rankings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--rankings", "attention", "occlusion", "--seeds", "3"]
    assert main(["deletion", "firefox-en-pt", "The cat sat on the mat.", *asked]) == 0
    head, first, second, random, _, sentence = capsys.readouterr().out.splitlines()
    assert head == "ranking\tarea"
    assert float(first.split("\t")[1]) <= float(second.split("\t")[1]) < float(random.split("\t")[1])
    assert sentence.startswith("The model follows ")
    (tmp_path / "lines.txt").write_text("The cat sat.\n\nThe dog ran home.\n", encoding="utf-8")
    assert main(["deletion", "firefox-en-pt", str(tmp_path / "lines.txt"), "--lines", *asked]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "ranking\tarea\tbelow random\t95 % interval"
    assert len(printed.out.splitlines()) == 4
    assert printed.err.splitlines()[-1] == "xattn-viz: 2 of 2 sentences"


def test_a_text_in_another_language_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "firefox-en-pt", "O meu avô vendeu o barco vermelho antes do inverno."]) == 0
    printed = capsys.readouterr()
    assert printed.err == "xattn-viz: This text looks like Portuguese, and English → Portuguese reads English.\n"
    assert "looks like" not in printed.out


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


def test_a_fault_of_the_model_is_said_once_on_stderr(
    tiny: Adapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> Adapter:
        warnings.warn("tiny does not do what it should.", ModelWarning, stacklevel=2)
        tiny.fault = "tiny does not do what it should."
        return tiny

    monkeypatch.setattr("xattn_viz.models.registry.load", load)
    assert main(["trace", "tiny", TEXT, "-o", str(tmp_path / "t.npz")]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == "xattn-viz: tiny does not do what it should."
    assert printed.err.count("does not do what it should") == 1
    assert printed.out.splitlines()[-1].startswith("Wrote ")
    assert xv.load_trace(tmp_path / "t.npz").fault == tiny.fault  # whoever gets the file is told too


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trace", "no-such-model", TEXT], "no-such-model"),
        (["trace", "firefox-en-pt", "  "], ""),
        (["trace", "firefox-en-pt", TEXT, "--out", "map.png"], "'map.png' ends in none of .html"),
        (
            ["trace", "firefox-en-pt", TEXT, "--layer", "9"],
            "There is no layer 9: layers count from 1, and these maps hold 1, 2.",
        ),
        (
            ["trace", "firefox-en-pt", TEXT, "--head", "9"],
            "There is no head 9: heads count from 1, and each layer has 8.",
        ),
        (["trace", "firefox-en-pt", TEXT, "--out", "no/such/folder/map.csv"], "'no/such/folder/map.csv': No such file"),
        (["trace", "firefox-en-pt", TEXT, "--out", "a\0b.npz"], r"'a\x00b.npz' is no name of a file"),
        (["trace", "firefox-en-pt", TEXT, "--out", "n" * 5000 + ".npz"], "nnn.npz': File name too long"),
        (["trace", "whisper-tiny-en", "no.wav"], "no.wav cannot be read: No such file"),
        (["trace", "whisper-tiny-en", __file__], "no sound file"),
        (["words", "whisper-tiny-en", "no.wav"], "no.wav cannot be read: No such file"),
        (["words", "whisper-tiny-en", __file__], "no sound file"),
        (["words", "whisper-tiny-en", str(Path(__file__).parent)], "Is a directory"),
        (
            ["words", "whisper-tiny-en", str(FORWARD), "--heads", "3.5,9.1"],
            "There is no layer 9: layers count from 1, and these maps hold 1, 2, 3, 4.",
        ),
        (["words", "firefox-en-pt", str(FORWARD)], "firefox-en-pt reads text"),
        (["words", "caption-shapes", str(FORWARD)], "caption-shapes reads pictures"),
        (["trace", "caption-shapes", str(FORWARD)], "This is no picture"),
        (["trace", "caption-shapes", "no.png"], "no.png cannot be read: No such file"),
        (["words", "no-such-model", str(FORWARD)], "no-such-model"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("xattn-viz: ")
    assert words in printed.err
    assert len(printed.err.splitlines()) == 1
    assert len(printed.err) < 800  # a list of all models among it


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
    done = limited(["words", "whisper-tiny-en", str(FORWARD), "-o", str(path)], 10)
    assert done == (2, f"xattn-viz: {str(path)!r}: File too large.\n")
    assert list(tmp_path.iterdir()) == []


def limited(command: list[str], size: int) -> tuple[int, str]:
    """The exit code and stderr of a command where no file can grow larger."""
    with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()), disk_of(size):
        code = main(command)
    return code, said.getvalue()


def test_an_output_that_takes_nothing_is_said_in_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "xattn_viz", "models"]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "xattn-viz: The output: No space left on device.\n")


def test_a_wrong_option_is_refused_without_a_traceback() -> None:
    command = [sys.executable, "-m", "xattn_viz", "trace"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_clone_starts_its_own_app() -> None:
    assert app_script() == ROOT / "app.py"


def test_control_characters_do_not_reach_the_terminal(tiny: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tiny", "a \x1b[31m small\u202e sentence"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_a_recording_of_several_windows_has_a_file_a_window(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = SPEECH_FAMILY.example()
    monkeypatch.setattr("xattn_viz.models.registry.load", lambda name: adapter)
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
    wanted = {
        "srt": xv.subtitles.srt(words, seconds),
        "vtt": xv.subtitles.vtt(words, seconds),
        "json": xv.subtitles.to_json(words, seconds),
        "textgrid": xv.subtitles.textgrid(words, seconds),
    }
    for name, text in wanted.items():
        out = tmp_path / f"forward.{name}"
        assert main(["words", "whisper-tiny-en", str(FORWARD), "--format", name, "-o", str(out)]) == 0
        assert out.read_text(encoding="utf-8") == text
    capsys.readouterr()
    ask = ["words", "whisper-tiny-en", str(FORWARD), "--format", "json"]
    assert main([*ask, "--heads", "3.5,2.6"]) == 0
    assert capsys.readouterr().out.strip() == xv.subtitles.to_json(xv.timed_words(trace, [(2, 4), (1, 5)]), seconds)
    assert main([*ask, "--method", "zscores"]) == 0
    named = xv.timed_words(trace, adapter.alignment_heads, method="zscores")  # type: ignore[attr-defined]
    assert capsys.readouterr().out.strip() == xv.subtitles.to_json(named, seconds)


def test_silence_gives_no_words_and_settings_say_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "silence.wav"
    file.write_bytes(audio.wav(np.zeros(31 * 16_000, np.float32)))
    assert main(["trace", "whisper-tiny-en", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["∅", "∅"]
    assert printed.err.count("no words were written") == 2  # windows
    assert main(["words", "whisper-tiny-en", str(file), "--format", "vtt"]) == 0
    assert capsys.readouterr().out.strip() == "WEBVTT"
    assert main(["words", "whisper-tiny-en", str(file), "--format", "json", "--set", "write_anyway=true"]) == 0
    assert [word["text"] for word in json.loads(capsys.readouterr().out)] == ["you", "you"]


def test_set_gives_a_model_its_options(tiny: Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.npz"
    asked = ["--set", "target=o gato = 4", "--set", "shortlist=False"]
    assert main(["trace", "tiny", TEXT, "-o", str(out), *asked]) == 0
    settings = xv.load_trace(out).provenance["settings"]
    assert (settings["target"], settings["shortlist"]) == ("o gato = 4", False)
    for said, words in (
        ("num_beams=4", "4 beams are not to be had"),
        ("on_step=x", "no option 'on_step'; its options: target"),
        ("shortlist=perhaps", "shortlist is True or False"),
    ):
        assert main(["trace", "tiny", TEXT, "--set", said]) == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["trace", "tiny", TEXT, "--set", "target"])
    assert "give NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("heads", ["", "2", "2.4;1.5", "2.4,", "-1.0", "٢.٤", "2.mean"])
def test_heads_that_are_none_are_refused(heads: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["words", "whisper-tiny-en", str(FORWARD), f"--heads={heads}"])
    assert stopped.value.code == 2
    assert re.search(r"names no head: give layer\.head, such as 2\.1|is no single head", capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "tiny", TEXT, "--head", "0"],
        ["trace", "tiny", TEXT, "--layer", "0"],
        ["trace", "tiny", TEXT, "--head=-1"],
        ["words", "whisper-tiny-en", str(FORWARD), "--heads", "2.4,0.1"],
    ],
)
def test_there_is_no_layer_and_no_head_nought(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert re.search("[Ll]ayers and heads count from 1", capsys.readouterr().err)


def test_the_last_layer_is_the_one_without_a_number(tiny: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tiny", TEXT]) == main(["trace", "tiny", TEXT, "--layer", "-1", "--head", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    code = "import sys; from xattn_viz.cli import main; sys.stdin.read(); sys.exit(main(['models']))"
    running = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdin
    assert running.stdout
    running.stdout.close()
    running.stdin.close()  # only now does it write
    assert running.wait() == 1
    assert running.stderr
    assert running.stderr.read() == b""
    running.stderr.close()


PAIRS = "The cat sleeps .\tO gato dorme .\t0-0 1-1 2-2 3-3\nNo .\tNão .\t0-0 1-1\n"


@pytest.mark.parametrize("kind", ["pharaoh", "naacl", "tsv", "json"])
def test_align_prints_the_links_of_each_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: xv.alignment_files.Format
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS, encoding="utf-8")
    ahead, back = xv.load("firefox-en-pt"), xv.load("firefox-pt-en")
    made = [
        xv.align(ahead.trace(en, target=pt), reverse=back.trace(pt, target=en))
        for en, pt, _ in (line.split("\t") for line in PAIRS.splitlines())
    ]
    assert main(["align", str(path), "--format", kind]) == 0
    printed = capsys.readouterr()
    assert printed.out == "".join(xv.alignment_files.lines(made, kind))
    assert printed.err == "xattn-viz: 1 of 2 pairs\nxattn-viz: 2 of 2 pairs\n"
    if kind == "pharaoh":
        assert printed.out == "0-0 1-1 2-2 3-3\n0-0 1-1\n"


def test_align_takes_models_heads_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "pairs.tsv", tmp_path / "links.json"
    path.write_text(PAIRS, encoding="utf-8")
    command = ["align", str(path), "--reverse", "none", "--heads", "2.1,1.6+1", "--method", "argmax", "--words", "axis"]
    assert main([*command, "--format", "json", "--out", str(out)]) == 0
    assert "Wrote" in capsys.readouterr().out
    first, _ = json.loads(out.read_text(encoding="utf-8"))
    assert (first["heads"], first["reverse_heads"], first["method"]) == ([[1, 0, 0], [0, 5, 1]], [], "argmax")
    with pytest.raises(SystemExit):
        main(["align", str(path), "--heads", "2.1,0.6+1"])
    assert "Layers and heads count from 1" in capsys.readouterr().err
    assert main(["align", str(path), "--heads", "9.1"]) == 2
    assert "There is no layer 9: layers count from 1, to 2 here." in capsys.readouterr().err
    assert main(["align", str(path), "--heads", "2.9+1"]) == 2
    assert "There is no head 9: layer 2 has heads 1 to 8." in capsys.readouterr().err
    path.write_text("alone\n", encoding="utf-8")
    assert main(["align", str(path)]) == 2
    assert "pairs.tsv, line 1: a source and a target stand between tabs" in capsys.readouterr().err


def test_score_prints_a_table_and_goes_on_from_its_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, journal = tmp_path / "gold.tsv", tmp_path / "journal"
    path.write_text(PAIRS, encoding="utf-8")
    command = ["score", str(path), "--journal", str(journal), "--pick-on", "0"]
    assert main(command) == 0
    printed = capsys.readouterr()
    head, recipe, *_ = (line.split("\t") for line in printed.out.splitlines())
    assert head[:4] == ["what", "settings", "pairs", "P"]
    assert recipe == [
        "recipe",
        "both directions, link above 0.37",
        "2",
        *["1.000", "1.000–1.000"] * 3,
        *["0.000"],
        "0.000–0.000",
    ]
    assert "firefox-pt-en: Word alignment, rows of the token read, F1, 2 pairs" in printed.out
    assert "2 of 2 pairs" in printed.err
    assert main(command) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (printed.out, "")
    links = tmp_path / "links"
    links.write_text("0-0 1-1 2-2 3-3\n0-0 1-1\n")
    for number, name in enumerate(("en", "pt")):
        (tmp_path / name).write_text(
            "".join(f"{line.split(chr(9))[number]}\n" for line in PAIRS.splitlines()), encoding="utf-8"
        )
    sides = ["--source", str(tmp_path / "en"), "--target", str(tmp_path / "pt")]
    assert main(["score", str(links), *sides, "--pick-on", "0", "--journal", str(journal)]) == 0
    assert capsys.readouterr().out == printed.out  # the same gold, and its journal
    assert main(["score", str(links), "--pick-on", "0"]) == 2
    assert "--source and --target" in capsys.readouterr().err


def test_profile_prints_what_each_head_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sentences.txt"
    file.write_text("The cat sat on the mat.\n\nMy brother works in a small hospital.\n", encoding="utf-8")
    assert main(["profile", str(file), "--no-costs"]) == 0
    printed = capsys.readouterr().out.splitlines()
    header, rows = printed[0].split("\t"), [line.split("\t") for line in printed[1:17]]
    assert header[:3] == ["head", "alignment", "95 %"]
    assert header[-1] == "name"
    assert [row[0] for row in rows] == [f"{layer}.{head}" for layer in (1, 2) for head in range(1, 9)]
    assert all(len(row) == len(header) for row in rows)
    assert rows[5][-1].startswith("aligns the previous token, F1 .")
    assert printed[-1] == "Nothing can be said of depth from fewer than 5 sentences."
    assert main(["profile", str(file), "--json", "--no-costs", "--reverse", "none", "--kind", "encoder"]) == 0
    read = xv.HeadProfiles.from_json(json.loads(capsys.readouterr().out))
    assert (read.kind, read.n_sentences) == ("encoder", 2)
    assert main(["profile", "--gold"]) == 2
    assert "name the file" in capsys.readouterr().err
    gold = tmp_path / "gold.tsv"
    gold.write_text("The cat sat .\tO gato sentou-se .\t0-0 1-1 2-2 3-3\n", encoding="utf-8")
    assert main(["profile", str(gold), "--gold", "--no-costs"]) == 0
    assert "the links of people (gold)" in capsys.readouterr().out


def test_a_story_becomes_a_page(
    tiny: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"query": {"model": "tiny", "text": TEXT}, "view": {"head": "1.1", "row": "0"}, "caption": "{weight}"}
    story = {"format": "xattn_viz story", "version": 1, "title": "A talk", "slides": [asked]}
    file, out = tmp_path / "talk.json", tmp_path / "talk.html"
    file.write_text(json.dumps(story), encoding="utf-8")
    assert main(["story", str(file), "--out", str(out)]) == 2
    assert "not on the list: load it with --allow tiny" in capsys.readouterr().err
    assert not out.exists()
    assert main(["story", str(file), "--out", str(out), "--allow", "tiny"]) == 0
    assert "<title>A talk</title>" in out.read_text(encoding="utf-8")
    assert main(["story", "cross-attention", "--out", str(out)]) == 0
    for arguments, said in (
        ([str(tmp_path / "none.json"), "--out", str(out)], "No such file"),
        (["nothing", "--out", str(out)], "no story 'nothing': choose cross-attention"),
        (["cross-attention", "--out", "talk.pdf"], "does not end in .html"),
    ):
        assert main(["story", *arguments]) == 2
        assert said in capsys.readouterr().err
