"""A scene and what a model says of it as a script for a notebook."""

from __future__ import annotations

from collections.abc import Mapping

from xattn_viz.shapes.scene import Scene


def snippet(scene: Scene, model: str, options: Mapping[str, str | bool] | None = None) -> str:
    """A script that draws the scene, lets a model caption it and prints where each word looked most.

    `options` are keywords of its `trace`.
    """
    said = "".join(f", {name}={value!r}" for name, value in (options or {}).items())
    things = [
        f"    Thing({thing.colour!r}, {thing.shape!r}, x={thing.x:g}, y={thing.y:g}, radius={thing.radius:g}),"
        for thing in scene.things
    ]
    lines = [
        "import xattn_viz as xv",
        "from xattn_viz.shapes import Scene, Thing, draw",
        "",
        "scene = Scene((",
        *things,
        "))",
        f"trace = xv.load({model!r}).trace(draw(scene){said})",
        "print(trace.output)",
        "cross = trace.cross  # weights [layer, head, token, patch], counted from 0",
        "for token, weights in enumerate(cross.weights.mean((0, 1))):",
        "    print(cross.queries.name(token), cross.keys.name(weights.argmax()))",
    ]
    return "\n".join(lines) + "\n"
