"""Word alignment: what it costs beside the two traces that it is read off, and P, R, F1 and AER on the pairs by hand.

The pairs are those of `xattn_viz/analysis/en_pt_by_hand.tsv`, all of them, and nothing is picked on any. The table is
that of docs/alignment.md.
"""

from __future__ import annotations

import torch

import xattn_viz as xv
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.analysis.alignment_files import read_gold
from xattn_viz.analysis.alignment_heads import BY_HAND
from xattn_viz.analysis.alignment_score import Score
from xattn_viz.core.evidence import LinkMethod

ROUNDS = 9


def main() -> None:
    """Measure, and print."""
    torch.set_num_threads(1)
    en_pt, pt_en = xv.load("firefox-en-pt"), xv.load("firefox-pt-en")
    pairs = [(" ".join(pair.source_words), " ".join(pair.target_words)) for pair in read_gold(BY_HAND)]
    traces = [(en_pt.trace(en, target=pt), pt_en.trace(pt, target=en)) for en, pt in pairs]
    found = interleaved(
        {
            "traces": lambda: seconds(
                lambda: [(en_pt.trace(en, target=pt), pt_en.trace(pt, target=en)) for en, pt in pairs]
            ),
            "links": lambda: seconds(lambda: [xv.align(ahead, reverse=back) for ahead, back in traces]),
        },
        ROUNDS,
    )
    each = {name: milliseconds([value / len(pairs) for value in values]) for name, values in found.items()}
    details = f"{each['links']} beside {each['traces']} a pair, {len(pairs)} pairs, {ROUNDS} rounds"
    figure("linking / its two traces", paired_ratio(found["links"], found["traces"]), at_most=0.2, details=details)

    print("\n| | P | R | F1 | | AER |\n|---|---|---|---|---|---|")
    whole = xv.score(BY_HAND, en_pt, pt_en, pick_on=0)
    for name in ("recipe", "one model", "one model, reverse"):
        line(name, whole[name])
    methods: tuple[LinkMethod, ...] = ("intersection", "grow-diag-final-and", "union")
    for method in methods:
        line(method, xv.score(BY_HAND, en_pt, pt_en, pick_on=0, method=method)["recipe"])
    largest = xv.score(BY_HAND, en_pt, pick_on=0, method="argmax", heads=[(1, 0)], signs="free")
    line("most_attended, layer 2, head 1", largest["recipe"])


def line(name: str, score: Score) -> None:
    """Print a row of the table, with the interval of F1."""
    p, r, f1, aer = (f"{value:.3f}" for value in score.rates)
    print(f"| {name} | {p} | {r} | {f1} | {score.low.f1:.3f}–{score.high.f1:.3f} | {aer} |", flush=True)


if __name__ == "__main__":
    main()
