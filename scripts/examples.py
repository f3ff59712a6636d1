"""Remake the precomputed traces of the examples: `python -m scripts.examples`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from xattn_viz import examples
from xattn_viz.core.store import save
from xattn_viz.core.trace import Trace
from xattn_viz.examples import ALL, Example, SpeechExample, clips
from xattn_viz.models import registry


def make(example: Example | SpeechExample) -> Trace:
    """Trace an example: a sentence with queries and keys, a clip without padding and as float16."""
    model = registry.load(example.model)
    if isinstance(example, Example):
        return model.trace(example.text, keep_projections=True)
    trace = model.trace(clips.sound(example.slug), crop=True)
    # Frames of sound are many, and a file of float32 would be twice as large. Halves are off by at most 0.00025.
    halves = replace(trace.cross, weights=trace.cross.weights.astype(np.float16))
    return replace(trace, maps=(halves,))


FOLDER = Path(examples.__file__).parent


def main(folder: Path = FOLDER) -> None:
    """Trace every example and write each to `folder`, saying what came out."""
    for example in ALL:
        trace = make(example)
        path = folder / f"{example.slug}.npz"
        save(trace, path)
        source = trace.input if isinstance(trace.input, str) else "(speech)"
        print(f"{path.name}: {source} → {trace.output} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
