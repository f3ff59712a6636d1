"""The page of images with a model that reads a picture and a hint: the hint's words stand beside the picture."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import images
from tests.browser import translate as visitor
from xattn_viz.examples import HINTS
from xattn_viz.shapes import draw


def test_the_words_of_the_hint_stand_beside_the_picture_with_their_weights(app_url: str, page: Page) -> None:
    example = HINTS[0]
    images.open_images(page, app_url, model=example.model, head="4.2")
    images.expect_caption(page, "a small red circle above a large blue star")
    expect(page.get_by_text("Right to the last word.")).to_be_visible()
    options: dict[str, Any] = dict(example.options)
    trace = xv.load(example.model).trace(draw(example.scene), **options)
    _, start, end = (trace.cross.keys.parts or ())[1]
    chips = page.get_by_role("group", name="Beside the picture").first
    words = [trace.cross.keys.name(i) for i in range(start, end)]
    expect(chips.get_by_role("button")).to_have_count(1 + len(words))  # [CLS] besides
    expect(chips.locator("> span")).to_have_text(["Beside the picture", "Hint"])
    red = (trace.cross.queries.labels or ()).index("red")
    visitor.expect_rest(page)
    page.locator(".xv-rows .xv-text").get_by_text("red", exact=True).click()
    weights = trace.cross.head(3, 1)[red, start:end]
    for number, (word, weight) in enumerate(zip(words, weights, strict=True), 1):
        expect(chips.get_by_role("button").nth(number)).to_have_text(f"{word}{weight:.2f}")
    chips.get_by_role("button").nth(1 + words.index("red")).hover()
    expect(page.locator(".xv-readout")).to_contain_text(f"{weights[words.index('red')]:.2f} on red")
    expect(page.get_by_text("What each word reads")).to_be_visible()
    hint = page.get_by_role("textbox", name="Hint")
    hint.fill("the circle is green")
    hint.press("Enter")
    images.expect_caption(page, "a small green circle above a large star")


def test_a_cross_attention_over_the_hint_alone_leaves_the_picture_veiled(app_url: str, page: Page) -> None:
    images.open_images(page, app_url, model="hint-separate")
    images.expect_caption(page, "a small red circle above a large blue star")
    expect(page.locator(".xv-map-title").first).to_have_text("Layer 4, head 4 (no weight on the picture)")
    cells = page.locator(".xv-stage .xv-cells").first
    clearest = cells.evaluate(
        """canvas => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((_, i) => i % 4 === 3).reduce((a, b) => Math.min(a, b), 255);
        }"""
    )
    assert clearest == 255  # nothing shines through where nothing is read
