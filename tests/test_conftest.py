"""On CI a skip is a failure; elsewhere it is a skip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = """
import pytest

def test_skipped():
    pytest.skip("no reason")

@pytest.mark.skip
def test_marked():
    pass

@pytest.mark.xfail(reason="known")
def test_known():
    raise ValueError

def test_passes():
    pass
"""


@pytest.mark.parametrize(
    ("ci", "closing"), [("true", "1 failed, 1 passed, 1 xfailed, 1 error"), ("", "1 passed, 2 skipped, 1 xfailed")]
)
def test_skips(tmp_path: Path, ci: str, closing: str) -> None:
    assert closing in run(tmp_path, SKIPS, ci)


def test_a_file_that_skips_itself_fails_on_ci(tmp_path: Path) -> None:
    source = "import pytest\npytest.importorskip('no_such_module')"
    assert "1 error" in run(tmp_path, source, "true")
    assert "1 skipped" in run(tmp_path, source, "")


def run(folder: Path, source: str, ci: str) -> str:
    """What pytest prints about a test file beside our conftest."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "CI": ci}
    ).stdout
