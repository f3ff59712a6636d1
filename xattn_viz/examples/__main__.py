"""Remake the precomputed traces beside this file: `python -m xattn_viz.examples`."""

from __future__ import annotations

from pathlib import Path

from xattn_viz.examples import EXAMPLES, Example
from xattn_viz.models import registry
from xattn_viz.store import save
from xattn_viz.trace import Trace


def make(example: Example) -> Trace:
    """Trace an example's sentence, queries and keys included."""
    return registry.load(example.model).trace(example.text, keep_projections=True)


def main(folder: Path = Path(__file__).parent) -> None:
    """Trace every example and write each to `folder`, saying what came out."""
    for example in EXAMPLES:
        trace = make(example)
        path = folder / f"{example.slug}.npz"
        save(trace, path)
        print(f"{path.name}: {trace.input} → {trace.output} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
