"""What meets a newcomer: headings, the tour of a first visit, the list of keys and controls, help, the page About."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import images, speech
from tests.browser import translate as visitor
from xattn_viz.app.about import IDEAS
from xattn_viz.app.page import SENTENCES

STOPS = ["Type a sentence", "The map", "The heads", "A cell", "Step by step"]


def tour(page: Page) -> Locator:
    return page.get_by_role("dialog").filter(has=page.get_by_text(" of 5", exact=False))


def holds(outer: dict[str, float], inner: dict[str, float]) -> bool:
    """Whether a box lies in another; the ring is drawn in whole pixels."""
    return (
        outer["x"] <= inner["x"] + 1
        and outer["y"] <= inner["y"] + 1
        and outer["x"] + outer["width"] >= inner["x"] + inner["width"] - 1
        and outer["y"] + outer["height"] >= min(inner["y"] + inner["height"], 720) - 1
    )


def test_a_first_visit_brings_the_tour_once(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(newcomer=True)
    visitor.open_app(page, app_url)
    card = tour(page)
    expect(card).to_be_visible(timeout=visitor.PATIENCE)
    places = [page.locator(".st-key-text"), *[page.locator(f'[aria-label="{name}"]') for name in ("Chosen map",)]]
    for number, title in enumerate(STOPS, 1):
        expect(card.get_by_role("heading")).to_have_text(title)
        expect(card).to_contain_text(f"{number} of 5")
        page.wait_for_timeout(250)  # the ring follows what it is around
        if number <= len(places):
            assert holds(visitor.box(page.locator(".xv-ring")), visitor.box(places[number - 1]))
        if number == 2:
            assert not visitor.serious(page)
        card.get_by_role("button", name="Done" if number == 5 else "Next").click()
    expect(card).to_be_hidden()
    page.reload()
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    page.wait_for_timeout(1000)
    expect(card).to_be_hidden()
    # It comes again when it is asked for, by keyboard alone; and a look at it changes nothing on the page.
    before = page.url
    page.get_by_role("button", name="Keys, controls, tour").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Take the tour").click()
    expect(card.get_by_role("heading")).to_have_text(STOPS[0])
    page.keyboard.press("ArrowRight")
    expect(card.get_by_role("heading")).to_have_text(STOPS[1])
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert page.url == before


def test_the_tour_can_be_skipped_on_a_phone(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(newcomer=True, viewport={"width": 390, "height": 844})
    visitor.open_app(page, app_url)
    card = tour(page)
    expect(card).to_be_visible(timeout=visitor.PATIENCE)
    found = visitor.box(card)
    assert found["x"] >= 0
    assert found["x"] + found["width"] <= 390
    card.get_by_role("button", name="Skip the tour").click()
    expect(card).to_be_hidden()
    assert page.evaluate("localStorage.getItem('xattn_viz.tour')") == "seen"


def test_keys_and_controls_are_listed_and_each_says_what_it_does(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    help_line = page.get_by_role("tooltip")
    # Under the pointer and under the keyboard, Streamlit's controls and the explorer's; Escape takes it away.
    page.locator(".st-key-direction").hover()
    expect(help_line).to_contain_text("Which model works here.")
    page.mouse.move(640, 715)
    expect(help_line).to_have_count(0)
    page.get_by_role("button", name="Words", exact=True).hover()
    expect(help_line).to_contain_text("What rows and columns stand for")
    page.mouse.move(640, 715)
    visitor.field(page).focus()
    expect(help_line).to_contain_text("Type anything here")
    page.keyboard.press("Escape")
    expect(help_line).to_have_count(0)
    page.get_by_label("Colour map").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(help_line).to_contain_text("In which colours weights are shown.")
    assert "colours" in (page.get_by_label("Colour map").get_attribute("aria-description") or "")
    page.get_by_role("button", name="Keys, controls, tour").click()
    listed = page.get_by_role("dialog", name="Keys and controls")
    for said in (
        "Model",
        "Units",
        "Colour scale",
        "Special tokens",
        "Copy link",
        "on a cell: how its weight comes about",
    ):
        expect(listed.get_by_text(said, exact=True).first).to_be_visible()
    assert not visitor.serious(page)
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()


# What has the keyboard, whether a line of help is beside it, and what needs none: links, words, cells, matrices.
_FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (!at || at === document.body) return null;
  const roots = [document, ...[...document.querySelectorAll('*')].flatMap(({ shadowRoot }) => shadowRoot ?? [])];
  const helped = roots.some((root) =>
    [...root.querySelectorAll('[role=tooltip]')].some((tip) => tip.checkVisibility() && tip.offsetHeight > 0));
  const needsNone = at.matches('a, td, [role=option], [role=application], .xv-end, .xv-scroll');
  const inHeader = at.closest('[data-testid=stHeader], [data-testid=stSidebar]') !== null;
  return [at.getAttribute('aria-label') ?? at.textContent ?? '', helped || needsNone || inHeader];
}"""


def unexplained(page: Page) -> set[str]:
    """The controls that the keyboard comes to and that say nothing about themselves."""
    page.get_by_role("heading", level=1).click()
    found: dict[str, bool] = {}
    for _ in range(90):
        page.keyboard.press("Tab")
        said = page.evaluate(_FOCUSED)
        if said is not None and not said[1]:
            page.wait_for_timeout(300)  # Streamlit's own help takes its time
            said = page.evaluate(_FOCUSED)
        if said is None or (said[0] in found and len(found) > 8 and said[0] == next(iter(found))):
            break
        found[said[0]] = found.get(said[0], False) or said[1]
    assert len(found) > 8
    return {name for name, helped in found.items() if not helped}


