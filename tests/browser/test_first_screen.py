"""What is on the first screen of a phone and of a projector, and how a sentence is typed there."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import speech
from tests.browser import translate as visitor

PHONE: ViewportSize = {"width": 390, "height": 844}
PROJECTOR: ViewportSize = {"width": 1280, "height": 720}


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
    # Beside the map the eight heads of a layer and their mean stand on one line, all of one size.
    page.set_viewport_size(PROJECTOR)
    tiles = page.locator('.xv-tiles [data-view^="2."]')
    expect(tiles).to_have_count(9)
    page.wait_for_timeout(300)
    boxes = tiles.evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(({ top, width, height }) => [top, width, height])"
    )
    assert len({tuple(map(round, place)) for place in boxes}) == 1
    assert boxes[0][1] >= 44
    heading = page.locator(".xv-map-head").first
    assert visitor.box(heading)["height"] < 40  # what is surprising stands beside the title


def test_speech_begins_with_its_map(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(viewport=PROJECTOR)
    speech.open_speech(page, app_url)
    visitor.expect_rest(page)
    page.wait_for_timeout(300)

    def rows_in_view(height: int) -> float:
        stage = page.locator(".xv-stage").first
        return float((height - visitor.box(stage)["y"]) / float(stage.get_attribute("data-cell-height") or 0))

    assert visitor.box(page.locator(".xv-grid").first)["y"] <= 330
    assert rows_in_view(PROJECTOR["height"]) >= 8
    page.set_viewport_size(PHONE)
    expect(page.locator(".xv-choices")).to_have_css("display", "grid")
    page.wait_for_timeout(500)
    for what in (".xv-line-of-sound", ".xv-rows .xv-sentence", ".xv-spectrogram"):
        place = visitor.box(page.locator(what).first)
        assert place["y"] >= 0, what
        assert place["y"] + place["height"] <= PHONE["height"], what
    assert rows_in_view(PHONE["height"]) >= 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # What could have been written stands on one line, and what stands for no word says what it is for.
    choices = page.locator(".xv-choices")
    expect(choices.locator(".xv-choice")).to_have_count(6)
    assert visitor.box(choices)["height"] < 40
    page.locator(".xv-rows .xv-special").first.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("write words alone")
    assert visitor.serious(page) == []


def test_the_pages_at_the_top_leave_the_heading_its_place(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(viewport={"width": 1024, "height": 768})
    visitor.open_app(page, app_url)
    links = page.get_by_test_id("stTopNav").get_by_role("link")
    for width in (1024, 1280, 768):
        page.set_viewport_size({"width": width, "height": 768})
        expect(links).to_have_text(["Translate", "Speech", "Images", "Layer", "About", "Stories"])
        page.wait_for_timeout(200)  # the links are counted anew after that
        begin, end = visitor.box(links.first), visitor.box(links.last)
        assert end["x"] + end["width"] <= width
        for beside in (
            page.locator(".st-key-heading p").first,
            page.locator(".st-key-heading").get_by_role("button").first,
        ):
            place = visitor.box(beside)
            assert place["x"] + place["width"] <= begin["x"], width
    page.set_viewport_size(PHONE)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Stories").first.click()
    expect(page.get_by_role("heading", name="Stories")).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.locator(".xv-story-caption")).to_be_visible(timeout=visitor.PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.serious(page) == []


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
