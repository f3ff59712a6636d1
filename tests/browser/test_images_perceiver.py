"""A Perceiver on the page of images: what it answers, what its latents read, and what is read off them."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import images
from tests.browser import translate as visitor
from xattn_viz.examples import SCENES
from xattn_viz.models.families import perceiver
from xattn_viz.shapes import draw
from xattn_viz.shapes.judge import count_right

FIRST = SCENES[0]


def test_latents_are_filled_from_the_picture_and_asked_what_lies_where(app_url: str, page: Page) -> None:
    trace = xv.load("perceive-shapes").trace(draw(FIRST.scene), kinds=perceiver.KINDS)
    images.open_images(page, app_url, model="perceive-shapes", picture=FIRST.slug)
    expect(page.get_by_text(f"{trace.output[:1].upper()}{trace.output[1:]}.", exact=True)).to_be_visible()
    found = count_right(trace.decoder.queries.labels or (), FIRST.scene)
    expect(page.get_by_text(f"{found.places} of {found.of_places} places are right")).to_be_visible()
    expect(page.get_by_text("Output", exact=True)).to_have_count(0)  # it has but one
    readout = page.locator(".xv-readout")
    latents = page.locator(".xv-rows .xv-text")
    expect(latents).to_have_count(len(trace.cross.queries))
    latents.nth(4).hover()
    expect(readout).to_contain_text("Filling latent 5, the mean")
    best = int(trace.cross.weights.mean((0, 1))[4].argmax())
    expect(readout).to_contain_text(trace.cross.keys.name(best))
    page.get_by_role("button", name="Process", exact=True).click()
    expect(page.get_by_role("listbox", name="Latents, as they are read")).to_be_visible()
    page.get_by_role("button", name="Decode", exact=True).click()
    star = FIRST.scene.things[1]
    stage = visitor.box(page.locator(".xv-stage").first)
    page.mouse.move(stage["x"] + star.x * stage["width"], stage["y"] + star.y * stage["height"])
    row, column = int(star.y * 12), int(star.x * 12)
    expect(readout).to_contain_text(f"nswering for row {row + 1}, column {column + 1} (blue star)")
    weights = np.asarray(trace.decoder.weights).mean((0, 1))[row * 12 + column]
    page.locator(".xv-columns .xv-text").nth(int(weights.argmax())).click()
    expect(readout).to_contain_text(f"latent {int(weights.argmax()) + 1}")
