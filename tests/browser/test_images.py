"""The page of images as a visitor uses it: scenes, an easel, a sentence, files; and what is true of the caption."""

from __future__ import annotations

import io
import json
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
from xattn_viz.examples import SCENES
from xattn_viz.shapes import Scene, Thing, draw
from xattn_viz.shapes.scene import to_link

FIRST = SCENES[0]


def png(scene: Scene, pixels: int = 300) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw(scene, pixels)).save(file, "png")
    return file.getvalue()


def drawn(page: Page) -> str:
    """The things on the easel as the page draws them."""
    found: str = images.things(page).evaluate_all("things => things.map((thing) => thing.outerHTML).join()")
    return found


def test_an_example_is_captioned_and_its_numbers_are_those_of_the_model(
    app_url: str, page: Page, tmp_path: Path
) -> None:
    images.open_images(page, app_url)
    images.expect_caption_of(page, FIRST.scene)
    links = page.get_by_test_id("stTopNav").get_by_role("link")
    expect(links).to_have_text(["Translate", "Speech", "Images", "Layer", "About", "Stories"])
    expect(page.get_by_text("Right to the last word.")).to_be_visible()
    trace = xv.load(FIRST.model).trace(draw(FIRST.scene))
    visitor.expect_rest(page)
    page.get_by_text("Attention inside the object’s box").click()
    circle, star = FIRST.scene.things
    words = trace.cross.queries.labels or ()
    rows = [(words.index(word), thing) for thing in (circle, star) for word in (thing.colour, thing.shape)]
    shares = [share(trace.cross, FIRST.layer, FIRST.head, row, thing.box) for row, thing in rows]
    mean = np.mean([one.weight for one in shares])
    expect(page.get_by_text(f"put {mean:.2f} of their weight on the box of their own thing")).to_be_visible()
    page.get_by_text("In a notebook").click()
    expect(page.get_by_text("Scene, Thing, draw")).to_be_visible()
    written = visitor.download(page, page.locator(".st-key-JSON button"), tmp_path)
    said = json.loads(written.read_text(encoding="utf-8"))
    assert said["output"] == trace.output


def test_what_is_placed_on_the_easel_is_captioned_and_the_history_leads_back(app_url: str, page: Page) -> None:
    images.open_images(page, app_url)
    images.open_easel(page)
    expect(images.things(page)).to_have_count(2)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(images.things(page)).to_have_count(0)
    images.expect_caption_of(page, FIRST.scene)  # blank paper has no caption: the last one stays
    images.take(page, "green", "ring", "large")
    images.place(page, 0.3, 0.5)
    images.expect_caption(page, "a large green ring")
    placed = images.scene(page)
    (thing,) = placed.things
    assert (thing.x, thing.y) == pytest.approx((0.3, 0.5), abs=0.02)
    images.take(page, "yellow", "square", "small")
    images.place(page, 0.8, 0.4)
    images.expect_caption(page, "a large green ring left of a small yellow square")
    images.drag(page, (0.8, 0.4), (0.1, 0.4))
    visitor.expect_said(page, scene=to_link(Scene((thing, Thing("yellow", "square", 0.1, 0.4, 0.09)))))
    expect(page.get_by_text("overlap or lie so level")).to_be_visible()
    images.place(page, 0.8, 0.8)
    images.place(page, 0.8, 0.2)
    expect(page.get_by_text("trained on one to three things")).to_be_visible()
    expect(images.things(page)).to_have_count(3)
    page.wait_for_url("**_yellow-square-80-80-9*")
    for count in (2, 2, 1):
        visitor.expect_rest(page)
        before = drawn(page)
        page.go_back()
        expect(images.things(page)).to_have_count(count)
        # Two of the steps have as many things: the next one back may be taken when the easel shows this one.
        for _ in range(400):
            if drawn(page) != before:
                break
            page.wait_for_timeout(50)
        assert drawn(page) != before
    images.expect_caption(page, "a large green ring")
    expect(images.things(page)).to_have_count(1)
    assert images.scene(page) == placed


def test_the_easel_needs_no_mouse(app_url: str, page: Page) -> None:
    images.open_images(page, app_url, scene="red-star-50-30-17")
    images.open_easel(page)
    images.things(page).first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    visitor.expect_said(page, scene="red-star-56-30-17")
    page.locator(".xv-palette").get_by_role("radio", name="red", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    expect(images.things(page)).to_have_count(2)
    expect(images.things(page).nth(1)).to_be_focused()
    page.wait_for_url("**_orange-circle-**")
    images.expect_caption_of(page, images.scene(page))
    page.keyboard.press("Delete")
    visitor.expect_said(page, scene="red-star-56-30-17")
    expect(images.things(page).first).to_be_focused()


def test_a_sentence_makes_a_scene_and_a_wrong_one_is_answered_in_a_sentence(app_url: str, page: Page) -> None:
    images.open_images(page, app_url)
    images.open_easel(page)
    field = page.get_by_label("or say it")
    field.fill("a small pink cross above a blue hexagon")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(
        "There is no “hexagon” (nearest: “and”) in a scene: it knows small, large, red"
    )
    images.expect_caption_of(page, FIRST.scene)
    field.fill("a small pink cross above a brown triangle")
    field.press("Enter")
    images.expect_caption(page, "a small pink cross above a large brown triangle")
    expect(images.things(page)).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_uploaded_picture_is_captioned_and_what_is_none_has_no_map(app_url: str, page: Page) -> None:
    images.open_images(page, app_url)
    images.open_easel(page)
    images.give(page, "mine.png", png(Scene((Thing("pink", "cross", 0.4, 0.6, 0.17),))))
    images.expect_caption(page, "a large pink cross")
    expect(page.get_by_text("mine.png. Attention weights show")).to_be_visible()
    expect(page.get_by_text("last word")).to_have_count(0)  # nobody knows what is in it
    expect(images.things(page)).to_have_count(0)
    for data in (b"This is a text, no picture.", b"", png(FIRST.scene)[:200]):
        images.give(page, "notes.png", data)
        expect(page.get_by_role("alert")).to_contain_text("picture", timeout=visitor.PATIENCE)
        visitor.expect_rest(page)
        expect(page.get_by_role("alert")).to_have_count(1)
        expect(page.locator(".xv[data-painted]")).to_have_count(0)
    images.give(page, "mine.png", png(Scene((Thing("blue", "star", 0.4, 0.6, 0.17),))))
    images.expect_caption(page, "a large blue star")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_page_keeps_its_own_while_another_is_looked_at(app_url: str, page: Page) -> None:
    images.open_images(page, app_url, picture="alone")
    images.expect_caption_of(page, next(example.scene for example in SCENES if example.slug == "alone"))
    page.get_by_role("link", name="Speech").click()
    page.locator(".st-key-recording").wait_for(timeout=visitor.PATIENCE)
    visitor.expect_rest(page)
    page.get_by_role("link", name="Images").click()
    images.expect_caption(page, "a large pink cross")
    visitor.expect_said(page, picture="alone")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(app_url: str, open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    images.open_images(page, app_url)
    images.open_easel(page)
    images.things(page).first.focus()
    page.wait_for_timeout(400)  # colours fade in
    assert visitor.serious(page) == []
