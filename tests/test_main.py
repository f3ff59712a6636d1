"""The command line: what it prints and writes, and one sentence for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import xattn_viz as xv
from xattn_viz.__main__ import app_script, main
from xattn_viz.models.base import Adapter
from xattn_viz.models.firefox import example

ROOT = Path(__file__).parents[1]
TEXT = "a small sentence"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    """A model with random weights, under the name `tiny`."""
    adapter = example()
    monkeypatch.setattr("xattn_viz.models.registry.load", lambda name: adapter)
    return adapter


def test_models_lists_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [card.name for card in xv.cards()]


def test_trace_prints_the_output_and_the_alignment(tiny: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "tiny", TEXT, "--layer", "0", "--head", "1"]) == 0
    trace = tiny.trace(TEXT)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + len(xv.align(trace.cross, layer=0, head=1))


def test_trace_writes_each_format(tiny: Adapter, tmp_path: Path) -> None:
    trace = tiny.trace(TEXT)
    for name in ("t.npz", "t.json", "t.csv", "t.svg", "t.html"):
        assert main(["trace", "tiny", TEXT, "--out", str(tmp_path / name), "--layer", "0", "--head", "1"]) == 0
    assert xv.load_trace(tmp_path / "t.npz").cross == trace.cross
    assert json.loads((tmp_path / "t.json").read_text())["output"] == trace.output
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == xv.export.csv(trace)
    assert (tmp_path / "t.svg").read_text(encoding="utf-8") == xv.export.svg(trace.cross, layer=0, head=1)
    assert (tmp_path / "t.html").read_text(encoding="utf-8") == xv.export.html(trace)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trace", "no-such-model", TEXT], "no-such-model"),
        (["trace", "firefox-en-pt", "  "], ""),
        (["trace", "firefox-en-pt", TEXT, "--out", "map.png"], "map.png ends in none of .html"),
        (["trace", "firefox-en-pt", TEXT, "--layer", "9"], "no layer 9"),
        (["trace", "firefox-en-pt", TEXT, "--out", "no/such/folder/map.csv"], "no/such/folder/map.csv"),
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
