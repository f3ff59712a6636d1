"""What each head does, on the tab *Evidence*: over sentences that the visitor types, and then below the maps."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import translate as visitor
from xattn_viz.examples import EXAMPLES

MODEL, TEXT = EXAMPLES[1].model, EXAMPLES[1].text
# Each run has sentences of its own, as the server keeps what was measured before.
SENTENCES = iter(
    [
        ("The cat sat on the mat.", "My brother works in a small hospital."),
        ("The black cat sat on the mat.", "My sister works in a small hospital."),
    ]
)


def test_heads_are_named_over_sentences_of_ones_own_and_below_their_maps(app_url: str, page: Page) -> None:
    sentences = next(SENTENCES)
    visitor.open_app(page, app_url, model=MODEL, text=TEXT)
    visitor.expect_rest(page)
    page.get_by_role("radio", name="Evidence", exact=True).click()
    page.get_by_role("button", name=re.compile("^Read 62 sentences")).wait_for(timeout=visitor.PATIENCE)
    visitor.expect_rest(page)
    page.get_by_text("Sentences of your own").click()
    typed = page.get_by_label("One a line")
    typed.fill("\n".join(sentences))
    typed.press("Control+Enter")
    page.get_by_role("button", name=re.compile("^Read 2 sentences")).click()
    found = xv.head_profiles(xv.load(MODEL), sentences, reverse=xv.load("firefox-pt-en"))
    named = f"{len(found.names)} of 16 heads have a name"
    expect(page.get_by_text(named)).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.get_by_text(str(found.names[0, 5])).first).to_be_visible()
    expect(page.get_by_text(found.depth)).to_be_visible()
    page.get_by_role("radio", name="Map", exact=True).click()
    under = page.locator('.xv-tiles [data-view="1.6"] .xv-name')
    expect(under).to_have_text(str(found.names[0, 5]).replace("F1 ", "F1\u00a0"), timeout=visitor.PATIENCE)
    page.get_by_label("Colour the overview by").select_option("mean-cost")
    said = float(page.locator('.xv-tiles [data-view="1.6"] b').inner_text())
    assert abs(said - found["mean-cost"].at(0, 5)) < 0.01  # two decimals
