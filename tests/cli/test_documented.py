"""docs/command-line.md: each command there prints what stands below it."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from PIL import Image

from xattn_viz.cli import COMMANDS, main
from xattn_viz.examples import clips
from xattn_viz.shapes import Scene, Thing, draw

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
BLOCKS = re.findall(r"^```console( terminal)?\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d*\.\d+")  # which other processors round otherwise
PAIRS = "The cat sleeps .\tO gato dorme .\nNo .\tNão .\n"
GOLD = "The cat sleeps .\tO gato dorme .\t0-0 1-1 2-2 3-3\nNo .\tNão .\t0-0 1-1\n"


class Terminal(io.TextIOWrapper):
    """What a command prints, on a terminal or not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def asked(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what stands below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def prepare() -> None:
    """Put the files that the page names into the current folder."""
    shutil.copy(Path(clips.__file__).with_name("forward.ogg"), "talk.ogg")
    Image.fromarray(draw(Scene((Thing("red", "circle", 0.3, 0.3, 0.17),)), 150)).save("scene.png")
    # Where PocketSphinx, whose clip this is, finds its words (frames of 0.01 s of an acoustic model).
    true = [("Go", 0.46, 0.64), ("forward", 0.64, 1.17), ("ten", 1.17, 1.53), ("meters.", 1.53, 2.12)]
    spoken = [{"text": text, "start": start, "end": end} for text, start, end in true]
    Path("true.json").write_text(json.dumps(spoken), encoding="utf-8")
    Path("pairs.tsv").write_text(PAIRS, encoding="utf-8")
    Path("gold.tsv").write_text(GOLD, encoding="utf-8")
    Path("sentences.txt").write_text("The cat sat.\nMy brother works in a small hospital.\n", encoding="utf-8")


def run(command: str, patch: pytest.MonkeyPatch, *, is_terminal: bool, before: int) -> tuple[str, int]:
    """What a line of a shell prints, errors too, and its exit code; `before` is that of the line before."""
    if command == "echo $?":
        return f"{before}\n", 0
    data, code, said = b"", 0, ""
    for part in command.split(" | "):
        program, *arguments = shlex.split(part)
        if program == "xattn-viz":
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
            out = Terminal(is_terminal=is_terminal)
            with redirect_stdout(out), redirect_stderr(io.StringIO()) as err:
                code = main(arguments)
            data = out.buffer.getvalue()  # type: ignore[attr-defined]
            said += "" if code == 0 else err.getvalue()
        else:
            full = [sys.executable if program == "python3" else program, *arguments]
            data = subprocess.run(full, input=data, capture_output=True, check=True).stdout
    return data.decode() + said, code


def test_the_commands_of_the_page_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("NO_COLOR", "1"), ("COLUMNS", "80"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    prepare()
    code, named = 0, set()
    for terminal, block in BLOCKS:
        for command, wanted in asked(block):
            printed, code = run(command, monkeypatch, is_terminal=bool(terminal), before=code)
            printed = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
            assert NUMBER.split(printed) == NUMBER.split(wanted), command
            numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, wanted)]
            assert numbers[0] == pytest.approx(numbers[1], abs=0.011), command
            named |= set(command.split()) & set(COMMANDS)
    assert named == set(COMMANDS) - {"serve", "open", "doctor"}  # which tests of their own start
