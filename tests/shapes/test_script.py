from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest

from xattn_viz.examples import HINTS, SCENES, SceneExample
from xattn_viz.models import registry
from xattn_viz.shapes import draw
from xattn_viz.shapes.script import snippet


@pytest.mark.parametrize("example", [*SCENES, *HINTS], ids=lambda example: f"{example.slug} {example.model}")
def test_the_script_draws_the_scene_and_prints_its_caption(example: SceneExample) -> None:
    names: dict[str, Any] = {}
    options: dict[str, Any] = dict(example.options)
    printed = StringIO()
    with redirect_stdout(printed):
        exec(snippet(example.scene, example.model, options), names)  # noqa: S102
    assert names["scene"] == example.scene
    trace = registry.load(example.model).trace(draw(example.scene), **options)
    said, *rows = printed.getvalue().splitlines()
    assert said == trace.output
    weights = trace.cross.weights.mean((0, 1))
    wanted = [
        f"{label} {trace.cross.keys.name(int(row.argmax()))}"
        for label, row in zip(trace.cross.queries.labels or (), weights, strict=True)
    ]
    assert rows == wanted
