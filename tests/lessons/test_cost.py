from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest
import torch

from xattn_viz.lessons import cost
from xattn_viz.lessons.cost import D_K, EXPLICIT, FUSED, HEADS, measure, peak_bytes, slope, theory

FLOAT = 4  # bytes


@pytest.mark.parametrize("power", [0.5, 1, 2, 3])
def test_the_slope_is_the_planted_one(power: float) -> None:
    lengths = [64, 128, 300, 1000]
    assert slope(lengths, [7e-6 * n**power for n in lengths]) == pytest.approx(power, abs=1e-12)


def test_one_length_has_no_slope() -> None:
    with pytest.raises(ValueError, match="got 1"):
        slope([64], [1.0])


def test_theory_goes_through_the_point_given() -> None:
    assert theory([64, 128, 256], (128, 2.0), 2) == [0.5, 2.0, 8.0]


def test_the_peak_counts_what_is_held_at_once_in_this_thread() -> None:
    def run() -> None:
        for _ in range(3):
            first = torch.empty(1000, dtype=torch.float32)
            second = torch.empty(500, dtype=torch.float32)
            del first, second
        torch.empty(100, dtype=torch.float32)
        time.sleep(0.05)  # the other visitor's turn

    def other_visitor() -> None:
        while not done.wait(0.001):
            torch.empty(100_000)

    done = threading.Event()
    other = threading.Thread(target=other_visitor)
    other.start()
    try:
        assert peak_bytes(run) == 1500 * FLOAT
    finally:
        done.set()
        other.join()


def test_the_explicit_way_holds_a_square_and_the_fused_one_does_not() -> None:
    lengths = [256, 512, 1024]
    seen = list(measure(lengths))
    assert [(one.length, one.way) for one in seen] == [(n, way) for n in lengths for way in (EXPLICIT, FUSED)]
    for one in seen:
        square, output = HEADS * one.length**2 * FLOAT, HEADS * one.length * D_K * FLOAT
        assert one.seconds > 0
        if one.way == EXPLICIT:
            # q kᵀ beside its scaled copy, or scores beside weights; the output, a mask of rows and a buffer are small.
            assert 2 * square <= one.bytes <= 2 * square + 3 * output + one.length * HEADS
        else:
            assert output <= one.bytes
            assert one.bytes < square
    by_way = {way: [one.bytes for one in seen if one.way == way] for way in (EXPLICIT, FUSED)}
    assert 1.9 < slope(lengths, by_way[EXPLICIT]) <= 2
    assert slope(lengths, by_way[FUSED]) < 1.5
    assert by_way[EXPLICIT] == [one.bytes for one in measure(lengths) if one.way == EXPLICIT]


def test_both_ways_compute_the_same() -> None:
    q, k, v = cost.inputs(64)
    ours, fused = (attend(q, k, v) for attend in cost.WAYS.values())
    torch.testing.assert_close(ours.output, fused, atol=2e-6, rtol=2e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("length", [64, 256])
def test_the_snippet_prints_the_bytes_that_the_section_shows(length: int, capsys: Any) -> None:
    code = cost.snippet(length)
    assert len(code.splitlines()) <= 15
    exec(compile(code, "snippet", "exec"), {})  # noqa: S102 - our own code
    printed = [line.split()[-4:] for line in capsys.readouterr().out.splitlines()]
    seen = list(measure([length]))
    assert int(printed[0][0]) == seen[0].bytes  # of the fused one buffers depend on the number of threads
    assert all(math.isfinite(float(words[2])) and float(words[2]) > 0 for words in printed)


def test_what_ships_is_one_measurement_of_the_very_same_inputs() -> None:
    record = cost.shipped()
    assert [(one.length, one.way) for one in record.measured] == [
        (length, way) for length in cost.LENGTHS for way in (EXPLICIT, FUSED)
    ]
    assert record.machine
    assert record.threads == 1
    for one in record.measured[:8]:  # up to 512; what PyTorch holds is the same on every machine, buffers aside
        here = peak_bytes(cost.WAYS[one.way], *cost.inputs(one.length))
        assert here == (one.bytes if one.way == EXPLICIT else pytest.approx(one.bytes, rel=0.5))
    times = [one.seconds for one in record.measured if one.way == EXPLICIT]
    assert times == sorted(times)
    assert 1.7 < slope(cost.LENGTHS[-3:], times[-3:]) < 3  # the square, and what it takes to move more
