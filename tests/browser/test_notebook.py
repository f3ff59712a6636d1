"""Notebooks: those of the documentation in a real kernel and as pages, and what a widget hears from its frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

import xattn_viz as xv
from xattn_viz import web

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
# A notebook of which only the theme matters, and the widget's state as anywidget keeps it.
HOST = """<!doctype html><body style="background: GROUND"><div id="place"></div><script type="module">
const code = URL.createObjectURL(new Blob([CODE], { type: "text/javascript" }));
const { default: widget } = await import(code);
const changed = {};
window.saved = "";
window.state = { page: PAGE, height: 600 };
window.model = {
  get: (name) => window.state[name],
  set(name, value) { window.state[name] = value; changed[`change:${name}`]?.(); },
  save_changes() { window.saved = JSON.stringify(window.state.selected); },
  on(name, act) { changed[name] = act; },
  off(name) { delete changed[name]; },
};
window.leave = widget.render({ model: window.model, el: document.getElementById("place") });
</script>"""


def host(page_of: str, ground: str) -> str:
    """The notebook with a widget that shows this page, on this ground."""
    said = {"GROUND": ground, "CODE": json.dumps(web.script("notebook")), "PAGE": json.dumps(page_of)}
    text = HOST
    for name, value in said.items():
        text = text.replace(name, value.replace("</", "<\\/"))
    return text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_runs_and_its_page_draws_itself_offline(path: Path, page: Page, tmp_path: Path) -> None:
    assert len(NOTEBOOKS) >= 2
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") for cell in notebook.cells)  # they are made by who runs it
    NotebookClient(notebook, kernel_name="python3", timeout=200, store_widget_state=False).execute(cwd=str(ROOT))
    frames = [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "<iframe" in output.get("data", {}).get("text/html", "")
    ]
    assert len(frames) >= 3
    assert not any("stderr" in output.get("name", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    file = tmp_path / "notebook.html"
    exporter = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]
    file.write_text(exporter.from_notebook_node(notebook)[0], encoding="utf-8")
    page.goto(file.as_uri())
    places = page.locator("iframe")
    expect(places).to_have_count(len(frames))
    for number in range(len(frames)):
        places.nth(number).scroll_into_view_if_needed()
        expect(places.nth(number).content_frame.locator(".xv[data-painted]")).to_be_visible()


def test_a_widget_hears_what_is_looked_at_and_follows_the_theme(open_page: Callable[..., Page]) -> None:
    trace = xv.load("firefox-en-pt").trace("The cat sat on the mat.")
    explorer = xv.show(trace, xv.View(layer=1, head=0))
    page = open_page(color_scheme="null")  # what the page around the frame asks for, and not the test
    for ground, theme in (("#111", "dark"), ("#fff", "light")):
        explorer.view = xv.View(layer=1, head=0)
        page.set_content(host(explorer.page, ground))
        inside = page.locator("iframe").content_frame
        root = inside.locator(".xv")
        expect(root).to_have_attribute("data-head", "2.1")
        expect(root).to_have_attribute("data-theme", theme)
        inside.locator('.xv-tiles [data-view="1.3"]').click()
        inside.locator(".xv-rows .xv-text").nth(2).click()
        page.wait_for_function("() => window.saved && JSON.parse(window.saved).row === '2'")
        explorer.selected = page.evaluate("window.state.selected")
        assert (explorer.view.layer, explorer.view.head, explorer.view.query) == (0, 2, 2)
        assert np.isclose(trace.cross.head(0, 2)[2].sum(), 1, atol=1e-3)
        before = page.evaluate("location.href")
        explorer.view = xv.View(layer=0, head=5)
        page.evaluate("page => model.set('page', page)", explorer.page)
        expect(root).to_have_attribute("data-head", "1.6")
        assert page.evaluate("location.href") == before
        page.evaluate("leave()")
