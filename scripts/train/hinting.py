"""Hints by chance, for training: none, of some things or all, also of what is not there."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from xattn_viz.shapes import COLOURS, SHAPES, Scene
from xattn_viz.shapes.prompts import things_of_unique_shape

#: The shares of hints that say nothing, that name every thing they can, and that name a shape which is not there; of
#: colours that are not those to be seen.
SILENT, WHOLE, ABSENT, UNTRUE = 0.25, 0.5, 0.3, 0.5


def colours_said(scene: Scene, grey: bool, random: np.random.Generator) -> dict[str, str]:
    """What a hint says by chance: the colour of each shape that it names, in any order."""
    if random.random() < SILENT:
        return {}
    whole = random.random() < WHOLE
    named = [thing for thing in things_of_unique_shape(scene) if whole or random.random() < 0.5]
    told = {thing.shape: _any(COLOURS, random) if grey or random.random() < UNTRUE else thing.colour for thing in named}
    if random.random() < ABSENT:
        there = {thing.shape for thing in scene.things}
        told[_any([shape for shape in SHAPES if shape not in there], random)] = _any(COLOURS, random)
    order = random.permutation(len(told))
    return dict([list(told.items())[i] for i in order])


def _any(names: Collection[str], random: np.random.Generator) -> str:
    return str(list(names)[random.integers(len(names))])
