"""What the page offers to download, read back: each file holds the trace that is shown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from pypdf import PdfReader

import xattn_viz as xv
from tests.browser import translate as visitor
from xattn_viz.core.view import View

TEXT = "The blue kite flew over our garden."


@pytest.fixture
def downloaded(app_url: str, page: Page, tmp_path: Path) -> Callable[[str], Path]:
    """Call it with a format for the file that the page gives for `TEXT`."""
    visitor.open_app(page, app_url, text=TEXT)
    visitor.expect_source(page, TEXT)

    def get(name: str) -> Path:
        path = visitor.download(page, page.get_by_role("button", name=name, exact=True), tmp_path)
        ending, _, of_all = name.partition(" of ")
        of_map = "" if of_all or ending == "NPZ" else "_L2H1"
        assert path.name == f"en-pt_blue-kite{of_map}.{ending.lower()}"
        return path

    return get


def test_npz_json_and_csv_hold_the_trace(downloaded: Callable[[str], Path]) -> None:
    trace = xv.load("firefox-en-pt").trace(TEXT, keep_projections=True)
    npz = xv.load_trace(downloaded("NPZ"))
    assert (npz.input, npz.output) == (trace.input, trace.output)
    # Torch may add in another order when the machine is busy with other threads.
    np.testing.assert_allclose(npz.cross.weights, trace.cross.weights, atol=1e-5)
    assert npz.cross.keys == trace.cross.keys
    assert npz.cross.queries == trace.cross.queries

    said = downloaded("JSON").read_text(encoding="utf-8")
    view = View(layer=1, head=0, query=0)
    assert json.loads(said) == json.loads(xv.export.json(npz, view))
    assert downloaded("CSV").read_text(encoding="utf-8-sig") == xv.export.csv(npz, view)

    said = downloaded("JSON of all maps").read_text(encoding="utf-8")
    assert json.loads(said) == json.loads(xv.export.json(npz))
    rows = list(csv.DictReader(io.StringIO(downloaded("CSV of all heads").read_text(encoding="utf-8-sig"))))
    assert len(rows) == npz.cross.weights.size


def test_what_is_on_screen_is_saved_as_a_moving_picture(
    downloaded: Callable[[str], Path], page: Page, tmp_path: Path
) -> None:
    page.get_by_role("button", name="Moving picture").click()
    chosen = page.locator(".st-key-moving-size").get_by_role("radio", name="800 × 450")
    chosen.click()
    expect(chosen).to_be_checked()
    button = page.locator(".st-key-moving-download").get_by_role("button")
    path = visitor.download(page, button, tmp_path)
    assert path.name == "en-pt_blue-kite_L2H1_steps.gif"
    with Image.open(path) as gif:
        steps = len(xv.load("firefox-en-pt").trace(TEXT).steps)
        assert (gif.size, gif.n_frames) == ((800, 450), steps)  # type: ignore[attr-defined]


def test_what_is_on_screen_is_saved_as_a_figure_with_its_caption(
    downloaded: Callable[[str], Path], page: Page, tmp_path: Path
) -> None:
    page.get_by_role("button", name="Figure", exact=True).click()
    chosen = page.locator(".st-key-figure-width").get_by_role("radio", name="17.5 cm")
    chosen.click()
    expect(chosen).to_be_checked()
    wanted = xv.figures.draw(xv.load("firefox-en-pt").trace(TEXT), View(layer=1, head=0, query=0), width="page")
    expect(page.get_by_test_id("stCode")).to_contain_text(wanted.caption.partition(" Settings")[0])
    path = visitor.download(page, page.locator(".st-key-figure-download").get_by_role("button"), tmp_path)
    assert path.name == "en-pt_blue-kite_L2H1_map.pdf"
    (drawn,) = PdfReader(path).pages
    assert (float(drawn.mediabox.width), float(drawn.mediabox.height)) == pytest.approx(wanted.size, abs=0.01)
    assert "jardim" in drawn.extract_text()


def test_the_page_opens_without_a_server_and_shows_the_same(
    downloaded: Callable[[str], Path], page: Page, open_page: Callable[..., Page]
) -> None:
    file = downloaded("HTML")
    alone = open_page(offline=True)
    alone.goto(file.as_uri())
    visitor.expect_source(alone, TEXT)
    assert visitor.sentence(visitor.output(alone)) == visitor.sentence(visitor.output(page))
    alone.get_by_role("radio", name="Layer 1, head 2").click()
    expect(visitor.explorer(alone)).to_have_attribute("data-head", "1.2")
    policy = alone.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy is not None
    assert "default-src 'none'" in policy


def test_a_link_shows_elsewhere_what_is_on_screen_after_another_sentence_page_and_reload(
    app_url: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    visitor.open_app(page, app_url, text=TEXT)
    visitor.expect_source(page, TEXT)
    other = "A grey goose crossed the frozen lake."
    visitor.translate(page, other)
    visitor.expect_source(page, other)
    page.get_by_role("radio", name="Layer 1, head 4").click()
    for name in ("Words", "Read", "Common"):
        page.get_by_role("button", name=name, exact=True).click()
    page.get_by_label("Special tokens").uncheck()
    visitor.output(page).locator(".xv-text:not([hidden])").nth(2).click()
    first = copied(page)
    wanted = looks(page)
    assert wanted["row"] != "0"

    visitor.expect_rest(page)
    page.get_by_role("link", name="Speech").click()
    page.get_by_label("Sound", exact=True).first.wait_for(timeout=visitor.PATIENCE)
    page.get_by_role("link", name="Translate").click()
    visitor.expect_source(page, other)
    assert copied(page) == first
    page.reload()
    visitor.expect_source(page, other)
    assert (copied(page), looks(page)) == (first, wanted)

    elsewhere = open_page()
    elsewhere.goto(first)
    visitor.expect_source(elsewhere, other)
    assert looks(elsewhere) == wanted


def copied(page: Page) -> str:
    """What *Copy link* puts on the clipboard."""
    page.get_by_role("button", name="Copy link", exact=True).click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    link: str = page.evaluate("navigator.clipboard.readText()")
    return link


def looks(page: Page) -> dict[str, str]:
    """What is on screen: map, row, switches, and the line in words."""
    expect(visitor.explorer(page)).to_have_attribute("data-head", "1.4")
    pressed = page.locator('.xv-controls [aria-pressed="true"]').all_inner_texts()
    row = visitor.explorer(page).get_attribute("data-row") or ""
    line = page.locator(".xv-readout").inner_text()
    special = page.get_by_label("Special tokens").is_checked()
    return {"pressed": " ".join(pressed), "row": row, "line": line, "special": str(special)}


def test_a_text_too_long_for_a_link_says_so(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    visitor.open_app(page, app_url, text=TEXT)
    visitor.translate(page, "The cat sat on the mat. " * 42)
    visitor.expect_source(page, "The cat sat on the mat.")
    visitor.expect_rest(page)
    page.get_by_role("button", name="Copy link", exact=True).click()
    expect(page.get_by_text("This text is too long for a link: save the page as HTML to pass it on.")).to_be_visible()
