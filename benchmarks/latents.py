"""Where the latents of `perceive-shapes` look, and who reads them: numbers for the docs, over unseen scenes.

For each head of the encoding cross-attention: how much of the weight lies on patches in things, and how many times
their share of the area that is. Reach: over how many of the 144 patches a latent spreads, as 2 to the entropy of its
row in bits; and the same of the mean of its rows over all scenes, which stays small where a latent is bound to a region
and reaches far where it goes after what there is. For the decoding cross-attention, the mean of its heads: how much of
their weight the latents that a place reads put on the thing at that place, against all latents alike.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from xattn_viz.models import registry
from xattn_viz.shapes import draw
from xattn_viz.shapes.judge import at_places
from xattn_viz.shapes.scene import random_scene

SEED, SCENES = 90_003, 500

Array = NDArray[np.float64]


def main() -> None:
    """Measure, and print a table in Markdown."""
    torch.set_num_threads(1)
    adapter, random = registry.load("perceive-shapes"), np.random.default_rng(SEED)
    weights, filled, read = [], [], list[tuple[float, float]]()
    for _ in range(SCENES):
        scene = random_scene(random)
        trace = adapter.trace(draw(scene), kinds=("cross", "decoder"))
        cross, asked = (maps.weights[0].astype(np.float64) for maps in trace.maps)  # [head, query, key]
        there = at_places(scene, (trace.cross.keys.grid or (0, 0))[0])
        weights.append(cross)
        filled.append(np.array([thing is not None for thing in there]))
        for thing in scene.things:
            inside = np.array([each is thing for each in there])
            on_it = cross.mean(0) @ inside  # [latent]
            read += [(float(row @ on_it), float(on_it.mean())) for row in asked.mean(0)[inside]]
    print("| head | on things | of area | reach in one picture | reach over all pictures |\n|---|---:|---:|---:|---:|")
    every, area = np.stack(weights), float(np.mean(filled))  # [scene, head, latent, patch]
    on_things = np.einsum("shlp,sp->h", every, np.stack(filled)) / (SCENES * every.shape[2])
    for head, share in enumerate(on_things):
        alone, together = reach(every[:, head]).mean(), reach(every[:, head].mean(0)).mean()
        print(f"| {head + 1} | {share:.3f} | × {share / area:.1f} | {alone:.1f} | {together:.1f} |")
    chosen, alike = np.mean(read, 0)
    print(f"\nThings hold {area:.3f} of the patches. {len(read)} places in things: the latents that they read put")
    print(f"{chosen:.3f} of their weight on that very thing, all latents alike {alike:.3f} (× {chosen / alike:.1f}).")


def reach(rows: Array) -> Array:
    """2 to the entropy of each row `[..., patch]`: over how many patches it spreads."""
    reached: Array = 2.0 ** -(rows * np.log2(np.maximum(rows, 1e-30))).sum(-1)
    return reached


if __name__ == "__main__":
    main()
