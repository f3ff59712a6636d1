"""Measure what the section Cost of the page Layer draws first: `python -m scripts.lesson_cost`, on a quiet machine."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from xattn_viz.lessons import cost

ROUNDS = 5
FILE = Path(cost.__file__).with_name("cost.json")


def machine() -> str:
    """The processor by its own name, where the system says it, and how many of its cores there are."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    """Measure and write. Rounds on the same machine on the same day are added to those that are written already."""
    torch.set_num_threads(1)  # as many as everybody has
    # Of several rounds the fastest time counts: other work on the machine only adds to it.
    rounds = [tuple(cost.measure()) for _ in range(ROUNDS)]
    where = (machine(), f"{datetime.now(UTC):%Y-%m-%d}", torch.__version__.split("+")[0], 1)
    count = ROUNDS
    if FILE.is_file():
        before = cost.shipped()
        if (before.machine, before.date, before.torch, before.threads) == where:
            rounds.append(before.measured)
            count += before.rounds
    fastest = tuple(min(same, key=lambda one: one.seconds) for same in zip(*rounds, strict=True))
    FILE.write_text(json.dumps(asdict(cost.Record(*where, count, fastest)), indent=1) + "\n", encoding="utf-8")
    for one in fastest:
        print(f"{one.way}, {one.length}: {one.seconds * 1e3:.3f} ms, {one.bytes / 1e6:.3f} MB")


if __name__ == "__main__":
    main()
