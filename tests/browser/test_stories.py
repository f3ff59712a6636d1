"""The page of stories: a visitor's own, made of views, saved as a file, a link and a page, and opened again."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser import translate as visitor
from xattn_viz import examples
from xattn_viz.core.story import Story
from xattn_viz.export.story import AWAITED

TEXT = "The old bridge creaks."


def caption(page: Page) -> str:
    return page.locator(".xv-story-caption").inner_text()


def turn_with_the_browser(page: Page) -> None:
    """Back and Forth turn slides, and beyond the first one they lead to the page before and back to the slide."""
    shown, root = page.locator(".xv-story"), page.locator(".xv")
    for number in (2, 3):
        page.get_by_role("button", name="Next slide").click()
        expect(shown).to_have_attribute("data-slide", str(number))
    for move, number in ((page.go_back, 2), (page.go_back, 1), (page.go_forward, 2)):
        move()
        expect(shown).to_have_attribute("data-slide", str(number))
    expect(root).to_have_attribute("data-row", "1")
    page.go_back()
    expect(shown).to_have_attribute("data-slide", "1")
    # Where a run of the page begins while one leaves it, Streamlit makes a step of its own in the history.
    expect(page.get_by_text(AWAITED)).to_have_count(0, timeout=visitor.PATIENCE)
    page.wait_for_timeout(1000)
    visitor.expect_rest(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Translate")).to_be_visible(timeout=visitor.PATIENCE)
    visitor.expect_rest(page)
    page.go_forward()
    expect(shown).to_have_attribute("data-slide", "1", timeout=visitor.PATIENCE)
    page.go_forward()
    expect(shown).to_have_attribute("data-slide", "2")


def test_a_story_is_made_saved_and_opened_again(app_url: str, page: Page, tmp_path: Path) -> None:
    cat = examples.load("cat")
    assert cat is not None
    visitor.open_app(page, app_url, text="The cat sat on the mat.", head="2.1", row="1")
    add = page.get_by_role("button", name="Add this view")
    add.click()
    expect(page.get_by_text("Added as slide 1")).to_be_visible()
    visitor.translate(page, TEXT)
    visitor.expect_source(page, TEXT)
    add.click()
    expect(page.get_by_text("Added as slide 2")).to_be_visible()
    page.get_by_test_id("stPageLink-NavLink").filter(has_text="Stories").click()
    shown = page.locator(".xv-story")
    expect(shown).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.locator(".xv-story-title")).to_have_text("What cross-attention is")
    turn_with_the_browser(page)
    page.get_by_role("combobox", name="Story").click()
    page.get_by_role("option", name="Your own: My talk (2)").click()
    expect(page.locator(".xv-story-title")).to_have_text("My talk")
    row = cat.cross.head(1, 0)[1]
    said = f"{row.max():.2f} on “{cat.cross.keys.name(int(row.argmax()))}”"
    expect(page.locator(".xv-story-caption")).to_contain_text(said)
    field = page.get_by_role("textbox", name="Caption of slide 1")
    field.fill("**{row}** reads <b>{most}</b>: {weight}")
    field.press("Enter")
    words = [cat.cross.queries.name(1), cat.cross.keys.name(int(row.argmax()))]
    expect(page.locator(".xv-story-caption")).to_have_text(f"**{words[0]}** reads <b>{words[1]}</b>: {row.max():.2f}")
    # The second one needs its model, which runs when one turns to it, in a talk too.
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Full screen, for a talk").click()
    page.keyboard.press("PageDown")
    expect(page.locator(".xv-columns .xv-sentence")).to_contain_text("bridge", timeout=visitor.PATIENCE)
    expect(page.locator(".xv")).to_have_class("xv xv-talking")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Down").first.click()
    expect(page.get_by_text("2. Layer 2, head 1: The cat sat on the mat.")).to_be_visible()
    title = page.get_by_role("textbox", name="Title")
    title.fill("Bridges & cats")
    title.press("Enter")
    expect(page.locator(".xv-story-title")).to_have_text("Bridges & cats")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save", exact=True).click()
    file = tmp_path / "talk.json"
    saved.value.save_as(file)
    story = Story.parse(file.read_bytes())
    assert [slide.asked["text"] for slide in story.slides] == [TEXT, "The cat sat on the mat."]
    assert story.title == "Bridges & cats"
    with page.expect_download() as made:
        page.get_by_role("button", name="Page", exact=True).click()
    exported = tmp_path / "talk.html"
    made.value.save_as(exported)
    assert exported.stat().st_size < 1_500_000
    page.get_by_role("button", name="Link", exact=True).click()
    link = page.locator("[data-testid=stCode] code").inner_text().strip()
    assert Story.from_link(link.partition("story=")[2]) == story
    page.goto(link)  # which somebody else would open: their story is not there
    expect(page.locator(".xv-story-title")).to_have_text("Bridges & cats", timeout=visitor.PATIENCE)
    expect(page.locator(".xv-columns .xv-sentence")).to_contain_text("bridge", timeout=visitor.PATIENCE)
    expect(page.get_by_role("textbox", name="Title")).to_have_count(0)
    page.get_by_role("button", name="Change this story").click()
    page.get_by_role("button", name="Delete").first.click()
    expect(page.get_by_text("1. Layer 2, head 1: The cat sat on the mat.")).to_be_visible()
    faulty = tmp_path / "faulty.json"
    faulty.write_text(json.dumps({"format": "xattn_viz story", "version": 3}), encoding="utf-8")
    page.get_by_role("button", name="Open a file").click()
    page.locator("input[type=file]").set_input_files(faulty)
    expect(page.get_by_text("Stories of version 1 are read here: got 3.")).to_be_visible()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".xv-story-title")).to_have_text("Bridges & cats")
    page.goto("about:blank")  # the app would complain of the network
    page.context.set_offline(True)
    page.goto(exported.as_uri())
    expect(page.locator(".xv")).to_have_class("xv xv-talking")
    expect(page.locator(".xv-columns .xv-sentence")).to_contain_text("bridge")
    page.keyboard.press("PageDown")
    assert caption(page) == f"**{words[0]}** reads <b>{words[1]}</b>: {row.max():.2f}"
