"""The pictures that the page saves: valid, sharp, with their labels as text."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from tests.browser.explorer.conftest import Explorer, assert_painted, weights_of
from xattn_viz.core.tokens import visible
from xattn_viz.plots import colours

SVG = "{http://www.w3.org/2000/svg}"


def saved(explorer: Explorer, name: str, folder: Path) -> Path:
    with explorer.page.expect_download() as download:
        explorer.press(name)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_svg_and_png_of_the_chosen_map(explorer: Explorer, tmp_path: Path) -> None:
    explorer.choose("2.3")
    weights = weights_of(explorer.maps, "2.3")
    file = saved(explorer, "SVG", tmp_path)
    assert file.name == "attention-layer-2-head-3.svg"
    root = ElementTree.parse(file).getroot()  # noqa: S314 (what our own page wrote)
    texts = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    for axis in (explorer.maps.queries, explorer.maps.keys):
        for i in range(len(axis)):
            assert visible(axis.name(i)) in texts
    assert "Layer 2, head 3" in texts
    assert {node.tag for node in root.iter()} == {f"{SVG}{tag}" for tag in ("svg", "rect", "text")}
    cells = [node.get("fill") or "" for node in root.iter(f"{SVG}rect")][1:]
    painted = np.array([[int(n) for n in cell[4:-1].split(",")] for cell in cells]).reshape(*weights.shape, 3)
    assert_painted(painted, weights, float(weights.max()))

    picture = Image.open(saved(explorer, "PNG", tmp_path))
    picture.load()
    assert picture.format == "PNG"
    assert picture.size == tuple(int(2 * float(root.get(side) or 0)) for side in ("width", "height"))
    # The largest weight's cell, in the middle of which no number stands.
    rect = list(root.iter(f"{SVG}rect"))[1 + int(weights.argmax())]
    x, y = (int(2 * (float(rect.get(name) or 0) + 14)) for name in ("x", "y"))
    brightest = colours.table("magma", dark=True)[-1].astype(int)
    assert np.abs(np.array(picture.convert("RGB").getpixel((x, y))) - brightest).max() <= 2
