"""What loaded models take, counted by every family and held to the limit; and runs: few at a time, each let in."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import xattn_viz as xv
from xattn_viz.cli import main
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled, ModelError
from xattn_viz.models.registry import share_cores
from xattn_viz.models.resources import CORES, RUNS_AT_ONCE, bytes_held, run_slot

NAMED = [card.name for card in registry.cards() if card.download_mb is None]
#: What a model holds beside its weights: tables of sizes, a tokenizer's arrays.
SMALL = 1 << 16


def reachable(adapter: Adapter) -> int:
    """The bytes of all tensors and arrays that an adapter keeps alive, found by the garbage collector and not by us."""
    seen, storages, waiting = {id(adapter)}, dict[int, int](), list[Any]([adapter])
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, torch.Tensor):
            storages[thing.untyped_storage().data_ptr()] = thing.untyped_storage().nbytes()
        elif isinstance(thing, np.ndarray) and thing.base is None:
            storages[thing.__array_interface__["data"][0]] = thing.nbytes
        for other in gc.get_referents(thing):
            if id(other) not in seen and not isinstance(other, ModuleType | type | FunctionType):
                seen.add(id(other))
                waiting.append(other)
    return sum(storages.values())


@pytest.fixture(params=[*(f"example of {name}" for name in registry.families()), *NAMED])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    name = str(request.param)
    if name.startswith("example of "):
        return registry.families()[name.removeprefix("example of ")].example()
    return registry.load(name)


def test_every_family_counts_what_its_models_take(adapter: Adapter) -> None:
    found = reachable(adapter)
    assert adapter.memory > 10_000
    assert adapter.memory <= found
    assert found - adapter.memory <= max(SMALL, found // 10)


def test_what_is_shared_is_counted_once() -> None:
    one, two = torch.nn.Linear(10, 10, bias=False), torch.nn.Linear(10, 10, bias=False)
    both = torch.nn.Sequential(one, two)
    assert bytes_held(both) == 800
    two.weight = one.weight
    assert bytes_held(both) == bytes_held(both, one, None) == 400
    assert bytes_held(both, np.zeros(3)) == 424
    both.register_buffer("mask", torch.zeros(5, dtype=torch.bool))
    assert bytes_held(both) == 405


_EIGHT = """
import os, sys, shutil, pathlib, psutil
import xattn_viz as xv
from xattn_viz.models import registry
from xattn_viz.models.families.firefox.loading import package_folder
source = next(package_folder("x").glob("enpt*"))
own = psutil.Process()
used = []
for number in range(8):
    folder = pathlib.Path(sys.argv[1], str(number))
    shutil.copytree(source, folder)
    xv.load(folder).trace("The cat sat on the mat.")
    used.append(own.memory_info().rss / 1e6)
print(len(registry.loaded()), *used)
"""


def test_the_limit_holds_the_memory_of_the_process(tmp_path: Path) -> None:
    """Eight folders with the real weights of 72 MB each, and room for one."""
    environment = {**os.environ, registry.MEMORY_VARIABLE: "0.1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", _EIGHT, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    count, first, *used = map(float, run.stdout.split())
    assert count == 1
    assert max(used) < first + 80  # with all of them it was 560 more


@pytest.fixture
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(registry.MEMORY_VARIABLE, request.param)
    return str(request.param)


@pytest.mark.parametrize(
    "wrong", ["abc", "nan", "inf", "-inf", "-1", "0", "-0", "8 GB", "1e400", "8,5", "0x10", "x" * 9000], indirect=True
)
def test_a_limit_that_is_none_is_said_by_api_command_line_and_page(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = r"XATTN_VIZ_MODEL_GB is '.*: it has to be a number of gigabytes above 0, such as 8 or 0\.5\.$"
    for ask in (registry.memory_limit, registry.check_settings, lambda: xv.load("firefox-en-pt")):
        with pytest.raises(ModelError, match=said) as raised:
            ask()
        assert len(str(raised.value)) < 240
    assert main(["trace", "firefox-en-pt", "The cat."]) == 2
    assert main(["serve"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all(line.startswith("xattn-viz: XATTN_VIZ_MODEL_GB is ") for line in told)


@pytest.mark.parametrize(("said", "limit"), [("8", 8e9), ("0.1", 1e8), (" 2.5 ", 2.5e9), ("1e-3", 1e6)])
def test_a_limit_is_in_gigabytes(said: str, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.MEMORY_VARIABLE, said)
    assert registry.memory_limit() == limit


@pytest.mark.parametrize("said", ["", " "])
def test_without_a_limit_it_is_half_of_the_memory(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.MEMORY_VARIABLE, said)
    import psutil  # type: ignore[import-untyped]

    assert registry.memory_limit() == pytest.approx(psutil.virtual_memory().total / 2, rel=0.05)


@pytest.fixture
def page() -> Any:
    from streamlit.testing.v1 import AppTest

    from tests.server import ROOT

    return AppTest.from_file(ROOT / "app.py", default_timeout=60)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [("XATTN_VIZ_MODEL_GB", "nan", "number of gigabytes"), ("XATTN_VIZ_ROOT", "/nowhere/at/all", "no such folder")],
)
def test_the_page_says_what_is_wrong_with_the_environment(
    page: Any, variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    page.run()
    assert not page.exception
    assert [words in error.value for error in page.error] == [True]


def test_no_more_than_the_limit_at_once() -> None:
    gate, inside, most = threading.BoundedSemaphore(2), [0], [0]
    guard = threading.Lock()

    def run() -> None:
        with run_slot(gate=gate):
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            with guard:
                inside[0] -= 1

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2


def test_an_error_frees_the_place() -> None:
    gate = threading.BoundedSemaphore(1)
    with pytest.raises(Cancelled), run_slot(gate=gate):
        raise Cancelled
    assert gate.acquire(timeout=0)


def test_a_run_that_waits_can_be_cancelled() -> None:
    gate = threading.BoundedSemaphore(1)
    with run_slot(gate=gate), pytest.raises(Cancelled), run_slot(lambda done, total: False, gate):
        pytest.fail("there was no place")
    assert gate.acquire(timeout=0)


def test_all_runs_together_have_no_more_threads_than_cores() -> None:
    before = torch.get_num_threads()
    try:
        share_cores()
        assert 1 <= torch.get_num_threads() <= max(1, CORES // RUNS_AT_ONCE)
    finally:
        torch.set_num_threads(before)
