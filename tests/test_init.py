from __future__ import annotations

import doctest
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import xattn_viz as xv


def test_the_tour_in_the_docstring_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the tour saves a file
    results = doctest.testmod(xv)
    assert results.attempted > 5
    assert results.failed == 0
    assert (tmp_path / "cat.npz").exists()


@pytest.mark.parametrize("name", xv.__all__)
def test_every_public_name_is_there_and_has_a_docstring(name: str) -> None:
    assert getattr(xv, name).__doc__
    assert name in dir(xv)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'xattn_viz' has no attribute 'heatmaps'"):
        _ = xv.heatmaps


def test_what_is_listed_is_what_is_public() -> None:
    assert dir(xv) == sorted(xv.__all__)
    assert "annotations" not in dir(xv)
    assert {"Adapter", "InputError", "ModelError", "View"} <= set(dir(xv))
    lowered = [name.lower() for name in dir(xv)]
    assert len({*lowered, *(f"{name}s" for name in lowered)}) == 2 * len(lowered)  # none but by a capital or an s apart


def test_a_trace_is_reproduced_from_its_provenance() -> None:
    trace = xv.load("firefox-en-pt").trace("A dog slept near the door.", ablate=(("cross", 0, 1),))
    assert xv.rerun(xv.load_trace(xv.export.npz(trace))) == trace


@pytest.mark.parametrize(
    "modules", ["xattn_viz", "xattn_viz.core.store, xattn_viz.examples; xattn_viz.examples.load('cat')"]
)
def test_importing_brings_in_nothing_heavy(modules: str) -> None:
    code = f"import {modules}\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


HEAVY = ("torch", "plotly", "streamlit", "pandas", "sentencepiece")


def test_the_version_is_the_one_that_is_packaged() -> None:
    project = tomllib.loads(Path(__file__).parent.with_name("pyproject.toml").read_text())["project"]
    assert project.get("version", xv.__version__) == xv.__version__
