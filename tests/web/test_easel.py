from __future__ import annotations

import json

import numpy as np
from PIL import Image, ImageDraw

from xattn_viz.shapes import SHAPES, Scene, Thing, draw
from xattn_viz.shapes.scene import from_link
from xattn_viz.web import easel


def test_what_the_easel_shows_is_what_is_drawn() -> None:
    """Filling the outlines that are sent draws each scene as `draw` does, but for smoothed edges."""
    for shape in SHAPES:
        scene = Scene((Thing("green", shape, 0.4, 0.55, 0.3),))
        sent = json.loads(json.dumps(easel.pack(scene, 3)))
        (thing,), outline = sent["things"], sent["shapes"][shape]
        image = Image.new("RGB", (400, 400), sent["paper"])
        pen = ImageDraw.Draw(image)
        x, y, r = (400 * thing[name] for name in ("x", "y", "radius"))
        if isinstance(outline, list):
            pen.polygon([(x + r * dx, y + r * dy) for dx, dy in outline], fill=sent["colours"][thing["colour"]])
        else:
            for radius, fill in ((r, sent["colours"][thing["colour"]]), (r * outline, sent["paper"])):
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
        far = np.abs(np.asarray(image).astype(int) - draw(scene, 400)).max(-1) > 128
        assert far.mean() < 0.01  # Pillow counts the last pixel in and smooths no edge: a seam of a pixel or two
        assert sent["turn"] == 3


def test_blank_paper_has_all_to_choose_from() -> None:
    sent = easel.pack(None)
    assert (sent["things"], sent["turn"]) == ([], None)
    sizes = {size: Thing("red", "star", 0.5, 0.5, radius).size for size, radius in sent["sizes"].items()}
    assert sizes == {"small": "small", "large": "large"}
    assert len(from_link("_".join(["red-star-30-30-9"] * sent["most"])).things) == sent["most"]
