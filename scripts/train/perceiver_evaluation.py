"""What the Perceiver can do, measured as the page runs it, on scenes that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.train.evaluation import UNSEEN
from xattn_viz.models.base import Adapter
from xattn_viz.models.families import perceiver
from xattn_viz.models.families.perceiver.adapter import things
from xattn_viz.shapes import Scene, draw
from xattn_viz.shapes.judge import at_places, count_right, label_of
from xattn_viz.shapes.scene import random_scene

COUNT = 500


def places(folder: Path) -> dict[str, Any]:
    """What `measured` says of the model in a folder, on `COUNT` unseen scenes and on the first 50 of them.

    Also the share of scenes named right by how many things they hold.
    """
    model, scenes = perceiver.FAMILY.load(str(folder)), unseen(COUNT)
    by_things = {
        str(number): measured(model, [scene for scene in scenes if len(scene.things) == number])["scenes_named"]
        for number in (1, 2, 3)
    }
    whole, first = measured(model, scenes), measured(model, scenes[:50])
    return {"unseen_scenes": COUNT, **whole, "scenes_named_by_things": by_things, "of_the_first_50": first}


def unseen(count: int) -> list[Scene]:
    """Scenes that judge, always the same."""
    random = np.random.default_rng(UNSEEN)
    return [random_scene(random) for _ in range(count)]


def measured(model: Adapter, scenes: Sequence[Scene]) -> dict[str, float]:
    """The share of places answered right, of those inside things, and of scenes.

    "scenes_exact" are those with every place right, "scenes_named" those whose things are all found with their colour
    and shape, and nothing besides; "wrong_at_edges" is the share of the wrong places beside which something else lies.
    """
    found, exact, named, wrong, at_edges = [], 0, 0, 0, 0
    for scene in scenes:
        answers = [answer.text for answer in model.trace(draw(scene)).answers]
        found.append(count_right(answers, scene))
        exact += found[-1].places == found[-1].of_places
        grid = np.array(answers).reshape(round(len(answers) ** 0.5), -1)
        named += sorted(label for label, _ in things(grid)) == sorted(map(label_of, scene.things))
        truth = np.array([label_of(thing) for thing in at_places(scene, len(grid))]).reshape(grid.shape)
        wrong += int((grid != truth).sum())
        at_edges += int(((grid != truth) & edges(truth)).sum())
    return {
        "places": sum(one.places for one in found) / sum(one.of_places for one in found),
        "places_inside": sum(one.inside for one in found) / sum(one.of_inside for one in found),
        "scenes_exact": exact / len(scenes),
        "scenes_named": named / len(scenes),
        "wrong_at_edges": at_edges / max(wrong, 1),
    }


def edges(truth: NDArray[np.str_]) -> NDArray[np.bool_]:
    """The places `[row, column]` of whose eight neighbours one holds something else."""
    rows, columns = truth.shape
    around = np.pad(truth, 1, mode="edge")
    neighbours = [around[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    differs: NDArray[np.bool_] = np.any([each != truth for each in neighbours], axis=0)
    return differs
