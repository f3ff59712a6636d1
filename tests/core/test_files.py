"""Files are whole or not there: full disks, faults at every step, kills, and paths that are none."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from xattn_viz.core import files

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_and_text_are_written_and_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write(path, b"one, and longer")
    files.write(str(path), "two: 猫")
    assert path.read_bytes() == "two: 猫".encode()
    assert names(tmp_path) == ["a.txt"]


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    files.write(tmp_path / "new", b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    files.write(tmp_path / "new", b"y")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    files.write(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "file").read_bytes() == b"x"


def test_a_name_may_be_as_long_as_the_disk_takes(tmp_path: Path) -> None:
    for name in ("n" * 255, "猫" * 85):
        files.write(tmp_path / name, b"x")
    assert names(tmp_path) == ["n" * 255, "猫" * 85]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE)
    files.write(tmp_path / "pipe", b"through")
    assert reader.communicate()[0] == b"through"
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("step", ["fsync", "replace", "open", "copymode"])
@pytest.mark.parametrize("there", [True, False])
def test_a_fault_at_any_step_leaves_what_was_there_and_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, there: bool
) -> None:
    path = tmp_path / "a.npz"
    if there:
        path.write_bytes(b"before")
    elif step == "copymode":
        return  # nothing to copy from

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    where = {"fsync": "os.fsync", "replace": "pathlib.Path.replace", "open": "pathlib.Path.open"}
    with monkeypatch.context() as patch:
        patch.setattr(where.get(step, "shutil.copymode"), full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            files.write(path, b"after")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert names(tmp_path) == (["a.npz"] if there else [])
    assert not there or path.read_bytes() == b"before"


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 100_000])
def test_a_full_disk_keeps_the_good_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"good")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    code = f"from xattn_viz.core import files\nfiles.write({str(path)!r}, bytes(100_001))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, preexec_fn=limited, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"File too large: {str(path)!r}" in done.stderr
    assert path.read_bytes() == b"good"
    assert names(tmp_path) == ["a.npz"]


def test_a_kill_at_any_moment_leaves_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    code = f"""
from xattn_viz.core import files
while True:
    for letter in (b"a", b"b"):
        files.write({str(path)!r}, letter * 3_000_000)
"""
    left = 0
    for number in range(15):
        writer = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        before = time.monotonic()
        while not path.exists() and time.monotonic() < before + 30:
            time.sleep(0.01)
        time.sleep(0.1 + 0.013 * number)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert content in (b"a" * 3_000_000, b"b" * 3_000_000)
        begun = list(tmp_path.glob(".a.npz.*.part"))
        left += len(begun)
        assert set(tmp_path.iterdir()) == {path, *begun}
        for part in begun:
            part.unlink()
        path.unlink()
    assert left  # some were killed between


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b", "x" * 5000 + "\0"])
def test_a_path_that_no_file_can_have_is_said_in_a_short_sentence(path: str) -> None:
    with pytest.raises(ValueError, match="holds a character that no name can have") as caught:
        files.write(path, b"")
    assert len(str(caught.value)) < 250
    assert "\0" not in str(caught.value)


def test_a_folder_and_a_place_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path, kind in ((tmp_path / "folder", OSError), (tmp_path / "no" / "a", FileNotFoundError)):
        with pytest.raises(kind) as caught:
            files.write(path, b"")
        assert caught.value.filename == str(path)
    assert names(tmp_path) == ["folder"]
