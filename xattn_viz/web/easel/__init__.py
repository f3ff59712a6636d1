"""A scene as what the easel's script reads, with the palette: the very outlines that `shapes.scene` fills."""

from __future__ import annotations

from typing import Any

from xattn_viz.shapes.scene import COLOURS, HOLE, MOST_THINGS, PAPER, SHAPES, Scene, outline
from xattn_viz.shapes.sentence import RADII

_ROUND = {"circle": 0.0, "ring": HOLE}  # shapes with curves, and how much of each is a hole


def pack(scene: Scene | None, turn: int | None = None) -> dict[str, Any]:
    """What to show on the easel: a scene, or blank paper for None.

    `turn` is the number of the change by which the script itself told the scene, None where it came from elsewhere:
    then the script takes it whatever it shows.
    """
    things = scene.things if scene else ()
    return {
        "things": [
            {"colour": thing.colour, "shape": thing.shape, "x": thing.x, "y": thing.y, "radius": thing.radius}
            for thing in things
        ],
        "turn": turn,
        "paper": _css(scene.paper if scene else PAPER),
        "colours": {name: _css(colour) for name, colour in COLOURS.items()},
        "shapes": {name: _ROUND[name] if name in _ROUND else outline(name) for name in SHAPES},
        "sizes": RADII,
        "most": MOST_THINGS,
    }


def _css(colour: tuple[int, int, int]) -> str:
    return f"rgb({', '.join(map(str, colour))})"
