"""Many visitors on one model: how much 1, 2, 4, 8 and 16 sessions get done together, and whether their maps are right.

The model is the Marian of `benchmarks.seq2seq`, loaded once and shared; each session is a thread that traces one
sentence after another, as the app does: behind the gate, with the cores shared out. Each way traces the same sentences;
they take turns in one process. The ratio is the throughput of the sessions together over that of one session, the
median of paired rounds. To reach: at least 0.9 for each. Reported besides: one session that may use every core.

Each map that a session gets is compared with the one that the model made of the sentence when nobody else was there;
more than 1e-6 apart (float32, the same sums) ends the benchmark.
"""

from __future__ import annotations

import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import numpy as np
import torch

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from benchmarks.seq2seq import NO_SACREMOSES, SENTENCES, write
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry, resources
from xattn_viz.models.base import Adapter

COUNTS, TEXTS, ROUNDS = (1, 2, 4, 8, 16), 16, 3
TOLERANCE = 1e-6


def together(model: Adapter, texts: list[str], sessions: int) -> list[Trace]:
    """Trace the texts, each session its share of them; all begin at once."""
    start = Barrier(sessions)

    def session(number: int) -> list[Trace]:
        start.wait()
        return [model.trace(text) for text in texts[number::sessions]]

    with ThreadPoolExecutor(sessions) as pool:
        shares = list(pool.map(session, range(sessions)))
    return [shares[i % sessions][i // sessions] for i in range(len(texts))]


def checked(model: Adapter, texts: list[str], expected: list[Trace], sessions: int) -> None:
    """The same, with every map compared."""
    for trace, alone in zip(together(model, texts, sessions), expected, strict=True):
        if trace.output != alone.output:
            raise SystemExit(f"{sessions} sessions wrote {trace.output!r} where one writes {alone.output!r}.")
        np.testing.assert_allclose(trace.cross.weights, alone.cross.weights, atol=TOLERANCE, rtol=0)


def every_core(model: Adapter, texts: list[str]) -> float:
    """Seconds of one session while PyTorch may use all cores."""
    torch.set_num_threads(resources.CORES)
    try:
        return seconds(lambda: together(model, texts, 1))
    finally:
        registry.share_cores()


def main() -> None:
    """Measure, and print the figures."""
    warnings.filterwarnings("ignore", message=NO_SACREMOSES)
    registry.share_cores()
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()[:TEXTS]
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        model = registry.load(name)
    expected = together(model, texts, 1)
    for sessions in COUNTS:
        checked(model, texts, expected, sessions)  # and warm
    measures = {f"{n}": partial(seconds, partial(together, model, texts, n)) for n in COUNTS}
    times = interleaved(measures | {"all": partial(every_core, model, texts)}, ROUNDS)
    for way in [*measures, "all"][1:]:
        said = f"{TEXTS} sentences, {ROUNDS} rounds, medians {milliseconds(times['1'])} and {milliseconds(times[way])}"
        name = "one session on every core" if way == "all" else f"{way} sessions"
        ratio = paired_ratio(times["1"], times[way])
        figure(f"throughput, {name} / one session", ratio, at_least=None if way == "all" else 0.9, details=said)


if __name__ == "__main__":
    main()
