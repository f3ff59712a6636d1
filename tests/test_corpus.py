"""Many texts to files: whole, resumed, refused, and in bounded memory."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import xattn_viz as xv
from tests.models.families import captioner_folders
from xattn_viz.examples import clips
from xattn_viz.inputs import audio
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError

ROOT = Path(__file__).parents[1]
LINES = ["The cat sat.", "", "It slept.", "Rain fell on the mat."]


@pytest.fixture(scope="module")
def model() -> Adapter:
    return registry.families()["seq2seq"].example()


def test_each_line_becomes_a_file(model: Adapter, tmp_path: Path) -> None:
    seen: list[tuple[int, Path | None]] = []
    outcome = xv.trace_many(LINES, model, tmp_path / "out", on_line=lambda n, file: seen.append((n, file)), num_beams=2)
    assert (outcome.traced, outcome.found) == (3, 0)
    assert [number for number, _ in outcome.problems] == [1]
    assert "empty" in outcome.problems[0][1]
    assert [(number, file and file.name) for number, file in seen] == [
        (0, "000000.npz"),
        (1, None),
        (2, "000002.npz"),
        (3, "000003.npz"),
    ]
    for number, file in seen:
        if file is not None:
            trace, expected = xv.load_trace(file), model.trace(LINES[number], num_beams=2)
            assert (trace.input, trace.maps, trace.steps) == (expected.input, expected.maps, expected.steps)


def test_it_goes_on_where_it_stopped(model: Adapter, tmp_path: Path) -> None:
    class StoppedError(Exception):
        """What ends the first run."""

    def lines() -> Iterator[str]:
        yield from LINES[:3]
        raise StoppedError

    with pytest.raises(StoppedError):
        xv.trace_many(lines(), model, tmp_path, on_step=lambda done, total: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.npz", "000002.npz"]
    (tmp_path / ".000003.npz.0123456789abcdef.part").write_bytes(b"half a file")
    before = (tmp_path / "000000.npz").stat().st_mtime_ns
    outcome = xv.trace_many(LINES, model, tmp_path)
    assert (outcome.traced, outcome.found) == (1, 2)
    assert (tmp_path / "000000.npz").stat().st_mtime_ns == before
    assert xv.load_trace(tmp_path / "000003.npz").input == LINES[3]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(("lines", "settings"), [(["Another."], {}), (LINES, {"num_beams": 2})])
def test_other_lines_or_settings_are_refused(
    model: Adapter, tmp_path: Path, lines: list[str], settings: dict[str, Any]
) -> None:
    xv.trace_many(LINES, model, tmp_path)
    with pytest.raises(ValueError, match=r"000000\.npz is the trace of another line"):
        xv.trace_many(lines, model, tmp_path, **settings)


def test_what_the_model_cannot_do_ends_the_run(model: Adapter, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        xv.trace_many(LINES, model, tmp_path, no_such_option=1)


def test_memory_does_not_grow_with_the_lines(model: Adapter, tmp_path: Path) -> None:
    # Python keeps freed tuples for those to come, up to some thousand of each length: first it has its fill.
    xv.trace_many(("The cat sat." for _ in range(40)), model, tmp_path / "first")

    def peak(count: int) -> int:
        tracemalloc.start()
        xv.trace_many(("The cat sat." for _ in range(count)), model, tmp_path / str(count))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    few, many = peak(3), peak(15)
    size = (tmp_path / "3" / "000000.npz").stat().st_size
    assert many < few + 4 * size  # 12 traces more would take 12 times that


def test_recordings_become_a_file_a_window_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    model, out = registry.families()["whisper"].example(), tmp_path / "out"
    short = clips.sound("forward").samples
    files = [tmp_path / name for name in ("short.wav", "none.wav", "long.wav", "text.wav")]
    files[0].write_bytes(audio.wav(short))
    files[2].write_bytes(audio.wav(np.tile(short, 13)))  # 36 s
    files[3].write_text("This is no sound.")
    settings: dict[str, Any] = {"max_new_tokens": 4, "crop": True}
    outcome = xv.trace_many(files, model, out, **settings)
    assert (outcome.traced, [number for number, _ in outcome.problems]) == (2, [1, 3])
    assert "none.wav cannot be read: No such file" in outcome.problems[0][1]
    assert sorted(path.name for path in out.iterdir()) == ["000000.npz", "000002-1.npz", "000002.npz"]
    for name, wanted in zip(("000002.npz", "000002-1.npz"), model.traces(files[2], **settings), strict=True):
        trace = xv.load_trace(out / name)
        assert (trace.maps, trace.offset, trace.output) == (wanted.maps, wanted.offset, wanted.output)
        assert trace.provenance["recording"] == "long.wav"
    assert xv.trace_many(files, model, out, **settings).found == 2
    files[0].write_bytes(audio.wav(short[::-1]))
    with pytest.raises(ValueError, match=r"000000\.npz is the trace of another line"):
        xv.trace_many(files, model, out, **settings)


def test_pictures_become_files_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    adapter = registry.families()["captioner"].example()
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        Image.fromarray(captioner_folders.picture(number)).save(path)
    outcome = xv.trace_many([*paths, tmp_path / "missing.png"], adapter, tmp_path / "out")
    assert (outcome.traced, [number for number, _ in outcome.problems]) == (2, [2])
    stored = xv.load_trace(tmp_path / "out" / "000001.npz")
    assert stored.maps == adapter.trace(captioner_folders.picture(1)).maps
    assert stored.provenance["picture"] == "1.png"
    paths[0].write_bytes(paths[1].read_bytes())
    with pytest.raises(ValueError, match="another line"):
        xv.trace_many(paths, adapter, tmp_path / "out")


SETTINGS: dict[str, Any] = {"max_new_tokens": 2, "crop": True}


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Adapter, list[Path], Path]:
    """A model of speech, a short recording and one of two windows, and the folder with their traces."""
    folder = tmp_path_factory.mktemp("heard")
    short = clips.sound("forward").samples
    lines = [folder / "short.wav", folder / "long.wav"]
    lines[0].write_bytes(audio.wav(short))
    lines[1].write_bytes(audio.wav(np.tile(short, 13)))  # 36 s
    model = registry.families()["whisper"].example()
    assert xv.trace_many(lines, model, folder / "out", **SETTINGS).traced == 2
    return model, lines, folder / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def exchange(path: Path) -> None:
    """Whole, but of something else: only a digest tells."""
    path.write_bytes(path.with_name("000000.npz").read_bytes())


def turn_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *(("000001-1.npz", fault) for fault in (lose, cut, empty, exchange, turn_a_bit)),
        *(("000001.npz", fault) for fault in (lose, cut, empty, turn_a_bit)),
    ],
)
def test_a_file_of_a_finished_line_that_is_lost_or_damaged_is_made_again(
    heard: tuple[Adapter, list[Path], Path], tmp_path: Path, name: str, fault: Callable[[Path], None]
) -> None:
    model, lines, made = heard
    shutil.copytree(made, out := tmp_path / "out")
    fault(out / name)
    outcome = xv.trace_many(lines, model, out, **SETTINGS)
    assert (outcome.traced, outcome.found, outcome.problems) == (1, 1, ())
    assert contents(out).keys() == contents(made).keys()
    for file in out.iterdir():
        assert xv.load_trace(file).maps == xv.load_trace(made / file.name).maps
    assert xv.trace_many(lines, model, out, **SETTINGS).found == 2


def test_windows_and_parts_that_no_line_has_do_not_stay(
    heard: tuple[Adapter, list[Path], Path], tmp_path: Path
) -> None:
    model, lines, made = heard
    shutil.copytree(made, out := tmp_path / "out")
    for name in ("000000-1.npz", "000001-3.npz"):
        shutil.copy(made / "000001-1.npz", out / name)
    (out / ".000001-1.npz.0123456789abcdef.part").write_bytes(b"PK")
    (out / "letter.txt").write_text("not ours")
    assert xv.trace_many(lines, model, out, **SETTINGS).found == 2
    assert contents(out) == {**contents(made), "letter.txt": b"not ours"}


@pytest.mark.parametrize("fails", [0, 1])
def test_a_full_disk_ends_the_run_and_leaves_whole_files_only(
    heard: tuple[Adapter, list[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """The further window is written before the first, so a line whose first file is there is whole."""
    model, lines, made = heard
    sync, written = os.fsync, list[int]()

    def full(opened: int) -> None:
        if stat.S_ISREG(os.fstat(opened).st_mode):
            written.append(opened)
            if len(written) > fails:
                raise OSError(errno.ENOSPC, "No space left on device")
        sync(opened)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            xv.trace_many(lines[1:], model, tmp_path, **SETTINGS)
    assert Path(caught.value.filename).name == ["000000-1.npz", "000000.npz"][fails]
    assert sorted(contents(tmp_path)) == ["000000-1.npz"][:fails]
    for file in tmp_path.iterdir():
        xv.load_trace(file)
    assert xv.trace_many(lines[1:], model, tmp_path, **SETTINGS).traced == 1
    assert [xv.load_trace(tmp_path / f"000000{end}.npz").maps for end in ("", "-1")] == [
        xv.load_trace(made / f"000001{end}.npz").maps for end in ("", "-1")
    ]


@pytest.mark.parametrize("length", [0, 1, 30, 500, -1])
def test_a_cut_file_does_not_end_the_resuming(model: Adapter, tmp_path: Path, length: int) -> None:
    xv.trace_many(LINES, model, tmp_path)
    whole = (tmp_path / "000002.npz").read_bytes()
    (tmp_path / "000002.npz").write_bytes(whole[:length])
    outcome = xv.trace_many(LINES, model, tmp_path)
    assert (outcome.traced, outcome.found) == (1, 2)
    assert xv.load_trace(tmp_path / "000002.npz").maps == xv.load_trace(whole).maps


def test_another_programs_file_is_named_and_stays(model: Adapter, tmp_path: Path) -> None:
    np.savez(tmp_path / "000000.npz", x=np.zeros(3))
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"000000\.npz is in the way, choose an empty folder: .*another program"):
        xv.trace_many(LINES, model, tmp_path)
    assert contents(tmp_path) == before


def test_a_kill_leaves_whole_files_and_a_run_that_goes_on(model: Adapter, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"""
import xattn_viz as xv
from xattn_viz.models import registry
xv.trace_many(("The cat sat." for _ in range(10**6)), registry.families()["seq2seq"].example(), {str(out)!r})
"""
    run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    before = time.monotonic()
    while not (out / "000003.npz").exists() and time.monotonic() < before + 120:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = sorted(out.glob("*.npz"))
    for file in done:
        assert xv.load_trace(file).input == "The cat sat."
    outcome = xv.trace_many(["The cat sat."] * (len(done) + 2), model, out)
    assert (outcome.traced, outcome.found) == (2, len(done))
    assert sorted(contents(out)) == [f"{number:06}.npz" for number in range(len(done) + 2)]
