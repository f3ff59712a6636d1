"""The command line as a whole: help, completion, one sentence for every mistake, and what reaches the terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import xattn_viz as xv
from xattn_viz.cli import COMMANDS, main, xattn_viz
from xattn_viz.cli.common import complete_files, complete_models
from xattn_viz.doctor import app_script
from xattn_viz.examples import clips
from xattn_viz.models.base import Adapter, ModelWarning

ROOT = Path(__file__).parents[2]
TEXT = "a small sentence"
FORWARD = Path(clips.__file__).with_name("forward.ogg")


def every_command(group: click.Group = xattn_viz, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command with the words that call it, groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, *before, name)


def test_every_help_begins_with_what_it_does_and_ends_with_an_example_that_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    first = " ".join(capsys.readouterr().out.split())
    for words, command in every_command():
        assert main([*words, "--help"]) == 0
        shown, _, example = capsys.readouterr().out.partition("Example:\n")
        assert " ".join(shown.split()).startswith(f"Usage: xattn-viz {' '.join(words)} ")
        if len(words) == 1:
            assert command.get_short_help_str(200) == COMMANDS[words[0]][1]
            assert COMMANDS[words[0]][1] in first
        given = shlex.split(example)
        called = given[1 : 1 + len(words)]
        assert given[0] == "xattn-viz"
        assert called == [*words]
        if not isinstance(command, click.Group):
            command.make_context(words[-1], given[1 + len(words) :])  # it parses
            assert not [one.name for one in command.params if not getattr(one, "help", "")]


def test_help_and_completion_wait_for_no_model_and_a_command_for_no_page() -> None:
    """Nor for what a page or a figure is made of: what a shell asks at each TAB imports little."""
    heavy = ("torch", "transformers", "streamlit", "plotly", "pandas", "ssl")
    code = f"""import os, sys
from xattn_viz.cli import COMMANDS, main
def imported(*more): return [name for name in (*{heavy}, *more) if name in sys.modules]
os.environ |= {{"_XATTN_VIZ_COMPLETE": "bash_complete", "COMP_WORDS": "xattn-viz tr", "COMP_CWORD": "1"}}
try: main([])
except SystemExit: del os.environ["_XATTN_VIZ_COMPLETE"]
main(["--help"])
first = imported("numpy")
for name in ("serve", "trace", "evidence", "align", "compare", "models"): main([name, "--help"])
second = imported("xattn_viz.models.base", "xattn_viz.export.shown")
for name in COMMANDS: main([name, "--help"])
print(first, second, imported(), file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("plain,trace\nplain,transcribe\n")
    assert done.stderr == "[] [] []\n"


def test_a_shell_completes_commands_models_options_and_files(tmp_path: Path) -> None:
    program = tmp_path / "xattn-viz"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m xattn_viz "$@"\n')
    program.chmod(0o755)
    asked = (
        ["tr"],
        ["trace", "firefox-e"],
        ["evidence", "attribution", "m", "i", "--method", "occ"],
        ["models", "--j"],
    )
    script = 'compopt() { :; }\neval "$(_XATTN_VIZ_COMPLETE=bash_source xattn-viz)"\n'
    for words in asked:
        script += f"COMP_WORDS=(xattn-viz {' '.join(words)}) COMP_CWORD={len(words)} COMPREPLY=()\n"
        script += '_xattn_viz_completion xattn-viz; echo "${COMPREPLY[@]}"\n'
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["trace transcribe", "firefox-en-pt", "occlusion", "--json"]
    assert done.stderr == ""
    for complete in (complete_models, complete_files):
        assert ("x", "file") in [
            (item.value, item.type) for item in complete(click.Context(xattn_viz), click.Argument(["model"]), "x")
        ]


def test_each_command_as_a_process_answers_a_mistake_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_bytes(b"\xff\xfe")
    asked = {
        "serve --port 0": "0 is not in the range",
        "open": "Missing argument 'FILE…'",
        "open pairs.tsv": "'pairs.tsv' is no saved trace",
        "trace": "Missing argument 'MODEL|TRACE.npz'. See xattn-viz trace --help.",
        "transcribe whisper-tiny-en a.wav --format mp3": "'mp3' is not one of",
        "align firefox-en-pt none.tsv --threshold much": "'much' is not a valid float",
        "score firefox-en-pt pairs.tsv": "is not in utf-8",
        "evidence costs firefox-en-pt": "Missing argument 'INPUT'",
        "compare firefox-en-pt one": "give a second input",
        "figure pairs.tsv.npz -o map.gif": "ends in one of",
        "animate cat.npz -o a.svg --size big": "'big' is no size",
        "story none.json -o talk.html": "No such file",
        "models --all": "No such option",
        "doctor now": "unexpected extra argument",
        "trase": "Did you mean one of: 'trace', ",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "xattn_viz", *command.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in asked
    ]
    for (command, words), process in zip(asked.items(), running, strict=True):
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (2, ""), (command, err)
        assert err.startswith("xattn-viz: "), command
        assert words in err, command
        assert err.count("\n") == 1, command


def test_a_pipe_goes_through_as_a_process() -> None:
    command = [sys.executable, "-m", "xattn_viz", "trace", "firefox-en-pt", "-", "--json"]
    said = b"The cat sat on the mat.\n"
    done = subprocess.run(command, cwd=ROOT, input=said, capture_output=True, check=True)
    assert json.loads(done.stdout)["output"] == "O gato sentou-se no tapete."
    assert done.stderr == b""


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def load(name: str, **options: object) -> Adapter:
        raise KeyboardInterrupt

    monkeypatch.setattr("xattn_viz.models.registry.load", load)
    assert main(["trace", "tiny", TEXT]) == 130
    assert capsys.readouterr() == ("", "\n")  # behind the ^C of the terminal


def test_models_are_listed_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [card.name for card in xv.cards()]
    assert main(["models", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["download_mb"]) for one in said] == [(card.name, card.download_mb) for card in xv.cards()]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"xattn-viz {xv.__version__}\n"


def test_a_download_is_told_on_stderr(
    tiny: Adapter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str, on_progress: Callable[[int, int], object]) -> Adapter:
        for done in range(0, 301, 3):
            on_progress(done * 10**6, 300 * 10**6)
        return tiny

    monkeypatch.setattr("xattn_viz.models.registry.load", load)
    assert main(["trace", "tiny", TEXT]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.endswith("MB")]
    assert told == [f"xattn-viz: {tenth * 30} of 300 MB" for tenth in range(1, 11)]


def test_a_text_in_another_language_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "firefox-en-pt", "O meu avô vendeu o barco vermelho antes do inverno."]) == 0
    printed = capsys.readouterr()
    assert printed.err == "xattn-viz: This text looks like Portuguese, and English → Portuguese reads English.\n"
    assert "looks like" not in printed.out


