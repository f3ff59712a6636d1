"""The environment script: makes .venv, leaves a working one alone, repairs a broken one, and says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "venv.sh"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="make and sh are for Unix")


def test_it_makes_one_and_then_leaves_it_alone(tmp_path: Path) -> None:
    assert run(tmp_path).returncode == 0
    marker = tmp_path / ".venv" / "marker"
    marker.touch()
    again = run(tmp_path)
    assert again.returncode == 0
    assert again.stdout == ""
    assert marker.exists()


def test_an_interrupted_one_is_made_anew(tmp_path: Path) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)  # made before pip was put in, or pointing at a Python long gone
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    assert run(tmp_path).returncode == 0
    subprocess.run([programs / "python", "-m", "pip", "--version"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("case $2 in *version_info*) exit 1;; esac; echo Python 3.9.2", "needs Python 3.11 or newer"),
        ("case $2 in *ensurepip*) exit 1;; esac; exit 0", "apt-get install python3-venv"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path, says: str, words: str) -> None:
    python = tmp_path / "old-python"
    python.write_text(f"#!/bin/sh\n{says}\n")
    python.chmod(0o755)
    done = run(tmp_path, str(python))
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def run(folder: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """The script in a folder, with one Python to choose from."""
    environment = {**os.environ, "PYTHON": python}
    return subprocess.run(["sh", str(SCRIPT)], cwd=folder, env=environment, capture_output=True, text=True, check=False)
