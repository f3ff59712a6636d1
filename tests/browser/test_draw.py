"""The page that draws, as a visitor uses it: a prompt, a seed, another of both beside, a picture that forms."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import images
from tests.browser import translate as visitor
from xattn_viz.analysis.localization import share
from xattn_viz.examples import PROMPTS, SCENES
from xattn_viz.shapes import judge
from xattn_viz.shapes.sentence import named

PROMPT, OTHER = "the cat sat on the mat", "the rain sat on the boat"


def draw(page: Page, prompt: str) -> None:
    visitor.expect_rest(page)
    field = page.get_by_role("textbox", name="Prompt", exact=True)
    field.fill(prompt)
    field.press("Enter")


def test_the_small_model_draws_what_it_is_asked_for_and_says_so(app_url: str, page: Page) -> None:
    images.open_images(page, app_url)
    visitor.expect_rest(page)
    page.get_by_role("link", name="Draw from a prompt").click()
    first = PROMPTS[0]
    prompt = page.get_by_role("listbox", name="Prompt")
    expect(prompt).to_contain_text(first.text.split()[-1], timeout=visitor.PATIENCE)
    expect(page.get_by_text("Drawn as asked.")).to_be_visible()
    expect(page.get_by_text(f"Layer {first.layer + 1}, head {first.head + 1}").first).to_be_visible()
    trace = xv.load(first.model).trace(first.text)
    expect(prompt.locator("[aria-selected=true]")).to_have_text(trace.cross.keys.name(first.token))
    visitor.expect_rest(page)
    page.get_by_text("Attention inside the object’s box").click()
    assert trace.picture is not None
    words = [trace.cross.keys.name(i) for i in range(len(trace.cross.keys))]
    found = named(words, judge(trace.picture))
    assert found
    mean = np.mean([share(trace.cross, first.layer, first.head, at, thing.box).weight for at, thing in found])
    said = page.get_by_text(re.compile(r"put \d\.\d\d of their weight on the box of their own thing"))
    weight = float((said.text_content() or "").split(" put ")[1].split()[0])
    assert weight == pytest.approx(mean, abs=0.011)  # another process may sum in another order

    visitor.expect_rest(page)
    draw(page, "a red hexagon")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(
        "does not know: “hexagon” (nearest: “above”). It knows a, above, an, below, blue", timeout=visitor.PATIENCE
    )
    visitor.expect_rest(page)
    draw(page, "a (red:2) circle")
    expect(prompt).to_contain_text("circle", timeout=visitor.PATIENCE)
    expect(alert).to_have_count(0)
    visitor.expect_said(page, text="a (red:2) circle")
    visitor.expect_rest(page)
    others = page.get_by_label("Look for", exact=True)
    others.fill("star, blue square")
    others.press("Enter")
    page.get_by_role("button", name="Concepts", exact=True).click(timeout=visitor.PATIENCE)
    expect(page.get_by_role("listbox", name="Concepts")).to_contain_text("blue square")
    visitor.expect_said(page, text="a (red:2) circle", map="concepts", **{"option.concepts": "star, blue square"})
    visitor.expect_rest(page)
    assert visitor.serious(page) == []
    page.get_by_role("link", name="Read a picture").click()
    images.expect_caption_of(page, SCENES[0].scene)


def test_a_model_from_a_folder_draws_by_prompt_and_seed(
    app_url: str, open_page: Callable[..., Page], folders: Path, tmp_path: Path
) -> None:
    page = open_page()
    page.goto(f"{app_url}/draw")
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

    # It begins as a picture, of which a part is drawn anew; the link says that nobody else has it.
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5).save(photo)
    Image.fromarray(np.eye(4, dtype=np.uint8) * 255).save(mask)
    page.get_by_role("button", name="Begin as a picture", exact=True).click()
    page.locator(".st-key-begin-start input[type=file]").set_input_files(photo)
    expect(page.get_by_text("The drawing began as this")).to_be_visible(timeout=visitor.PATIENCE)
    page.locator(".st-key-begin-mask input[type=file]").set_input_files(mask)
    expect(page.get_by_text("Drawn anew where it is not pale")).to_be_visible(timeout=visitor.PATIENCE)
    page.keyboard.press("Escape")
    visitor.expect_rest(page)
    begun = xv.load_trace(visitor.download(page, page.locator(".st-key-NPZ button"), tmp_path))
    wanted = xv.load(folders / "drawing").trace(PROMPT, seed=41, start=photo, mask=mask)
    assert (begun.settings["start"], begun.settings["mask"]) == (wanted.settings["start"], wanted.settings["mask"])
    assert np.abs(begun.pictures[-1].astype(int) - wanted.pictures[-1]).max() <= 1
    assert np.abs(begun.pictures[-1].astype(int) - drawn.pictures[-1]).max() > 1
    page.get_by_role("button", name="Begin as a picture", exact=True).click()
    page.get_by_role("button", name="Begin as noise", exact=True).click()
    expect(page.get_by_text("The drawing began as this")).to_have_count(0, timeout=visitor.PATIENCE)
    visitor.expect_said(page, text=PROMPT, **{"option.seed": "41"})
    visitor.expect_rest(page)
    page.keyboard.press("Escape")
    expect(page.locator(".st-key-begin-start")).to_have_count(0, timeout=visitor.PATIENCE)

    visitor.expect_rest(page)
    page.get_by_role("button", name="Compare", exact=True).click()
    visitor.expect_rest(page)
    second = page.locator(".st-key-compare-items")
    other = second.get_by_label("Prompt", exact=True)
    other.fill(OTHER)
    counted = page.locator('[class*="st-key-count-compare-text"] output')
    expect(counted).to_have_text(re.compile(rf"\b{len(OTHER.split())} of \d+ tokens"))
    other.press("Enter")
    expect(page.locator('[aria-label="Map of the other output"] .xv-stage')).to_be_visible(timeout=visitor.PATIENCE)
    visitor.expect_said(page, text=PROMPT, compare=OTHER, **{"option.seed": "41"})
    visitor.expect_rest(page)
    page.get_by_role("button", name="Compared", exact=True).click()  # it closed behind who compared
    visitor.expect_rest(page)
    seed = second.get_by_label("Seed", exact=True)
    expect(seed).to_have_value("41")
    seed.fill("7")
    seed.press("Enter")
    expect(page.get_by_text("Seed: A 41, B 7.")).to_be_visible(timeout=visitor.PATIENCE)
    visitor.expect_said(page, text=PROMPT, compare=OTHER, **{"option.seed": "41", "compare-option.seed": "7"})
    visitor.expect_rest(page)
    assert visitor.serious(page) == []

    # A model that takes long enough to be watched; and another seed each time, or the drawing is there already.
    seeded = str(int(time.time()))
    page.goto(f"{app_url}/draw?model=draw-shapes&option.seed={seeded}")
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    visitor.expect_rest(page)
    expect(page.get_by_label("Seed", exact=True)).to_have_value(seeded)
    page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name="Denoising steps").click()
    page.get_by_role("option", name="100", exact=True).click()
    page.get_by_text("Stream the result", exact=True).click()
    page.keyboard.press("Escape")
    draw(page, "a blue star")
    # Looked for in every frame: it may be gone before Playwright looks a second time.
    page.wait_for_function(
        r"() => /Prompt 1: step [1-9]\d* of 100/.test(document.body.textContent)",
        polling="raf",
        timeout=visitor.PATIENCE,
    )
    expect(page.get_by_role("listbox", name="Prompt")).to_contain_text("star", timeout=visitor.PATIENCE)
    expect(page.get_by_text(re.compile("step .* of 100"))).to_have_count(0, timeout=visitor.PATIENCE)
    expect(page.get_by_role("alert")).to_have_count(0)