def test_a_fault_of_the_model_is_said_once_on_stderr(
    tiny: Adapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str, **options: object) -> Adapter:
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
        (["trace", "firefox-en-pt"], "A model needs an input"),
        (["trace", "none.npz"], "'none.npz': No such file"),
        (["trace", "cat.npz", TEXT], "has its input already"),
        (["trace"], "Missing argument 'MODEL|TRACE.npz'. See xattn-viz trace --help."),
        (["evidence"], "Missing command. See xattn-viz evidence --help."),
        (["evidence", "profile", "firefox-en-pt", "--layer", "1"], "No such option"),
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
        (["transcribe", "whisper-tiny-en", "no.wav"], "no.wav cannot be read: No such file"),
        (["transcribe", "whisper-tiny-en", __file__], "no sound file"),
        (["transcribe", "whisper-tiny-en", str(Path(__file__).parent)], "Is a directory"),
        (
            ["transcribe", "whisper-tiny-en", str(FORWARD), "--heads", "3.5,9.1"],
            "There is no layer 9: layers count from 1, and these maps hold 1, 2, 3, 4.",
        ),
        (["transcribe", "firefox-en-pt", str(FORWARD)], "firefox-en-pt reads text"),
        (["transcribe", "caption-shapes", str(FORWARD)], "caption-shapes reads pictures"),
        (["trace", "caption-shapes", str(FORWARD)], "This is no picture"),
        (["trace", "caption-shapes", "no.png"], "no.png cannot be read: No such file"),
        (["transcribe", "no-such-model", str(FORWARD)], "no-such-model"),
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


def test_the_clone_starts_its_own_app(monkeypatch: pytest.MonkeyPatch, tiny: Adapter, tmp_path: Path) -> None:
    assert app_script() == ROOT / "app.py"
    started: list[list[str]] = []
    monkeypatch.setattr("runpy.run_module", lambda *given, **more: started.append(sys.argv))
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setenv("XATTN_VIZ_OPEN", "")
    assert main([]) == main(["serve", "--port", "8600", "--address", "0.0.0.0"]) == 0  # noqa: S104
    files = [tmp_path / name for name in ("one.npz", "two.npz")]
    for file in files:
        xv.save(tiny.trace(TEXT), file)
    assert os.environ["XATTN_VIZ_OPEN"] == ""
    assert main(["open", *map(str, files), "--port", "8600"]) == 0
    assert os.environ["XATTN_VIZ_OPEN"] == os.pathsep.join(map(str, files))
    run = ["streamlit", "run", str(ROOT / "app.py")]
    assert started == [
        run,
        [*run, "--server.address", "0.0.0.0", "--server.port", "8600"],  # noqa: S104
        [*run, "--server.port", "8600"],
    ]


def test_control_characters_do_not_reach_the_terminal(tiny: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tiny", "a \x1b[31m small\u202e sentence"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed


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
    assert main(["trace", "tiny", TEXT, "--set", "target"]) == 2
    assert "give NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("heads", ["", "2", "2.4;1.5", "2.4,", "-1.0", "٢.٤", "2.mean"])
def test_heads_that_are_none_are_refused(heads: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "whisper-tiny-en", str(FORWARD), f"--heads={heads}"]) == 2
    assert re.search(r"names no head: give layer\.head, such as 2\.1|is no single head", capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "tiny", TEXT, "--head", "0"],
        ["trace", "tiny", TEXT, "--layer", "0"],
        ["trace", "tiny", TEXT, "--head=-1"],
        ["transcribe", "whisper-tiny-en", str(FORWARD), "--heads", "2.4,0.1"],
    ],
)
def test_there_is_no_layer_and_no_head_nought(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert re.search("[Ll]ayers and heads count from 1", capsys.readouterr().err)


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
