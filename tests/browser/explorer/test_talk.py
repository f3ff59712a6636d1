"""A talk: one view for the last row, led by keys, from a story in an exported file with the network off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.harness import open_harness, show
from xattn_viz import examples, export
from xattn_viz.core.story import Slide, Story
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.export import story as stories

SIZES = ((1280, 720), (1920, 1080), (1024, 768))
LEAST = 24  # pixels of the smallest letters in a talk
ASKED = (("model", "firefox-en-pt"), ("text", "-"))

# The font sizes of all text that is seen, and whether anything reaches out of the window.
MEASURE = """root => {
  const sizes = [], seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const { parentElement, textContent } = walk.currentNode;
    if (!textContent.trim() || !seen(parentElement) || parentElement.closest('.xv-talk-bar, .xv-said')) continue;
    sizes.push([parseFloat(getComputedStyle(parentElement).fontSize), textContent]);
  }
  const box = root.getBoundingClientRect(), stage = root.querySelector('.xv-stage').getBoundingClientRect();
  return { sizes, over: root.scrollHeight - root.clientHeight, high: stage.height,
           fills: box.width === innerWidth && box.height === innerHeight, bottom: innerHeight - stage.bottom };
}"""


def trace(slug: str) -> Trace:
    found = examples.load(slug)
    assert found is not None
    return found


def assert_legible(page: Page, *, scrolls: bool = False) -> None:
    root = page.locator(".xv")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        expect(root).to_have_js_property("clientHeight", height)
        page.wait_for_timeout(100)  # the map is painted by an observer after that
        found = root.evaluate(MEASURE)
        assert found["fills"]
        assert found["over"] <= 0, (width, height)
        assert len(found["sizes"]) > 8
        small = [one for one in found["sizes"] if one[0] < LEAST]
        assert not small, (width, height, small)
        assert scrolls or found["bottom"] >= 0, (width, height)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    cat, boat = trace("cat"), trace("boat")
    slides = (
        Slide(ASKED, View(layer=1, head=0, query=1), "Writing {row}, this head puts {weight} on {most}."),
        Slide(ASKED, View(layer=0, head=5), "<b>Another</b> head"),
        Slide(ASKED, View(layer=1, head=0, query=3, key=2), "Another sentence: {row}, {column}, {weight}"),
    )
    file = tmp_path / "talk.html"
    file.write_text(stories.html(Story("Heads", slides), [cat, cat, boat]), encoding="utf-8")
    return file


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_talk_is_given_from_a_file_with_the_network_off(
    open_page: Callable[..., Page], told: Path, scheme: str
) -> None:
    page = open_page(color_scheme=scheme)
    page.context.set_offline(True)
    page.goto(told.as_uri())
    root, caption = page.locator(".xv"), page.locator(".xv-story-caption")
    cat, boat = trace("cat"), trace("boat")
    expect(root).to_have_class("xv xv-talking")
    expect(root).to_have_attribute("data-head", "2.1")
    assert_legible(page)
    row = cat.cross.head(1, 0)[1]
    most = cat.cross.keys.name(int(row.argmax()))
    expect(caption).to_have_text(f"Writing {cat.cross.queries.name(1)}, this head puts {row.max():.2f} on {most}.")
    for key, slide, head in (
        ("PageDown", 2, "1.6"),
        ("Space", 3, "2.1"),
        ("ArrowRight", 3, "2.1"),  # behind the last one there is none
        ("PageUp", 2, "1.6"),
        ("ArrowLeft", 1, "2.1"),
        ("End", 3, "2.1"),
        ("Home", 1, "2.1"),
        ("n", 2, "1.6"),
    ):
        page.keyboard.press(key)
        expect(page.locator(".xv-story")).to_have_attribute("data-slide", str(slide))
        expect(root).to_have_attribute("data-head", head)
    for move, slide in ((page.go_back, 1), (page.go_back, 3), (page.go_forward, 1), (page.go_forward, 2)):
        move()  # through the slides as they were turned
        expect(page.locator(".xv-story")).to_have_attribute("data-slide", str(slide))
    expect(root).to_have_class("xv xv-talking")
    expect(root).to_have_attribute("data-head", "1.6")
    expect(caption).to_have_text("<b>Another</b> head")
    assert page.locator(".xv-story-caption b").count() == 0
    page.keyboard.press("ArrowDown")
    expect(root).to_have_attribute("data-row", "0")
    page.keyboard.press("End")
    weight = boat.cross.head(1, 0)[3, 2]
    names = f"{boat.cross.queries.name(3)}, {boat.cross.keys.name(2)}"
    expect(caption).to_have_text(f"Another sentence: {names}, {weight:.2f}")
    assert (root.get_attribute("data-row"), root.get_attribute("data-column")) == ("3", "2")
    ground = {"dark": "rgb(14, 15, 19)", "light": "rgb(251, 250, 247)"}[scheme]
    for wanted in ("rgb(0, 0, 0)", "rgb(255, 255, 255)", ground):
        page.keyboard.press("c")
        expect(root).to_have_css("background-color", wanted)
    blank, laser = page.locator(".xv-blank-screen"), page.locator(".xv-laser")
    for key in ("b", "."):
        page.keyboard.press(key)
        expect(blank).to_be_visible()
        page.keyboard.press(key)
        expect(blank).to_be_hidden()
    page.keyboard.press("b")
    page.keyboard.press("PageUp")
    expect(blank).to_be_hidden()
    expect(page.locator(".xv-story")).to_have_attribute("data-slide", "2")
    before = root.get_attribute("data-row")
    page.mouse.move(600, 500)
    page.mouse.down()
    expect(laser).to_be_visible()
    page.mouse.move(640, 420)
    box = laser.bounding_box()
    assert box is not None
    assert (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) == (640, 420)
    page.mouse.up()
    expect(laser).to_be_hidden()
    assert root.get_attribute("data-row") == before  # it was pointed at, not chosen
    page.keyboard.down("l")
    expect(laser).to_be_visible()
    page.keyboard.up("l")
    expect(laser).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator(".xv-talk-keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(root).to_have_class("xv")
    expect(page.locator(".xv-overview")).to_be_visible()
    page.get_by_role("button", name="Next slide").click()
    expect(page.locator(".xv-story")).to_have_attribute("data-slide", "3")
    page.keyboard.press("t")
    expect(root).to_have_class("xv xv-talking")
    page.reload()
    expect(page.locator(".xv-story")).to_have_attribute("data-slide", "3")


def test_talk_mode_of_one_trace_steps_through_its_tokens(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(export.html(trace("cat"), View(layer=1, head=0)), encoding="utf-8")
    page.goto(f"{file.as_uri()}?talk=1")
    root, stage = page.locator(".xv"), page.locator(".xv-stage").first
    expect(root).to_have_class("xv xv-talking")
    assert_legible(page)
    everything = stage.get_attribute("data-written")
    for key, written in (("PageDown", "1"), ("Space", "2"), ("PageUp", "1"), ("ArrowLeft", everything)):
        page.keyboard.press(key)
        expect(stage).to_have_attribute("data-written", str(written))
    page.keyboard.press("t")
    expect(root).to_have_class("xv")
    assert "talk=1" not in page.url
    expect(page.get_by_role("button", name="Full screen, for a talk")).to_be_focused()
    page.keyboard.press("Enter")
    expect(root).to_have_class("xv xv-talking")
    assert "talk=1" in page.url


def test_long_texts_and_sounds_stay_legible(page: Page, tmp_path: Path) -> None:
    for slug, view in (("amiable", View(layer=2, head=4, query=5)), ("spades", View(layer=1, head=0, query=3))):
        file = tmp_path / f"{slug}.html"
        file.write_text(export.html(trace(slug), view), encoding="utf-8")
        page.goto(f"{file.as_uri()}?talk=1")
        expect(page.locator(".xv")).to_have_class("xv xv-talking")
        assert_legible(page, scrolls=True)
        scroll = page.locator(".xv-scroll").first
        page.keyboard.press("End")
        for _ in range(60):
            page.keyboard.press("ArrowDown")
        last = page.locator(".xv-row-labels .xv-label.xv-focus").bounding_box()
        view_box = scroll.bounding_box()
        assert last is not None
        assert view_box is not None
        assert last["y"] + last["height"] <= view_box["y"] + view_box["height"] + 1


def test_a_slide_without_its_model_says_so_and_shows_nothing_else(page: Page, tmp_path: Path) -> None:
    cat, view = trace("cat"), View(layer=1, head=0, query=1)
    story = Story("Gaps", (Slide(ASKED, view, "{row}"), Slide(ASKED, view), Slide(ASKED, view, "again")))
    show(open_harness(page, tmp_path), stories.packed(story, [cat, "The model <b>x</b> is not there.", cat]))
    missing, shown = page.locator(".xv-story-missing"), page.locator(".xv-sentences")
    expect(shown).to_be_visible()
    page.keyboard.press("t")
    for key, says in (
        ("PageDown", "The model <b>x</b> is not there."),
        ("PageDown", ""),
        ("PageUp", "x"),
        ("PageUp", ""),
    ):
        page.keyboard.press(key)
        expect(missing).to_be_visible(visible=bool(says))
        expect(shown).to_be_visible(visible=not says)
    page.keyboard.press("PageDown")
    assert missing.inner_text() == "The model <b>x</b> is not there."
    page.keyboard.press("Escape")
    expect(page.locator(".xv-overview")).to_be_hidden()
    page.get_by_role("button", name="Next slide").click()
    expect(page.locator(".xv-overview")).to_be_visible()
    expect(page.locator(".xv")).to_have_attribute("data-row", "1")
