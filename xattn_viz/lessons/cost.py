"""What cross-attention costs on this machine: time and memory against length, explicit and fused.

Explicit is `layer.scaled_dot_product_attention`, which holds scores and weights `[query, key]`. Fused is PyTorch's own,
which on a processor goes through the keys in blocks and never holds all scores (Dao et al. 2022, FlashAttention).
"""

from __future__ import annotations

import json
import math
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from xattn_viz.attention.layer import scaled_dot_product_attention

LENGTHS = (64, 128, 256, 512, 1024, 2048)
HEADS, D_K, SEED = 4, 64, 0
#: Each is run at least and at most so often, and not again after so many seconds.
FEWEST_RUNS, MOST_RUNS, ENOUGH_SECONDS = 3, 15, 0.3

_PROFILING = threading.Lock()  # PyTorch has one profiler a process


@dataclass(frozen=True)
class Measured:
    """One way at one length: seconds of the fastest call, and the most bytes that PyTorch held beside q, k and v.

    There are as many queries as keys, `length` of each; the output is among the bytes.
    """

    way: str
    length: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Record:
    """What was measured once on a machine: which one, when, with which PyTorch and on how many threads.

    Each time is the fastest of so many `rounds` of `measure`.
    """

    machine: str
    date: str
    torch: str
    threads: int
    rounds: int
    measured: tuple[Measured, ...]


def shipped() -> Record:
    """What comes with the package; `python -m scripts.lesson_cost` measures it anew."""
    said = json.loads((files(__package__) / "cost.json").read_bytes())
    return Record(**{**said, "measured": tuple(Measured(**one) for one in said["measured"])})


def measure(lengths: Sequence[int] = LENGTHS) -> Generator[Measured]:
    """Measure both ways at each length, one after the other: a short one first, so that what comes is seen early.

    q, k and v are `[1, HEADS, length, D_K]` in float32, without gradients.
    """
    for length in lengths:
        q, k, v = inputs(length)
        for way, attend in WAYS.items():
            yield Measured(way, length, seconds(attend, q, k, v), peak_bytes(attend, q, k, v))


def inputs(length: int) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v `[1, HEADS, length, D_K]`, always the same."""
    generator = torch.Generator().manual_seed(SEED)
    q, k, v = torch.randn(3, 1, HEADS, length, D_K, generator=generator)
    return q, k, v


def seconds(run: Callable[..., object], *args: object) -> float:
    """The fastest of a few calls after one that does not count, in seconds of the wall clock.

    Other work on the machine can only make a call slower, so the fastest one says most about the call itself.
    """
    taken: list[float] = []
    with torch.inference_mode():
        run(*args)
        while len(taken) < FEWEST_RUNS or (len(taken) < MOST_RUNS and sum(taken) < ENOUGH_SECONDS):
            begin = time.perf_counter()
            run(*args)
            taken.append(time.perf_counter() - begin)
    return min(taken)


def peak_bytes(run: Callable[..., object], *args: object) -> int:
    """The most bytes that PyTorch's allocator held at once during a call, over what it held before.

    Read off its profiler, which notes every allocation and release, those inside a fused kernel too. What a library
    allocates past PyTorch is not seen.
    """
    with _PROFILING, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        # One cycle: without `acc_events` torch 2.10 warns that it would forget those before.
        watched = profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True)
        with torch.inference_mode(), watched as profiler:
            run(*args)
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    noted = sorted((event["ts"], event["args"]["Bytes"]) for event in events if event.get("name") == "[memory]")
    held = most = 0
    for _, change in noted:
        held += change
        most = max(most, held)
    return most


def threads() -> int:
    """On how many threads PyTorch computes here."""
    return torch.get_num_threads()


def slope(lengths: Sequence[float], values: Sequence[float]) -> float:
    """The exponent p of the least-squares fit value = c · lengthᵖ: the slope of the line on log axes.

    Raises ValueError below two lengths, where there is no slope.
    """
    if len(lengths) < 2:
        raise ValueError(f"A slope needs at least two lengths: got {len(lengths)}.")
    xs, ys = ([math.log(value) for value in values_] for values_ in (lengths, values))
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - x_mean) ** 2 for x in xs)


def theory(lengths: Sequence[int], through: tuple[float, float], power: int) -> list[float]:
    """c · length to a power at `lengths`, with c so that it goes through a (length, value)."""
    return [through[1] * (length / through[0]) ** power for length in lengths]


def snippet(length: int) -> str:
    """A script that prints the bytes that each way holds at the peak, and its milliseconds."""
    return f"""\
from xattn_viz.lessons.cost import WAYS, inputs, peak_bytes, seconds

q, k, v = inputs({length})  # [1, head, length, d_k]
for way, attend in WAYS.items():
    print(way, peak_bytes(attend, q, k, v), "bytes", seconds(attend, q, k, v) * 1000, "ms")
"""


EXPLICIT, FUSED = "explicit softmax", "fused (PyTorch)"
WAYS: dict[str, Callable[..., object]] = {
    EXPLICIT: scaled_dot_product_attention,
    FUSED: nn.functional.scaled_dot_product_attention,
}
