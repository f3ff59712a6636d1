"""Where the words of `caption-shapes` look: a table for the docs, over scenes that the model has never seen.

Of 500 scenes by chance those count whose caption is written right; in each, the words for size, colour and shape of
each thing. Pointing: how often the middle of the brightest patch lies in the box around the thing that the word is of.
Share: how much of the weight on patches lies in that box; and how many times its share of the area that is. Nothing in
training said where to look.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch

from xattn_viz.analysis.localization import Share, share
from xattn_viz.models import registry
from xattn_viz.scenes import SHAPES, Scene, Thing, caption, chance, draw
from xattn_viz.trace import Trace

SEED, SCENES = 90_002, 500
KINDS = ("shape", "colour", "size")


def named(trace: Trace, scene: Scene) -> list[tuple[str, int, Thing]]:
    """The words of a right caption that are of a thing, which it names by size, colour and shape: kind, row, thing."""
    labels = [label.strip() for label in trace.cross.queries.labels or ()]
    found = []
    for row, label in enumerate(labels):
        alike = [t for t in scene.things if [t.size, t.colour, t.shape] == labels[row - 2 : row + 1]]
        if label in SHAPES and len(alike) == 1:  # of two that are called the same no word says which it is of
            found += [("size", row - 2, alike[0]), ("colour", row - 1, alike[0]), ("shape", row, alike[0])]
    return found


def main() -> None:
    """Measure, and print the table in Markdown."""
    torch.set_num_threads(1)
    adapter, random = registry.load("caption-shapes"), np.random.default_rng(SEED)
    shares: dict[tuple[str, int | None, int | None], list[Share]] = defaultdict(list)
    right = words = 0
    maps = None
    for _ in range(SCENES):
        scene = chance.scene(random)
        trace = adapter.trace(draw(scene))
        if trace.output != caption(scene):
            continue
        right, maps = right + 1, trace.cross
        for kind, row, thing in named(trace, scene):
            words += 1
            for layer, head in which(len(maps.layers), maps.n_heads):
                shares[kind, layer, head].append(share(maps, layer, head, row, thing.box))
    assert maps is not None
    print(f"{right} of {SCENES} captions right, {words} words of a thing; layers and heads counted from 1.\n")
    print("| layer, head |" + "".join(f" {kind}: pointing | {kind}: share | {kind}: of area |" for kind in KINDS))
    print("|---|" + "---:|---:|---:|" * len(KINDS))
    for layer, head in which(len(maps.layers), maps.n_heads):
        cells = []
        for kind in KINDS:
            found = shares[kind, layer, head]
            weight, area = (float(np.mean([getattr(one, name) for one in found])) for name in ("weight", "area"))
            cells += [f"{np.mean([one.hit for one in found]):.1%}", f"{weight:.3f}", f"× {weight / area:.1f}"]
        print(f"| {title(layer, head)} | " + " | ".join(cells) + " |", flush=True)


def which(layers: int, heads: int) -> list[tuple[int | None, int | None]]:
    """Every head, the mean over the heads of each layer, and over all."""
    each: list[tuple[int | None, int | None]] = [(layer, head) for layer in range(layers) for head in range(heads)]
    return [*each, *((layer, None) for layer in range(layers)), (None, None)]


def title(layer: int | None, head: int | None) -> str:
    """What a row of the table is called."""
    if layer is None:
        return "mean of all"
    return f"{layer + 1}, mean" if head is None else f"{layer + 1}, {head + 1}"


if __name__ == "__main__":
    main()
