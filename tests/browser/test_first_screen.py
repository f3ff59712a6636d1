"""What is on the first screen of a phone and of a projector, and how a sentence is typed there."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import translate as visitor

PHONE = {"width": 390, "height": 844}


def test_a_phone_shows_sentence_output_and_map_at_once(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(viewport=PHONE, has_touch=True)
    visitor.open_app(page, app_url)
    page.wait_for_timeout(300)  # the layout settles after the last message
    for what in (".xv-columns .xv-sentence", ".xv-rows .xv-sentence", ".xv-map-title", ".xv-stage"):
        place = visitor.box(page.locator(what).first)
        assert place["y"] >= 0, what
        assert place["y"] + place["height"] <= PHONE["height"], what
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.serious(page) == []
    # A finger reaches each map of the overview, and each cell: the arithmetic comes up over the lower part.
    assert min(page.locator(".xv-tiles button").evaluate_all("all => all.map(each => each.offsetHeight)")) >= 44
    page.locator(".xv-stage").first.tap(position={"x": 60, "y": 60})
    sheet = visitor.box(page.locator(".xv-check"))
    assert sheet["y"] + sheet["height"] <= PHONE["height"] + 1
    page.get_by_role("button", name="Close").tap()
    # The pages and the menu are no lid over what is read further down.
    page.locator(".xv-tiles").scroll_into_view_if_needed()
    expect(page.get_by_test_id("stHeader")).not_to_be_in_viewport()


def test_enter_asks_shift_and_enter_break_the_line_and_swap_turns_round(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    field = visitor.field(page)
    low = visitor.box(field)["height"]
    field.fill("The dog sleeps.")
    field.press("Shift+Enter")
    field.press_sequentially("Two birds sing.")
    expect(field).to_have_value("The dog sleeps.\nTwo birds sing.")
    assert visitor.box(field)["height"] > low
    field.press("Enter")
    visitor.expect_source(page, "The dog sleeps.")
    expect(page.get_by_text("Sentence 1 of 2")).to_be_visible()
    expect(field).to_have_value("The dog sleeps.\nTwo birds sing.")
    field.fill("  ")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The text is empty: type at least one word.")
    visitor.translate(page, "The dog sleeps.")
    visitor.expect_source(page, "The dog sleeps.")
    written = visitor.sentence(visitor.output(page))
    page.get_by_role("button", name="Swap").click()
    visitor.expect_source(page, written)
    visitor.expect_said(page, model="firefox-pt-en")
    expect(visitor.output(page)).to_have_text(re.compile("dog"))
