"""Whatever changes what is shown: title, sentence, panel, comparison, downloads and address speak of the same map."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser import images, speech
from tests.browser import translate as visitor
from xattn_viz.core.view import View, head_key, head_title, parse_head
from xattn_viz.examples import EXAMPLES, SCENES, clips
from xattn_viz.inputs import audio
from xattn_viz.shapes.sentence import caption

# Chooses a map, and presses a button before any message is sent.
CHOOSE = """(root, [view, name]) => {
  root.querySelector(`.xv-tiles [data-view="${view}"]`).click();
  [...document.querySelectorAll("button")].find((button) => button.textContent.trim() === name)?.click();
}"""
# Notes that a text stood on the page, however briefly: a drawing may be done between two looks.
NOTE = """(text) => {
  window.hasStood = false;
  new MutationObserver((changes, observer) => {
    if (!document.body.textContent.includes(text)) return;
    window.hasStood = true;
    observer.disconnect();
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""
TEXT = "My brother repaired the old clock. The children sang loudly."
PROMPT = "a blue star"


class Shown:
    """A page, and whether all that it says is of one map."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder = page, folder

    def open_panel(self) -> None:
        visitor.expect_rest(self.page)
        self.page.get_by_text("This head in numbers").click()

    def choose(self, view: str) -> None:
        self.page.locator(f'.xv-tiles [data-view="{view}"]').click()
        expect(visitor.explorer(self.page)).to_have_attribute("data-head", view)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def assert_one_truth(self, *, text: str | None = None, head: str | None = None, **wanted: str) -> dict[str, Any]:
        """What the downloaded map says; it, and all else, is of the head, the text and the view that are wanted."""
        page = self.page
        if text is not None:
            visitor.expect_source(page, text)
        shown = visitor.explorer(page)
        expect(shown).to_have_attribute("data-head", head or re.compile("."))
        name = shown.get_attribute("data-head") or ""
        layer, number = parse_head(name)
        title = head_title(layer, number)
        expect(page.locator('[aria-label="Chosen map"] h3')).to_have_text(re.compile(re.escape(title), re.IGNORECASE))
        visitor.expect_rest(page)
        panel = page.locator(".st-key-panel")
        if isinstance(number, int):
            expect(panel.get_by_text(title.capitalize(), exact=True)).to_be_visible(timeout=visitor.PATIENCE)
        else:
            expect(panel.get_by_text("A mean or maximum over heads is chosen.")).to_be_visible(timeout=visitor.PATIENCE)
        saved = self._saved({"head": name, **wanted})
        assert saved["view"]["head"] == name
        assert title in saved["title"].lower()
        assert wanted.items() <= saved["view"].items()
        self._assert_sentence(saved)
        said = visitor.said(page)
        if "head" in said or wanted:  # the address of a first visit says nothing
            visitor.expect_said(page, head=name, **wanted)
            view = View.parse(visitor.said(page))
            assert (view.name, view.kind) == (name, saved["view"].get("map", "cross"))
            assert wanted.items() <= view.format().items()
        if text is not None:
            assert saved["input"] == text
            assert said.get("text", EXAMPLES[0].text).strip() == visitor.field(page).input_value().strip()
            assert text in visitor.field(page).input_value()
        return saved

    def _saved(self, wanted: dict[str, str]) -> dict[str, Any]:
        """The map as it is downloaded, once the page has heard what the visitor rests on."""
        deadline = time.monotonic() + 10
        while True:
            path = visitor.download(self.page, self.page.locator(".st-key-JSON button"), self.folder)
            saved: dict[str, Any] = json.loads(path.read_text("utf-8"))
            self.page.locator(".xv-readout").click()  # Streamlit's button takes the focus away with the first click
            if wanted.items() <= saved["view"].items() or time.monotonic() > deadline:
                return saved
            self.page.wait_for_timeout(200)

    def _assert_sentence(self, saved: dict[str, Any]) -> None:
        """The line in words says the largest weight of the chosen row, as it was downloaded."""
        said = self.page.locator(".xv-readout strong").first
        row, view = int(visitor.explorer(self.page).get_attribute("data-row") or -1), saved["view"]
        if row < 0 or "column" in view or not said.count() or saved["keys"]["kind"] == "audio":
            return
        assert float(said.inner_text()) == pytest.approx(max(saved["weights"][row]), abs=0.011)


@pytest.fixture
def shown(page: Page, tmp_path: Path) -> Shown:
    return Shown(page, tmp_path)


def test_a_translation_is_one_map_whatever_is_chosen(
    app_url: str, shown: Shown, page: Page, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    visitor.open_app(page, app_url)
    shown.open_panel()
    shown.assert_one_truth(text=EXAMPLES[0].text)
    shown.choose("2.1" if shown.page.locator(".xv").get_attribute("data-head") != "2.1" else "1.4")
    shown.choose("1.4")
    shown.assert_one_truth(head="1.4")
    first, second = (sentence.strip() for sentence in re.split(r"(?<=\.) ", TEXT))
    visitor.translate(page, TEXT)
    shown.assert_one_truth(text=first, head="1.4")
    for name, said in (("Words", {"units": "words"}), ("Read", {"rows": "input"}), ("Common", {"scale": "common"})):
        shown.press(name)
        shown.assert_one_truth(text=first, head="1.4", **said)
    page.get_by_label("Special tokens").uncheck()
    shown.assert_one_truth(text=first, head="1.4", special="false")
    shown.press("Next ▶")
    shown.assert_one_truth(text=second, head="1.4", units="words", rows="input", special="false")
    shown.choose("mean")
    kept = {"units": "words", "rows": "input", "scale": "common", "special": "false"}
    shown.assert_one_truth(text=second, head="mean", **kept)
    shown.choose("2.3")
    shown.assert_one_truth(text=second, head="2.3", **kept)

    # A link, a reload, another page and back all show the same.
    other = Shown(open_page(), tmp_path)
    other.page.goto(page.url)
    visitor.explorer(other.page).wait_for(timeout=visitor.PATIENCE)
    other.open_panel()
    other.assert_one_truth(text=second, head="2.3", **kept)
    other.page.context.close()
    page.reload()
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    shown.open_panel()
    shown.assert_one_truth(text=second, head="2.3", **kept)
    page.get_by_role("link", name="Layer", exact=True).click()
    page.get_by_role("link", name="Translate", exact=True).wait_for()
    page.wait_for_url("**/layer**")
    visitor.expect_rest(page)
    page.get_by_role("link", name="Translate", exact=True).click()
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    if not page.locator(".st-key-panel").get_by_text("Layer 2, head 3").count():
        shown.open_panel()
    shown.assert_one_truth(text=second, head="2.3", **kept)

    # An output of one's own, and another model.
    visitor.expect_rest(page)
    page.get_by_role("button", name="Output").click()
    own = page.get_by_role("textbox", name="An output of your own")
    own.fill("As crianças cantam.")
    own.press("Control+Enter")
    page.keyboard.press("Escape")
    visitor.expect_said(page, target="As crianças cantam.")
    expect(visitor.output(page)).to_contain_text("cantam", timeout=visitor.PATIENCE)
    saved = shown.assert_one_truth(text=second, head="2.3", **kept)
    assert saved["output"] == "As crianças cantam."
    visitor.choose_model(page, "Portuguese → English")
    other_example = next(example for example in EXAMPLES if example.model == "firefox-pt-en")
    shown.assert_one_truth(text=other_example.text, head=head_key(other_example.layer, other_example.head))
    visitor.tick(page, "Self-attention too")
    page.get_by_role("button", name="Encoder", exact=True).click()
    shown.assert_one_truth(map="encoder")


def test_a_choice_that_the_page_has_not_heard_of_stays(app_url: str, shown: Shown, page: Page) -> None:
    """At the moment of asking, and on the map before while a model runs."""
    visitor.open_app(page, app_url)
    shown.open_panel()
    visitor.field(page).fill("The river is cold.")
    visitor.explorer(page).evaluate(CHOOSE, ["1.3", "Translate"])
    shown.assert_one_truth(text="The river is cold.", head="1.3")
    visitor.field(page).fill(" ".join([TEXT] * 8))
    page.get_by_role("button", name="Translate", exact=True).click()
    visitor.explorer(page).evaluate(CHOOSE, ["2.4"])
    shown.assert_one_truth(text="My brother repaired the old clock.", head="2.4")


def test_each_act_on_a_page_is_undone_by_back_and_repeated_by_forward(app_url: str, shown: Shown, page: Page) -> None:
    page.goto("about:blank")
    visitor.open_app(page, app_url)
    shown.open_panel()
    texts = (EXAMPLES[0].text, "The river is cold.", "The river is cold.", "The bridge is old.", "The bridge is old.")
    first = page.locator(".xv").get_attribute("data-head")
    views = (first, first, "1.2", "1.2", "2.4")
    for text, before, view in zip(texts[1:], texts, views[1:], strict=False):
        if text != before:
            visitor.translate(page, text)
        else:
            shown.choose(str(view))
            visitor.expect_said(page, head=str(view))
        shown.assert_one_truth(text=text, head=view)
    for text, view in [*zip(texts, views, strict=True)][-2::-1]:
        page.go_back()
        shown.assert_one_truth(text=text, head=view)
        assert visitor.field(page).input_value() == text
    for text, view in [*zip(texts, views, strict=True)][1:]:
        page.go_forward()
        shown.assert_one_truth(text=text, head=view)
    # A page that was turned to is one step; and the visit ends where it began.
    page.get_by_role("link", name="Layer", exact=True).click()
    page.wait_for_url("**/layer**")
    visitor.expect_rest(page)
    page.go_back()
    visitor.expect_source(page, texts[-1])
    for _ in texts:
        page.go_back()
    page.wait_for_url("about:blank")


def test_of_speech_all_is_of_the_sound_that_was_given_last(app_url: str, shown: Shown, page: Page) -> None:
    speech.open_speech(page, app_url)
    shown.open_panel()
    shown.assert_one_truth()
    shown.choose("2.3")
    shown.assert_one_truth(head="2.3")
    speech.give(page, "forward.wav", audio.wav(clips.sound("forward").samples))
    progress = page.get_by_text(re.compile("On screen until then"))
    expect(progress.or_(page.get_by_text("forward.wav. Attention"))).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.get_by_text("forward.wav. Attention")).to_be_visible(timeout=visitor.PATIENCE)
    speech.expect_transcript(page, "forward")
    saved = shown.assert_one_truth(head="2.3")
    assert "forward" in saved["output"].lower()
    page.go_back()
    expect(page.get_by_text("forward.wav. Attention")).to_have_count(0, timeout=visitor.PATIENCE)
    shown.assert_one_truth(head="2.3")


def test_of_a_picture_all_is_of_the_map_over_it(app_url: str, shown: Shown, page: Page) -> None:
    images.open_images(page, app_url)
    shown.open_panel()
    shown.assert_one_truth()
    shown.choose("1.2")
    shown.assert_one_truth(head="1.2")
    visitor.expect_rest(page)
    page.locator(".st-key-picture").get_by_role("button", name="Open").click()
    page.get_by_role("option", name=caption(SCENES[1].scene).capitalize(), exact=True).click()
    visitor.expect_said(page, picture=SCENES[1].slug)
    images.expect_caption_of(page, SCENES[1].scene)
    shown.assert_one_truth(head=head_key(SCENES[1].layer, SCENES[1].head))
    images.open_easel(page)
    page.get_by_label("or say it").fill("a red circle left of a blue star")
    page.get_by_label("or say it").press("Enter")
    images.expect_caption(page, "a large red circle left of a large blue star")
    shown.choose("mean")
    shown.assert_one_truth(head="mean")
    page.reload()
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    shown.open_panel()
    shown.assert_one_truth(head="mean")


def test_of_a_drawing_all_is_of_one_map_and_says_whose_is_on_screen(app_url: str, shown: Shown, page: Page) -> None:
    said = {"model": "draw-shapes", "text": PROMPT, "head": "3.2"}
    page.goto(f"{app_url}/draw?{urlencode(said)}")
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    shown.open_panel()
    shown.assert_one_truth(head="3.2")
    shown.choose("mean")
    shown.assert_one_truth(head="mean")
    field = page.get_by_role("textbox", name="Prompt", exact=True)
    page.evaluate(NOTE, f"On screen until then: {PROMPT}")
    field.fill("a green ring")
    field.press("Enter")
    # Until the new drawing is there, the page says that it is the old one that is seen; and its verdict is gone.
    page.wait_for_function("window.hasStood", timeout=visitor.PATIENCE)
    expect(page.get_by_text("Drawn as asked.")).to_have_count(0)
    expect(page.get_by_role("listbox", name="Prompt")).to_contain_text("ring", timeout=visitor.PATIENCE)
    shown.assert_one_truth(head="mean")
    field.fill("a green hexagon")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("hexagon", timeout=visitor.PATIENCE)
    expect(page.locator(".xv[data-painted]")).to_have_count(0)  # no map stands under a prompt that it is not of
