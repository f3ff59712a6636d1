"""The files that the page saves say what is on screen: the same map, its labels as text, its caption, its name."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import Explorer, assert_painted, weights_of
from tests.browser.explorer.harness import show
from tests.browser.explorer.pictured import captioned, drawn
from tests.web.explorer.packed import texts
from xattn_viz import export
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import View
from xattn_viz.export.shown import shown
from xattn_viz.plots import colours
from xattn_viz.web.explorer import identity, pack

SVG = "{http://www.w3.org/2000/svg}"


def saved(page: Page, name: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def texts_of(file: Path) -> list[str]:
    root = ElementTree.parse(file).getroot()  # noqa: S314 (what our own page wrote)
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def test_svg_and_png_of_the_chosen_map(explorer: Explorer, tmp_path: Path) -> None:
    explorer.choose("2.3")
    weights = weights_of(explorer.maps, "2.3")
    file = saved(explorer.page, "SVG", tmp_path)
    view = View(layer=1, head=2, query=0)
    assert file.name == f"{export.file_name(explorer.trace, view)}.svg"
    root = ElementTree.parse(file).getroot()  # noqa: S314 (what our own page wrote)
    texts = texts_of(file)
    for axis in (explorer.maps.queries, explorer.maps.keys):
        for i in range(len(axis)):
            assert visible(axis.name(i)) in texts
    assert "Cross-attention, layer 2, head 3" in texts
    assert {"word being written", "source word being read", "weight"} <= set(texts)  # along the axes and the colour bar
    numbers = [f"{share * float(weights.max()):.2f}" for share in (0, 0.5, 1)]
    assert set(numbers) <= set(texts)
    assert {node.tag for node in root.iter()} == {f"{SVG}{tag}" for tag in ("svg", "rect", "text", "path")}
    cells = [node.get("fill") or "" for node in root.iter(f"{SVG}rect")][1:]
    painted = np.array([[int(n) for n in cell[4:-1].split(",")] for cell in cells]).reshape(*weights.shape, 3)
    assert_painted(painted, weights, float(weights.max()))

    picture = Image.open(saved(explorer.page, "PNG", tmp_path))
    picture.load()
    assert picture.format == "PNG"
    assert picture.size == tuple(int(3 * float(root.get(side) or 0)) for side in ("width", "height"))
    # The largest weight's cell, in the middle of which no number stands.
    rect = list(root.iter(f"{SVG}rect"))[1 + int(weights.argmax())]
    x, y = (int(3 * (float(rect.get(name) or 0) + 14)) for name in ("x", "y"))
    brightest = colours.table("magma", dark=True)[-1].astype(int)
    assert np.abs(np.array(picture.convert("RGB").getpixel((x, y))) - brightest).max() <= 2


def test_the_caption_is_that_of_every_other_file_and_nothing_is_cut_off(explorer: Explorer, tmp_path: Path) -> None:
    explorer.choose("1.2")
    explorer.press("Words")
    explorer.press("Read")
    explorer.page.get_by_label("Special tokens").uncheck()
    explorer.press("Common")
    explorer.click_cell(1, 0)
    view = View(layer=0, head=1, units="words", rows="input", special=False, scale="common", query=1, key=0)
    found = shown(explorer.trace, view)
    file = saved(explorer.page, "SVG", tmp_path)
    assert file.name == f"{export.file_name(explorer.trace, view)}.svg"
    written = " ".join(texts_of(file))
    for line in (found.title, found.pair, found.caption, found.origin):
        assert line in written
    assert "the maximum of all maps" in written
    choice = found.choice.rpartition(", ")[0]
    (weight,) = re.findall(re.escape(choice) + r", (\d\.\d\d)\.", written)
    assert abs(float(weight) - found.selected.weights[1, 0]) <= 0.005 + 0.004
    labels = [visible(found.selected.queries.name(i)) for i in range(len(found.selected.queries))]
    assert set(labels) <= set(texts_of(file))

    page = explorer.page.context.new_page()
    page.goto(file.as_uri())
    over = page.evaluate(
        """() => [...document.querySelectorAll("text")].flatMap((text) => {
          const [box, all] = [text, document.documentElement].map((each) => each.getBoundingClientRect());
          return box.right > all.right || box.left < all.left || box.bottom > all.bottom ? [text.textContent] : [];
        })"""
    )
    assert over == []


def test_page_and_python_say_the_same_of_every_kind_of_map(harness: Page, tmp_path: Path) -> None:
    for trace, kinds in ((texts(), ("Cross", "Encoder", "Decoder")), (drawn(), ("Cross",)), (captioned(), ("Cross",))):
        show(harness, pack(trace, select={"head": "1.1"}))
        expect(harness.locator(".xv")).to_have_attribute("data-trace", identity(trace))
        for kind in kinds:
            if len(kinds) > 1:
                harness.get_by_role("button", name=kind, exact=True).click()
            for rows in ("Predicted", "Read"):
                reading = harness.get_by_role("button", name=rows, exact=True)
                if not reading.is_visible():
                    continue
                reading.click()
            is_read = harness.locator('[data-value="input"][aria-pressed="true"]').is_visible()
            view = View(kind.lower(), 0, 0, rows="input" if is_read else "predicted")  # type: ignore[arg-type]
            found = shown(trace, view)
            file = saved(harness, "SVG", tmp_path)
            assert file.name == f"{export.file_name(trace, view)}.svg"
            written = " ".join(texts_of(file))
            for line in (found.title, found.pair, found.caption):
                assert line in written
            if is_read:
                harness.get_by_role("button", name="Predicted", exact=True).click()
