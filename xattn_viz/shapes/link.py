"""A scene as a few characters that fit into an address, such as "red-circle-30-45-17_blue-square-70-50-10".

Each thing is its colour, its shape, and x, y and radius in hundredths of the paper's width. The paper is the usual one.
"""

from __future__ import annotations

import re

from xattn_viz.core.messages import quoted
from xattn_viz.shapes.scene import Scene, Thing

#: The most things that a scene of the page holds: the models know no more.
MOST = 3
_THING = re.compile(r"([a-z]{1,9})-([a-z]{1,9})-([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,2})", re.ASCII)


def to_link(scene: Scene) -> str:
    """The characters of a scene; places and radii are rounded to hundredths of the paper's width."""
    return "_".join(
        "-".join([thing.colour, thing.shape, *(str(round(100 * value)) for value in (thing.x, thing.y, thing.radius))])
        for thing in scene.things
    )


def from_link(text: str) -> Scene:
    """The scene of such characters. Raises ValueError where they are no scene of one to `MOST` things."""
    parts = text.split("_", MOST)
    if len(parts) > MOST:
        raise ValueError(f"A scene holds at most {MOST} things.")
    return Scene(tuple(map(_thing, parts)))


def _thing(text: str) -> Thing:
    found = _THING.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is no thing of a scene: write it as red-circle-30-45-17.")
    x, y, radius = (int(number) / 100 for number in found.groups()[2:])
    return Thing(found[1], found[2], x, y, radius)
