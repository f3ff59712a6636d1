"""The gate: few at a time, and a run that ends badly lets the next one in."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from xattn_viz.models.base import Cancelled
from xattn_viz.models.gate import CORES, RUNS_AT_ONCE, share_cores, turn


def test_no_more_than_the_limit_at_once() -> None:
    gate, inside, most = threading.BoundedSemaphore(2), [0], [0]
    guard = threading.Lock()

    def run() -> None:
        with turn(gate=gate):
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
    with pytest.raises(Cancelled), turn(gate=gate):
        raise Cancelled
    assert gate.acquire(timeout=0)


def test_a_run_that_waits_can_be_cancelled() -> None:
    gate = threading.BoundedSemaphore(1)
    with turn(gate=gate), pytest.raises(Cancelled), turn(lambda done, total: False, gate):
        pytest.fail("there was no place")
    assert gate.acquire(timeout=0)


def test_all_runs_together_have_no_more_threads_than_cores() -> None:
    before = torch.get_num_threads()
    try:
        share_cores()
        assert 1 <= torch.get_num_threads() <= max(1, CORES // RUNS_AT_ONCE)
    finally:
        torch.set_num_threads(before)
