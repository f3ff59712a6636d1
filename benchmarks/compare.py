"""What comparing two sentences costs beside tracing them: aligned, changes in words, both packed for the page.

Pairs of neighbouring sentences of the tests on firefox-en-pt, as the page traces them: two traces against `compare`,
`changes` and `explorer.pack` with both. In turn, round by round. To reach: at most 1, so that comparing costs no more
than the two traces. Reported besides: what packing both takes against packing the first alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.analysis.compare import compare
from xattn_viz.models import registry
from xattn_viz.web.explorer import pack

SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
ROUNDS = 5


def _each(run: Callable[[], None], count: int) -> float:
    """Seconds of each of so many."""
    return seconds(run) / count


def main() -> None:
    """Measure, and print the figures."""
    model = registry.load("firefox-en-pt")
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()
    pairs = list(zip(texts[::2], texts[1::2], strict=False))
    traced = [
        (model.trace(one, keep_projections=True), model.trace(other, keep_projections=True)) for one, other in pairs
    ]

    def trace() -> None:
        for one, other in pairs:
            model.trace(one, keep_projections=True)
            model.trace(other, keep_projections=True)

    def both() -> None:
        for one, other in traced:
            compare(one, other).changes()
            pack(one, beside=other)

    def alone() -> None:
        for one, _ in traced:
            pack(one)

    runs = {"trace": trace, "both": both, "alone": alone}
    times = interleaved({name: partial(_each, run, len(pairs)) for name, run in runs.items()}, ROUNDS)
    said = f"{len(pairs)} pairs, {ROUNDS} rounds, {milliseconds(times['both'])} and {milliseconds(times['trace'])}"
    ratio = paired_ratio(times["both"], times["trace"])
    figure("comparing two sentences / tracing them", ratio, at_most=1, details=said)
    said = f"medians {milliseconds(times['both'])} and {milliseconds(times['alone'])}"
    figure("the same / packing the first alone", median(times["both"]) / median(times["alone"]), details=said)


if __name__ == "__main__":
    main()
