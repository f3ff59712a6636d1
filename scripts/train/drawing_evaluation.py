"""How often `draw-shapes` draws what was asked for, judged by code that knows no model, and how well words find things.

    python -m scripts.train.drawing_evaluation FOLDER [--count N] [--guidance G] [--steps N] [--regions]

The prompts of two things are none that the model was trained on. Noise and prompts are always the same, and the
pictures are those that the page shows.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.localization import overlap
from xattn_viz.core.view import head_key
from xattn_viz.models.families import diffusion
from xattn_viz.shapes import prompts
from xattn_viz.shapes.judge import mark_drawing, with_pixels
from xattn_viz.shapes.scene import draw
from xattn_viz.shapes.sentence import named, phrase

UNSEEN = 90_002  # the seed of the prompts; the noise of each has its number for a seed
#: The least that the judge must score on true drawings for its word on the model's to count.
JUDGE = 0.98
#: What a region may end at, as shares of its maximum.
THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))

Pictures = NDArray[np.uint8]


def main() -> None:
    """Print the shares as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--guidance", type=float, default=1.0)
    asked.add_argument("--steps", type=int, default=25)
    asked.add_argument("--regions", action="store_true", help="score the regions of words instead")
    given = vars(asked.parse_args())
    measure = regions if given.pop("regions") else prompts_right
    print(json.dumps(measure(given.pop("folder"), **given), indent=2))


def prompts_right(folder: Path, count: int = 200, *, guidance: float = 1.0, steps: int = 25) -> dict[str, Any]:
    """The shares of `count` prompts of one thing and of `count` of two that are drawn right, and of what in them.

    `judge` holds the shares that true drawings of the same prompts score. Raises ValueError where that is too little
    for a judgement.
    """
    chance = np.random.default_rng(UNSEEN)
    asked = {
        "one": [prompts.random_prompt(chance, two=False) for _ in range(count)],
        "two": [prompts.random_prompt(chance, two=True, trained=False) for _ in range(count)],
    }
    said = {name: [prompt for prompt, _ in each] for name, each in asked.items()}
    painter = diffusion.FAMILY.load(str(folder))
    pixels = painter.plain(said["one"][0], steps=1).shape[0]
    truth = {
        name: shares(said[name], [draw(scene, pixels) for _, scene in each])["fully"] for name, each in asked.items()
    }
    if min(truth.values()) < JUDGE:
        raise ValueError(f"The judge is no judge: on true drawings it scores {truth}.")
    drawn = {
        name: shares(each, [painter.plain(p, seed=i, guidance=guidance, steps=steps) for i, p in enumerate(each)])
        for name, each in said.items()
    }
    return {**drawn, "judge": truth, "count": count, "guidance": guidance, "steps": steps}


def regions(folder: Path, count: int = 200, *, guidance: float = 1.0, steps: int = 25) -> dict[str, Any]:
    """How well the regions of words are those of their things: mean intersection over union, by the kind of word.

    Of `count` prompts of two different things, none trained on, those count that are drawn as asked; a thing's true
    region are the pixels that the judge gives it. The threshold of a region is a share of its maximum, chosen, as the
    best head and the best layer are, on half as many other prompts. `concept` is the thing's phrase, read apart from
    the prompt (`trace(concepts=…)`); `all` what the whole picture scores as a region; `other` what a word's region
    scores with the other thing.
    """
    painter = diffusion.FAMILY.load(str(folder))
    tried = _overlaps(painter, range(UNSEEN + 1, UNSEEN + 1 + count // 2), guidance, steps)
    measured = _overlaps(painter, range(UNSEEN + 10_000, UNSEEN + 10_000 + count), guidance, steps)
    said: dict[str, Any] = {"prompts": len(measured["picture", "all"]) // 2, "count": count, "steps": steps}
    for kind in ("colour", "shape", "concept"):
        views = sorted({view for of, view in tried if of == kind})
        best = {view: int(np.mean(tried[kind, view], 0).argmax()) for view in views}
        score = {view: float(np.mean(tried[kind, view], 0).max()) for view in views}
        heads, layers = ([view for view in views if view.count(".") == 1 and ("mean" in view) == of] for of in (0, 1))
        for name, among in (("head", heads), ("layer", layers), ("mean", ["mean"])):
            view = max(among, key=score.__getitem__)
            at = best[view]
            said[f"{kind}: {name}"] = {
                "map": view,
                "threshold": THRESHOLDS[at],
                "iou": round(float(np.mean(measured[kind, view], 0)[at]), 3),
                "other": round(float(np.mean(measured[f"{kind} other", view], 0)[at]), 3),
            }
    return {**said, "all": round(float(np.mean(measured["picture", "all"])), 3)}


def _overlaps(painter: Any, seeds: range, guidance: float, steps: int) -> dict[tuple[str, str], list[Any]]:
    """Overlaps of every word with its thing and with the other `[threshold]`, by the kind of word and the map."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for seed in seeds:
        prompt, scene = prompts.random_prompt(np.random.default_rng(seed), two=True, trained=False)
        if len({(thing.colour, thing.shape) for thing in scene.things}) < 2:
            continue
        names = [phrase(thing, sized=False) for thing in scene.things]
        trace = painter.trace(prompt, seed=seed, guidance=guidance, steps=steps, concepts=", ".join(names))
        if not mark_drawing(prompt, trace.picture)["fully"]:
            continue
        pixels = {(thing.colour, thing.shape): mask for thing, mask in with_pixels(trace.picture)}
        own = [pixels[thing.colour, thing.shape] for thing in scene.things]
        words = [trace.cross.keys.name(i) for i in range(len(trace.cross.keys))]
        places = named(words, scene.things)
        asked = [("colour" if i % 2 == 0 else "shape", trace.cross, at, i // 2) for i, (at, _) in enumerate(places)]
        asked += [("concept", trace.of_kind("concepts"), at, at) for at in range(len(names))]
        found["picture", "all"] += [float(mask.mean()) for mask in own]
        for kind, maps, at, thing in asked:
            for layer, head in views_of(len(maps.layers), maps.n_heads):
                view = head_key(layer, head)
                for name, mask in ((kind, own[thing]), (f"{kind} other", own[1 - thing])):
                    found[name, view].append(overlap(maps, layer, head, at, mask, THRESHOLDS))
    return found


def views_of(layers: int, heads: int) -> list[tuple[int | None, int | None]]:
    """Every head, the mean over the heads of each layer, and over all."""
    each: list[tuple[int | None, int | None]] = [(layer, head) for layer in range(layers) for head in range(heads)]
    return [*each, *((layer, None) for layer in range(layers)), (None, None)]


def shares(said: Sequence[str], drawn: Sequence[Pictures]) -> dict[str, float]:
    """What share of pictures is right, fully and in each respect."""
    marked = [mark_drawing(prompt, picture) for prompt, picture in zip(said, drawn, strict=True)]
    return {name: sum(each[name] for each in marked) / len(marked) for name in marked[0]}


if __name__ == "__main__":
    main()
