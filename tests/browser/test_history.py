"""The strip of what was seen in a visit, and files that are opened on the page: one visit, as a lecturer makes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, Page, expect

import xattn_viz as xv
from tests.browser import translate as visitor

DROP = """
([bytes, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
  for (const type of ["dragover", "drop"]) {
    const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data });
    document.querySelector('[data-testid="stMain"]').dispatchEvent(event);
  }
}
"""


def drop(page: Page, path: Path) -> None:
    """Drop a file on the page, beside its fields."""
    import base64

    visitor.expect_rest(page)
    page.evaluate(DROP, [base64.b64encode(path.read_bytes()).decode(), path.name])


def strip(page: Page) -> Locator:
    """The small maps, opened."""
    visitor.expect_rest(page)
    page.get_by_role("button", name="History").click()
    cards = page.locator('[class*="st-key-return-"] button')
    expect(cards.first).to_be_visible()
    return cards


def test_a_visit_is_kept_gone_back_to_saved_and_opened_again(
    app_url: str, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page()
    visitor.open_app(page, app_url, head="2.3")
    visitor.translate(page, "A dog slept near the door.")
    visitor.expect_source(page, "A dog slept near the door.")
    page.locator('[data-view="1.6"]').click()
    page.locator(".xv-rows .xv-text").nth(2).click()
    visitor.expect_said(page, head="1.6")
    cards = strip(page)
    expect(cards).to_have_text(["A dog slept near the door.", "The cat sat on the mat."])
    expect(page.locator('[class*="st-key-seen-"] img')).to_have_count(2)
    assert visitor.serious(page) == []
    # The keyboard alone leads back; the browser's Back undoes it.
    cards.nth(1).focus()
    page.keyboard.press("Enter")
    visitor.expect_source(page, "The cat sat on the mat.")
    visitor.expect_said(page, head="2.3")
    page.go_back()
    visitor.expect_source(page, "A dog slept near the door.")
    strip(page).nth(0).click()
    visitor.expect_said(page, head="1.6")
    # A reload keeps it, for this tab alone, and the address says nothing of it.
    page.reload()
    visitor.expect_source(page, "A dog slept near the door.")
    expect(strip(page)).to_have_count(2)
    name = page.evaluate("sessionStorage.getItem('xattn_viz visit')")
    assert name not in page.url
    saved = visitor.download(page, page.get_by_role("button", name="Save all"), tmp_path)
    other = open_page()
    visitor.open_app(other, app_url, text="Two birds sing.")
    expect(strip(other)).to_have_count(1)
    other.keyboard.press("Escape")
    # What was saved opens where it is dropped, as it was looked at; a foreign file changes nothing.
    drop(other, saved)
    expect(other.get_by_text("Opened from visit.zip.")).to_be_visible(timeout=visitor.PATIENCE)
    visitor.expect_said(other, head="2.3")
    expect(strip(other)).to_have_count(3)
    other.keyboard.press("Escape")
    before = visitor.shown_id(other)
    (tmp_path / "notes.txt").write_text("nothing of ours")
    drop(other, tmp_path / "notes.txt")
    expect(other.get_by_role("alert")).to_contain_text("'notes.txt' is no saved trace")
    assert visitor.shown_id(other) == before
    # A trace of one's own from Python, and back: the very same.
    weights = np.random.default_rng(0).dirichlet(np.ones(3), (2, 1, 2, 2)).astype(np.float32)
    mine = xv.from_attention(weights, target=["um", "gato"], source=["a", "<b>", "cat"])
    xv.save(mine, tmp_path / "mine.npz")
    drop(other, tmp_path / "mine.npz")
    expect(other.get_by_text("Opened from mine.npz.")).to_contain_text(
        "is no model on the list", timeout=visitor.PATIENCE
    )
    expect(other.get_by_role("alert")).to_have_count(0)
    expect(other.get_by_role("button", name="Output")).to_have_count(0)
    expect(other.get_by_role("radio", name="Evidence")).to_have_count(0)
    other.locator('[data-view="2.2"]').click()
    visitor.expect_said(other, head="2.2")
    back = visitor.download(other, other.get_by_role("button", name="NPZ", exact=True), tmp_path / "back")
    assert xv.load_trace(back) == mine
    assert xv.View.parse(visitor.said(other)) == xv.View(layer=1, head=1, query=0)
    assert re.search(r"file=[0-9a-f]{16}", other.url)
