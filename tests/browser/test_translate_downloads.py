"""What the page offers to download, read back: each file holds the trace that is shown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

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
        assert path.name == f"en-pt_blue-kite_L2H1.{name.lower()}"
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
    rows = list(csv.DictReader(io.StringIO(xv.export.csv(npz))))
    assert len(rows) == npz.cross.weights.size


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