def test_each_control_of_easel_layer_evidence_and_stories_says_what_it_does(app_url: str, page: Page) -> None:
    listed = page.get_by_role("dialog", name="Keys and controls")
    wanted = {
        "images": ("Delete", "Say it", "Add"),
        "layer": ("Causal", "Lessons", "in a matrix", "Reset the numbers"),
        "stories": ("Save", "Story", "the talk, full screen"),
        "evidence": ("Measure each head", "Link the words"),
    }
    for name, texts in wanted.items():
        if name == "images":
            images.open_images(page, app_url)
            images.open_easel(page)
        elif name == "evidence":
            visitor.open_app(page, app_url, text="A kettle of our own.")  # of which nothing was measured yet
            page.get_by_text("Evidence", exact=True).click()
            expect(page.locator(".st-key-ask-costs")).to_be_visible(timeout=visitor.PATIENCE)
        else:
            page.goto(f"{app_url}/{name}")
            expect(page.locator(".xv").first).to_be_visible(timeout=visitor.PATIENCE)
        visitor.expect_rest(page)
        assert unexplained(page) == set(), name
        page.get_by_role("button", name="Keys, controls, tour").click()
        for text in texts:
            expect(listed.get_by_text(text).first).to_be_visible()
        page.keyboard.press("Escape")


STOPS_OF = {
    "speech": ("Give a sound", ".st-key-controls", "from left to right runs the sound"),
    "images": ("Give a picture", ".st-key-controls", "lies over the picture"),
    "draw": ("Say what to draw", ".st-key-text", "lies over the picture"),
}


@pytest.mark.parametrize("name", STOPS_OF)
def test_the_tour_of_sounds_and_pictures_stops_at_what_it_names(
    app_url: str, open_page: Callable[..., Page], name: str
) -> None:
    page = open_page(newcomer=True)
    page.goto(f"{app_url}/{name}")
    card, ring = tour(page), page.locator(".xv-ring")
    expect(card).to_be_visible(timeout=visitor.PATIENCE)
    first, given, of_map = STOPS_OF[name]
    last = ".xv-noise" if name == "draw" else ".xv-stepping"
    places = [given, '[aria-label="Chosen map"]', ".xv-heads", '[aria-label="Chosen map"] .xv-stage', last]
    for number, (title, place) in enumerate(zip([first, *STOPS[1:]], places, strict=True), 1):
        expect(card.get_by_role("heading")).to_have_text(title)
        expect(card).to_contain_text(f"{number} of 5")
        if number == 2:
            expect(card).to_contain_text(of_map)
        page.wait_for_timeout(450)  # the ring follows what it is around
        around, own = visitor.box(ring), visitor.box(page.locator(place).first)
        assert holds(around, own), (name, title)
        shown = visitor.box(card)
        assert shown["x"] >= 0
        assert shown["y"] >= 0
        assert shown["x"] + shown["width"] <= 1280
        assert shown["y"] + shown["height"] <= 720
        card.get_by_role("button", name="Done" if number == 5 else "Next").click()
    expect(card).to_be_hidden()


def test_every_page_has_a_heading_a_sentence_and_a_title_of_its_own(app_url: str, page: Page) -> None:
    opened: dict[str, Callable[[], object]] = {
        "Translate": lambda: visitor.open_app(page, app_url),
        "Speech": lambda: speech.open_speech(page, app_url),
        "Images": lambda: images.open_images(page, app_url),
        "Layer": lambda: page.goto(f"{app_url}/layer"),
        "About": lambda: page.goto(f"{app_url}/about"),
    }
    for title, reach in opened.items():
        reach()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.get_by_text(SENTENCES[title])).to_be_visible()
        asked = {"Translate": "The cat sat … — ", "Speech": "Had he married … — "}.get(title, "")
        if title == "Images":
            assert page.title().endswith(" … — Images · xattn_viz")
        else:
            expect(page).to_have_title(f"{asked}{title} · xattn_viz")
    visitor.open_app(page, app_url, text="<b>Rain</b> fell on us all.")
    expect(page).to_have_title("<b>Rain</b> fell on … — Translate · xattn_viz")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_about_shows_each_idea_in_an_explorer_that_works(
    app_url: str, open_page: Callable[..., Page], scheme: str
) -> None:
    page = open_page(color_scheme=scheme)
    page.goto(f"{app_url}/about")
    explorers = page.locator(".xv[data-painted]")
    expect(explorers).to_have_count(len(IDEAS), timeout=visitor.PATIENCE)
    expect(page.get_by_role("heading", level=2)).to_contain_text(list(IDEAS))
    first = explorers.first
    first.locator(".xv-rows .xv-text").nth(1).click()
    expect(first.locator(".xv-readout")).to_contain_text("Predicting")
    expect(explorers.nth(2).locator(".xv-check")).to_contain_text("captured while the model ran")
    heads = explorers.nth(5)
    heads.locator('[data-view="1.6"]').click()
    expect(heads).to_have_attribute("data-head", "1.6")
    assert page.url == f"{app_url}/about"  # several explorers leave the address alone
    visitor.expect_rest(page)
    assert not visitor.serious(page)
    if scheme == "light":
        page.get_by_role("link", name="Type a sentence of your own").click()
        expect(visitor.explorer(page)).to_have_count(1, timeout=visitor.PATIENCE)  # those of About have gone
        visitor.expect_said(page, model="firefox-en-pt", head="2.1")
        expect(visitor.explorer(page)).to_have_attribute("data-head", "2.1")  # not the one that was looked at in About
