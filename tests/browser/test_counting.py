"""The count of tokens beside a prompt follows what is typed, and is the model's own."""

from __future__ import annotations

from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import images
from tests.browser import translate as visitor
from xattn_viz.app.controls import MOST_OF_A_HINT
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter

TYPED = [
    "a red circle",
    "Red circle, to the left of the (blue:2) SQUARE.",
    "an orange ring above blue",
    "circle square ring",
    "",
]


def test_tokens_of_a_prompt_are_counted_while_it_is_typed(app_url: str, page: Page) -> None:
    images.open_images(page, app_url)
    visitor.expect_rest(page)
    page.get_by_role("link", name="Draw from a prompt").click()
    field, count = page.get_by_role("textbox", name="Prompt", exact=True), page.locator(".st-key-count-text output")
    visitor.expect_rest(page)
    model = xv.load("draw-shapes")
    assert isinstance(model, DiffusionAdapter)
    for typed in TYPED:
        field.fill(typed)
        tokens = model.model.words.read(typed).count - 2 if typed else 0
        expect(count).to_have_text(f"{tokens} of 8 tokens")
    field.fill("red " * 9)
    expect(count).to_have_class("over")


def test_models_of_hints_read_as_much_as_the_page_says() -> None:
    model = xv.load("hint-concatenated")
    assert model._hints._most - 2 == MOST_OF_A_HINT  # type: ignore[attr-defined]
