"""From a weight on the page of a model to the same head on the page about the layer, and back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser import speech
from tests.browser import translate as visitor
from xattn_viz import examples
from xattn_viz.models import registry

TEXT = "The old clock stopped."
_SAID = re.compile(
    r"Recomputed from q and k, the weight is (\d\.\d{4}); captured while the model ran, it was (\d\.\d{4})"
)


def go_on(page: Page) -> tuple[float, float]:
    """Click what leads to the layer's page; the two weights that it names, recomputed and captured."""
    page.get_by_role("button", name="Step by step on the Layer page").click()
    return weights_said(page)


def weights_said(page: Page) -> tuple[float, float]:
    """The two weights that the layer's page names, recomputed and captured."""
    said = page.get_by_text("Recomputed from q and k").first
    expect(said).to_be_visible(timeout=visitor.PATIENCE)
    assert "/layer" in page.url
    found = _SAID.search(said.text_content() or "")
    assert found is not None, said.text_content()
    return float(found[1]), float(found[2])


def click_share(page: Page, across: float, down: float) -> None:
    """Click the large map at these shares of its width and height."""
    stage = page.locator(".xv-side .xv-stage:visible").first
    stage.scroll_into_view_if_needed()
    place = visitor.box(stage)
    stage.click(position={"x": place["width"] * across, "y": place["height"] * down})


def test_a_weight_of_a_translation_is_seen_step_by_step(app_url: str, page: Page) -> None:
    trace = registry.load("firefox-en-pt").trace(TEXT, keep_projections=True)
    rows, columns = len(trace.cross.queries), len(trace.cross.keys)
    visitor.open_app(page, app_url, text=TEXT, head="2.1")
    visitor.expect_trace(page, trace)
    click_share(page, 1.5 / columns, 1.5 / rows)
    recomputed, captured = go_on(page)
    assert abs(captured - float(trace.cross.head(1, 0)[1, 1])) < 6e-5  # four decimals
    assert abs(recomputed - captured) < 2e-4  # and the precision of the model
    page.get_by_role("button", name="Back to a layer of your own").click()
    expect(page.get_by_text("Recomputed from q and k")).to_have_count(0)
    page.get_by_test_id("stTopNav").get_by_role("link", name="Translate").click()
    visitor.expect_trace(page, trace)


def test_a_head_outlives_a_reload_says_where_it_is_from_and_leads_back(app_url: str, page: Page) -> None:
    trace = registry.load("firefox-en-pt").trace(TEXT, keep_projections=True)
    visitor.open_app(page, app_url, text=TEXT, head="2.1")
    visitor.expect_trace(page, trace)
    click_share(page, 1.5 / len(trace.cross.keys), 1.5 / len(trace.cross.queries))
    weights = go_on(page)
    claim = page.get_by_role("heading", name="layer 2, head 1, cross-attention")
    expect(claim).to_be_visible()
    expect(page.get_by_text(f"“{TEXT}” → “{trace.output}”")).to_be_visible()
    expect(page.locator('[data-plate="scores"] figcaption')).to_contain_text("scores Q Kᵀ")
    page.reload()
    assert weights_said(page) == weights
    expect(claim).to_be_visible()
    expect(page.get_by_text(f"“{TEXT}” → “{trace.output}”")).to_be_visible()
    expect(page.locator('[data-plate="scores"] figcaption')).to_contain_text("scores Q Kᵀ")
    page.get_by_role("link", name="Back to Translate").click()
    visitor.expect_trace(page, trace)
    assert "head=2.1" in page.url
    page.go_back()
    assert weights_said(page) == weights


def test_a_weight_of_speech_is_seen_step_by_step_with_the_queries_and_keys_of_another_run(
    app_url: str, page: Page
) -> None:
    shipped = examples.load_speech("whisper-tiny-en", "forward")
    assert shipped is not None
    speech.open_speech(page, app_url, sound="forward", head="3.5")
    speech.expect_transcript(page, shipped.output)
    visitor.expect_rest(page)
    weights = shipped.cross.head(2, 4)
    row, column = (int(i[0]) for i in (weights == weights[1:-1].max()).nonzero())
    click_share(page, (column + 0.5) / weights.shape[1], (row + 0.5) / weights.shape[0])
    recomputed, captured = go_on(page)
    assert captured > 0.1
    assert abs(recomputed - captured) < 2e-4
    expect(page.get_by_text(re.compile(r"\d+ other keys")).first).to_be_visible()
