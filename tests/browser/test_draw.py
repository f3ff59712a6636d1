"""The page that draws, as a visitor uses it: a prompt, a seed, another prompt beside, a picture that forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import translate as visitor
from tests.server import Server

PROMPT, OTHER = "the cat sat on the mat", "the rain sat on the boat"


def draw(page: Page, prompt: str) -> None:
    visitor.expect_rest(page)
    field = page.get_by_role("textbox", name="Prompt", exact=True)
    field.fill(prompt)
    field.press("Enter")


def test_a_model_from_a_folder_draws_by_prompt_and_seed(
    served: Server, open_page: Callable[..., Page], folders: Path, tmp_path: Path
) -> None:
    page = open_page()
    page.goto(f"{served.url}/draw")
    visitor.name_model(page, str(folders / "drawing"))
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    draw(page, PROMPT)
    expect(page.get_by_role("listbox", name="Prompt")).to_contain_text("mat", timeout=visitor.PATIENCE)
    visitor.expect_rest(page)
    seed = page.get_by_label("Seed", exact=True)
    seed.fill("41")
    seed.press("Enter")
    visitor.expect_said(page, text=PROMPT, **{"option.seed": "41"})
    drawn = xv.load_trace(visitor.download(page, page.locator(".st-key-NPZ button"), tmp_path))
    wanted = xv.load(folders / "drawing").trace(PROMPT, seed=41)
    # Another process may sum in another order: a pixel is then off by one, a weight by its last digits.
    assert np.abs(drawn.pictures[-1].astype(int) - wanted.pictures[-1]).max() <= 1
    np.testing.assert_allclose(drawn.cross.weights, wanted.cross.weights, atol=2e-3)

    other = page.get_by_label("Another prompt, same seed", exact=True)
    other.fill(OTHER)
    other.press("Enter")
    expect(page.get_by_text("the lightest is")).to_be_visible(timeout=visitor.PATIENCE)
    visitor.expect_said(page, text=PROMPT, target=OTHER)
    columns = page.get_by_test_id("stColumn")
    for column, prompt in zip((columns.nth(0), columns.nth(1)), (PROMPT, OTHER), strict=True):
        expect(column).to_contain_text(prompt)
        expect(column.get_by_test_id("stImage").locator("img")).to_have_count(1 + len(prompt.split()))
    visitor.expect_rest(page)
    assert visitor.serious(page) == []

    page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name="Denoising steps").click()
    page.get_by_role("option", name="100", exact=True).click()
    page.get_by_text("Watch it form", exact=True).click()
    page.keyboard.press("Escape")
    draw(page, "a boat")
    expect(page.get_by_text(re.compile(r"Prompt 1: step \d+ of 100"))).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.get_by_role("listbox", name="Prompt")).to_contain_text("boat", timeout=visitor.PATIENCE)
    expect(page.get_by_text(re.compile("step .* of 100"))).to_have_count(0, timeout=visitor.PATIENCE)
    expect(page.get_by_role("alert")).to_have_count(0)
