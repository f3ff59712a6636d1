"""How a machine without Chromium gets one: in this order, and never by asking for more than it may."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import browser


class Machine:
    """A machine whose programs are only played: it notes what was run, and says what worked."""

    def __init__(self, works: set[str], fonts: str = "Noto Sans CJK JP\nNoto Color Emoji") -> None:
        self.works, self.fonts = works, fonts
        self.ran: list[str] = []

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == "fc-list":
            return subprocess.CompletedProcess(command, 0, self.fonts)
        line = " ".join(command[1:] if "playwright" in command else command)
        self.ran.append(line)
        return subprocess.CompletedProcess(command, 0 if any(word in line for word in self.works) else 1)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it to play a machine: what works, whether we are root, and where a browser is from the start."""

    def start(works: set[str], *, root: bool, found: str | None = None, fonts: str | None = None) -> Machine:
        machine = Machine(works) if fonts is None else Machine(works, fonts)

        def find() -> str | None:
            brought = [line for line in machine.ran if "install" in line and any(word in line for word in works)]
            return found or ("/somewhere/chromium" if any("chromium" in line for line in brought) else None)

        monkeypatch.setattr(browser, "find", find)
        monkeypatch.setattr(browser, "is_root", lambda: root)
        monkeypatch.setattr(subprocess, "run", machine.run)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(sys, "platform", "linux")
        return machine

    return start


def test_a_browser_that_is_there_is_used(play: Any, capsys: pytest.CaptureFixture[str]) -> None:
    machine = play(set(), root=True, found="/usr/bin/chromium")
    assert browser.main() == 0
    assert machine.ran == []
    assert capsys.readouterr().out == "Browser tests use /usr/bin/chromium\n"


def test_playwright_is_asked_first(play: Any) -> None:
    machine = play({"playwright"}, root=True)
    assert browser.main() == 0
    assert machine.ran == ["-m playwright install chromium"]


def test_root_falls_back_to_the_debian_package(play: Any) -> None:
    machine = play({"apt-get"}, root=True)
    assert browser.main() == 0
    assert [line.split()[0:2] for line in machine.ran[1:]] == [["apt-get", "update"], ["apt-get", "install"]]
    fonts = "fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
    assert f"chromium-headless-shell {fonts}" in machine.ran[-1]
    # An older Debian has no package of Chromium without a window.
    machine = play({"apt-get update", "recommends chromium "}, root=True)
    assert browser.main() == 0
    assert f"chromium {fonts}" in machine.ran[-1]


def test_a_person_is_told_what_to_install(play: Any, capsys: pytest.CaptureFixture[str]) -> None:
    machine = play({"apt-get"}, root=False)
    assert browser.main() == 1
    assert machine.ran == ["-m playwright install chromium"]
    assert "apt-get install chromium" in capsys.readouterr().err


def test_missing_fonts_are_installed_by_root_and_named_to_a_person(
    play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = play({"apt-get"}, root=True, found="/usr/bin/chromium", fonts="DejaVu Sans")
    assert browser.main() == 0
    assert "fonts-noto-color-emoji" in machine.ran[-1]
    play(set(), root=False, found="/usr/bin/chromium", fonts="DejaVu Sans")
    assert browser.main() == 0
    assert "fonts-noto-cjk" in capsys.readouterr().err


def test_the_path_comes_before_playwrights_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "chromium-browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser.find() == str(program)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "empty"))
    assert browser.find() is None


def test_the_sandbox_stays_on_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "is_root", lambda: False)
    assert "--no-sandbox" not in browser.flags()
    monkeypatch.setattr(browser, "is_root", lambda: True)
    assert "--no-sandbox" in browser.flags()


def test_a_browser_in_playwrights_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = browser._SAY_WHERE
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(said).is_relative_to(tmp_path)
    Path(said).parent.mkdir(parents=True)
    Path(said).touch()
    monkeypatch.setenv("PATH", "")
    assert browser.find() == said
