"""How much the words of a caption read from the picture and from the hint: a table for the docs, for both models.

200 grey scenes that the models have never seen, each with a hint that says the colour of every shape; those count whose
caption is written right. Weight: the share of a word's weight on the hint, mean over the heads of each cross-attention,
where picture and hint share a softmax. Falls: by how much the log-probability of the word falls when the hint is
emptied, or the picture is blank paper, while the words before it stay.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray

from xattn_viz.analysis.heads import has_one_part_per_layer, part_names, weight_by_part
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter
from xattn_viz.models.families.captioner import HINT_PART, JOINS, PICTURE_PART
from xattn_viz.models.families.captioner.hinted import HintedAdapter
from xattn_viz.shapes import COLOURS, SHAPES, Scene, draw
from xattn_viz.shapes.prompts import hint, hinted_caption, things_of_unique_shape
from xattn_viz.shapes.scene import random_scene

SEED, SCENES = 90_004, 200
KINDS = {"colour": tuple(COLOURS), "shape": SHAPES, "size": ("small", "large"), "relation": ("above", "left")}


def main() -> None:
    """Measure, and print the table in Markdown."""
    torch.set_num_threads(1)
    scenes = list(tellable(np.random.default_rng(SEED)))
    measured = {name: measure(registry.load(name), scenes) for name in JOINS}
    print("\n| model | words | weight on the hint, by layer | falls without the hint | falls without the picture |")
    print("|---|---|---:|---:|---:|")
    for name, found in measured.items():
        for kind, rows in found.items():
            weights, *falls = (np.array(column) for column in zip(*rows, strict=True))
            said = "–" if np.isnan(weights).all() else ", ".join(f"{share:.2f}" for share in weights.mean(0))
            cells = [said, *(f"{fall.mean():.2f}" for fall in falls)]
            print(f"| `{name}` | {kind} ({len(rows)}) | " + " | ".join(cells) + " |", flush=True)


def measure(adapter: Adapter, scenes: list[Scene]) -> dict[str, list[tuple[NDArray[np.float64], float, float]]]:
    """For each kind of word, each such word's share of weight on the hint by layer, and how far it falls without each.

    Without a common softmax there is no share: NaN.
    """
    assert isinstance(adapter, HintedAdapter)
    found: dict[str, list[tuple[NDArray[np.float64], float, float]]] = defaultdict(list)
    right = 0
    for scene in scenes:
        colours = {thing.shape: thing.colour for thing in scene.things}
        trace = adapter.trace(draw(scene), hint=hint(colours), grey=True)
        if trace.output != hinted_caption(scene, colours, grey=True):
            continue
        right += 1
        falls, cross = adapter.drops(trace), trace.cross
        shares = weight_by_part(cross).mean(1)[..., part_names(cross).index(HINT_PART)]  # [layer, query]
        shares = np.full_like(shares, np.nan) if has_one_part_per_layer(cross) else shares
        for row, label in enumerate(cross.queries.labels or ()):
            for kind, words in KINDS.items():
                if label.strip() in words:
                    found[kind].append((shares[:, row], falls[HINT_PART][row], falls[PICTURE_PART][row]))
    print(f"{adapter.card.name}: {right} of {len(scenes)} captions right.")
    return {kind: found[kind] for kind in KINDS}


def tellable(random: np.random.Generator) -> list[Scene]:
    """Scenes in which no shape occurs twice, so that a hint can say all colours."""
    found: list[Scene] = []
    while len(found) < SCENES:
        scene = random_scene(random)
        if len(things_of_unique_shape(scene)) == len(scene.things):
            found.append(scene)
    return found


if __name__ == "__main__":
    main()
