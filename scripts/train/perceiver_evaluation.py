"""What the Perceiver can do, measured as the page runs it, on scenes that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.train.evaluation import UNSEEN
from xattn_viz.models import perceiver
from xattn_viz.models.base import Adapter
from xattn_viz.models.perceiver.answers import things
from xattn_viz.scenes import Scene, chance, draw
from xattn_viz.scenes.places import name, right

COUNT = 500


def places(folder: Path) -> dict[str, Any]:
    """What `measured` says of the model in a folder, on `COUNT` unseen scenes and on the first 50 of them."""
    model, scenes = perceiver.load(str(folder)), unseen(COUNT)
    return {"unseen_scenes": COUNT, **measured(model, scenes), "of_the_first_50": measured(model, scenes[:50])}


def unseen(count: int) -> list[Scene]:
    """Scenes that judge, always the same."""
    random = np.random.default_rng(UNSEEN)
    return [chance.scene(random) for _ in range(count)]


def measured(model: Adapter, scenes: Sequence[Scene]) -> dict[str, float]:
    """The share of places answered right, of those inside things, and of scenes.

    "scenes_exact" are those with every place right, "scenes_named" those whose things are all found with their colour
    and shape, and nothing besides.
    """
    found, exact, named = [], 0, 0
    for scene in scenes:
        answers = [label for label, _ in model.trace(draw(scene)).provenance["answers"]]
        found.append(right(answers, scene))
        exact += found[-1].places == found[-1].of_places
        grid = np.array(answers).reshape(round(len(answers) ** 0.5), -1)
        named += sorted(label for label, _ in things(grid)) == sorted(map(name, scene.things))
    return {
        "places": sum(one.places for one in found) / sum(one.of_places for one in found),
        "places_inside": sum(one.inside for one in found) / sum(one.of_inside for one in found),
        "scenes_exact": exact / len(scenes),
        "scenes_named": named / len(scenes),
    }
