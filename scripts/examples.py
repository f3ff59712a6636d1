"""Remake the precomputed traces of the examples: `python -m scripts.examples`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xattn_viz import examples
from xattn_viz.analysis.head_measures import grid_of, linked_sums, quotient
from xattn_viz.core.store import save
from xattn_viz.core.trace import Trace
from xattn_viz.examples import ALL, EXAMPLES, HINTS, Example, SpeechExample, clips
from xattn_viz.models import registry
from xattn_viz.shapes import draw


def make(example: Example | SpeechExample) -> Trace:
    """Trace an example: a sentence with queries and keys, a clip without padding and as float16."""
    model = registry.load(example.model)
    if isinstance(example, Example):
        return model.trace(example.text, keep_projections=True)
    trace = model.trace(clips.sound(example.slug), crop=True)
    # Frames of sound are many, and a file of float32 would be twice as large. Halves are off by at most 0.00025.
    halves = replace(trace.cross, weights=trace.cross.weights.astype(np.float16))
    return replace(trace, maps=(halves,))


def make_about(name: str) -> Trace:
    """Trace what the page About shows besides (`examples.load_about`)."""
    if name == "whole":
        first = EXAMPLES[0]
        trace = registry.load(first.model).trace(first.text, kinds=("cross", "encoder"))
        sums = linked_sums(trace)
        of = trace.cross.kind, trace.cross.layers
        said = {"links": "xv.align (silver: a recipe that reads some of these heads)"}
        grids = [
            grid_of(name, of, quotient(sums[name]), "Of this one sentence", said)
            for name in ("alignment", "alignment-previous")
        ]
        return trace.with_evidence(*grids)
    told = HINTS[0]
    options: dict[str, Any] = dict(told.options)
    return registry.load(told.model).trace(draw(told.scene), kinds=("cross", "decoder"), **options)


FOLDER = Path(examples.__file__).parent


def main(folder: Path = FOLDER) -> None:
    """Trace every example and write each to `folder`, saying what came out."""
    for example in ALL:
        trace = make(example)
        path = folder / f"{example.slug}.npz"
        save(trace, path)
        source = trace.input if isinstance(trace.input, str) else "(speech)"
        print(f"{path.name}: {source} → {trace.output} ({path.stat().st_size:,} bytes)")
    for name in ("whole", "sources"):
        save(make_about(name), folder / f"about-{name}.npz")


if __name__ == "__main__":
    main()
