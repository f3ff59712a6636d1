"""Many texts to files: whole, resumed, refused, and in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import xattn_viz as xv
from tests.models import captioner_folders
from xattn_viz.examples import clips
from xattn_viz.inputs import audio
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError

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
    (tmp_path / "000003.part").write_bytes(b"half a file")
    before = (tmp_path / "000000.npz").stat().st_mtime_ns
    outcome = xv.trace_many(LINES, model, tmp_path)
    assert (outcome.traced, outcome.found) == (1, 2)
    assert (tmp_path / "000000.npz").stat().st_mtime_ns == before
    assert xv.load_trace(tmp_path / "000003.npz").input == LINES[3]


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
    def peak(count: int) -> int:
        tracemalloc.start()
        xv.trace_many(("The cat sat." for _ in range(count)), model, tmp_path / str(count))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(3)
    few, many = peak(5), peak(40)
    size = (tmp_path / "5" / "000000.npz").stat().st_size
    assert many < few + 10 * size  # 35 traces more would take 35 times that


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
