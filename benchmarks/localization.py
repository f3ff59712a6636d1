"""Where the words of `caption-shapes` look, and where those of `draw-shapes` go: tables for the docs.

    python -m benchmarks.localization [caption-shapes | draw-shapes]

Of 500 unseen scenes by chance those count whose caption is written right; in each, the words for size, colour and shape
of each thing. Of 500 prompts of two things that no model was trained on, those whose picture shows what they ask for,
by `scenes.checking`; in each, the words for colour and shape of each thing, which lies where `scenes.judge` finds it.

Pointing: how often the middle of the brightest patch lies in the box around the thing that the word is of. Share: how
much of the weight on patches lies in that box; and how many times its share of the area that is. Nothing in training
said where to look.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from scripts.train.drawing_evaluation import views_of
from xattn_viz.analysis.localization import Box, Share, share
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry
from xattn_viz.shapes import COLOURS, SHAPES, Scene, Thing, caption, draw, judge, prompts
from xattn_viz.shapes.judge import mark_drawing
from xattn_viz.shapes.scene import random_scene
from xattn_viz.shapes.sentence import named

SEED, COUNT = 90_002, 500
#: The maps of one right caption or picture, and its words of things: kind, position, box of the thing.
Words = tuple[AttentionMaps, list[tuple[str, int, Box]]]


def captioned() -> Iterator[Words]:
    """The words of right captions."""
    adapter, random = registry.load("caption-shapes"), np.random.default_rng(SEED)
    for _ in range(COUNT):
        scene = random_scene(random)
        trace = adapter.trace(draw(scene))
        if trace.output == caption(scene):
            yield trace.cross, [(kind, row, thing.box) for kind, row, thing in of_things(trace, scene)]


def of_things(trace: Trace, scene: Scene) -> list[tuple[str, int, Thing]]:
    """The words of a right caption that are of a thing, which it names by size, colour and shape: kind, row, thing."""
    labels = [label.strip() for label in trace.cross.queries.labels or ()]
    found = []
    for row, label in enumerate(labels):
        alike = [t for t in scene.things if [t.size, t.colour, t.shape] == labels[row - 2 : row + 1]]
        if label in SHAPES and len(alike) == 1:  # of two that are called the same no word says which it is of
            found += [("size", row - 2, alike[0]), ("colour", row - 1, alike[0]), ("shape", row, alike[0])]
    return found


def drawn() -> Iterator[Words]:
    """The words of prompts that were drawn as asked; those of the thing that is named first apart from the other's."""
    adapter, random = registry.load("draw-shapes"), np.random.default_rng(SEED)
    for number in range(COUNT):
        prompt, _ = prompts.random_prompt(random, two=True, trained=False)
        trace = adapter.trace(prompt, seed=number)
        assert trace.picture is not None
        things = judge(trace.picture)
        if not mark_drawing(prompt, trace.picture)["fully"] or len({(t.colour, t.shape) for t in things}) < len(things):
            continue
        keys = trace.cross.keys
        words = [keys.name(i) for i in range(len(keys))]
        found = []
        for place, (position, thing) in enumerate(named(words, things)):
            kind = "colour" if words[position] in COLOURS else "shape"
            found.append((f"{kind} {1 + place // 2}", position, thing.box))
        yield trace.cross, found


def table(each: Iterator[Words], kinds: Sequence[str]) -> None:
    """Measure, and print the table in Markdown."""
    shares: dict[tuple[str, int | None, int | None], list[Share]] = defaultdict(list)
    right = words = 0
    maps = None
    for maps, found in each:
        right, words = right + 1, words + len(found)
        for kind, position, box in found:
            for layer, head in views_of(len(maps.layers), maps.n_heads):
                shares[kind, layer, head].append(share(maps, layer, head, position, box))
    assert maps is not None
    print(f"{right} of {COUNT} right, {words} words of a thing; layers and heads counted from 1.\n")
    print("| layer, head |" + "".join(f" {kind}: pointing | {kind}: share | {kind}: of area |" for kind in kinds))
    print("|---|" + "---:|---:|---:|" * len(kinds))
    for layer, head in views_of(len(maps.layers), maps.n_heads):
        cells = []
        for kind in kinds:
            measured = shares[kind, layer, head]
            weight, area = (float(np.mean([getattr(one, name) for one in measured])) for name in ("weight", "area"))
            cells += [f"{np.mean([one.hit for one in measured]):.1%}", f"{weight:.3f}", f"× {weight / area:.1f}"]
        print(f"| {title(layer, head)} | " + " | ".join(cells) + " |", flush=True)


def title(layer: int | None, head: int | None) -> str:
    """What a row of the table is called."""
    if layer is None:
        return "mean of all"
    return f"{layer + 1}, mean" if head is None else f"{layer + 1}, {head + 1}"


def main() -> None:
    """Print the table of the model that the command line names, the captioner's otherwise."""
    torch.set_num_threads(1)
    if sys.argv[1:] == ["draw-shapes"]:
        table(drawn(), ("shape 1", "shape 2", "colour 1", "colour 2"))
    else:
        table(captioned(), ("shape", "colour", "size"))


if __name__ == "__main__":
    main()
