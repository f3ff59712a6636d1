"""What each head costs, against reading the same output once: the whole grid of a sentence, and of 11 s of speech.

Ours is `head_costs`: the output is read again once with all heads and once without each head of cross-attention, 16 of
the translation model and 24 of Whisper tiny.en. The peer is one teacher-forced pass of the same model over the same
source and output (`force` with no change): source encoded, output read, every token scored. To reach: at most 4 such
passes for the 16 heads and at most 6 for the 24. Both take turns in one process on one thread; of each sentence the
median of the rounds counts, and of all sentences the median ratio.

Reported besides: the same heads one after the other by `trace` with `ablate`, which is how it is done by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.analysis.head_costs import head_costs
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter

SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
ROUNDS, EVERY = 5, 4  # every fourth sentence
CLIP_ROUNDS = 7


def ways(model: Adapter, trace: Trace) -> dict[str, Callable[[], object]]:
    """The ways by name, on one trace."""
    return {
        "grid": partial(head_costs, model, trace),
        "one pass": partial(model.force, trace, [[]]),
        "one by one": partial(one_by_one, model, trace),
    }


def one_by_one(model: Adapter, trace: Trace) -> list[Trace]:
    """The output scored anew with each head switched off, one run after the other."""
    ids = [step.id for step in trace.steps]
    heads = [(layer, head) for layer, count in enumerate(model.size.heads["cross"]) for head in range(count)]
    return [model.trace(trace, prefix=ids, ablate=[("cross", *head)]) for head in heads]


def measure(model: Adapter, traces: list[Trace], rounds: int) -> dict[str, list[float]]:
    """The times of each way: of several traces the median of each, of one trace every round."""
    times: dict[str, list[float]] = {}
    for trace in traces:
        measures = {name: partial(seconds, run) for name, run in ways(model, trace).items()}
        interleaved(measures, 1)  # warm
        for name, values in interleaved(measures, rounds).items():
            times.setdefault(name, []).extend(values if len(traces) == 1 else [median(values)])
    return times


def report(what: str, times: dict[str, list[float]], at_most: float) -> None:
    """Print the figures of one model."""
    said = {name: milliseconds(values) for name, values in times.items()}
    ratio = paired_ratio(times["grid"], times["one pass"])
    figure(f"{what} / one pass", ratio, at_most=at_most, details=f"medians {said['grid']} and {said['one pass']}")
    figure(
        f"{what}, one head after the other / one pass",
        paired_ratio(times["one by one"], times["one pass"]),
        details=f"median {said['one by one']}",
    )


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    translator: Any = registry.load("firefox-en-pt")
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()[::EVERY]
    traces = [translator.trace(sentence) for sentence in sentences]
    report(f"16 heads, {len(traces)} sentences", measure(translator, traces, ROUNDS), 4)
    ears: Any = registry.load("whisper-tiny-en")
    report("24 heads, 11 s of speech", measure(ears, [ears.trace(clips.sound("muted"))], CLIP_ROUNDS), 6)


if __name__ == "__main__":
    main()
