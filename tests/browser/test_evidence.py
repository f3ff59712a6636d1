"""The tab *Evidence*: asked for, measured, stopped, kept with the trace; its numbers are those of the library."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import xattn_viz as xv
from tests.browser import speech
from tests.browser import translate as visitor
from xattn_viz import web
from xattn_viz.examples import EXAMPLES
from xattn_viz.web.evidence import number

MODEL = EXAMPLES[0].model
# Each run has a sentence of its own, as the server keeps what was measured before.
SENTENCES = iter(["The old teacher read a very long letter.", "The young farmer sold a beautiful white horse."])
FIRST_LONGEST = iter(["Children sang in the park.", "Tomorrow we go to the lake."])
SOUNDS = iter(["muted", "amiable"])


def open_tab(page: Page) -> None:
    """The tab, in one click from the map."""
    visitor.expect_rest(page)
    page.get_by_role("radio", name="Evidence", exact=True).click()
    page.get_by_text("Matters?").wait_for(timeout=visitor.PATIENCE)


def measure(page: Page) -> Locator:
    """The button that measures every head."""
    return page.get_by_role("button", name="Measure each head")


def costs(page: Page) -> Locator:
    """The grid of what heads cost."""
    return page.get_by_role("table", name="What each head costs, nats a token")


def numbers(grid: Locator) -> list[str]:
    """What the cells of a grid of heads say, in order."""
    return [text.strip() for text in grid.locator("tbody button").all_inner_texts()]


def written(values: np.ndarray) -> list[str]:
    """What they should say."""
    return [number(float(value)) for value in values.ravel()]


def agreement_of(model: xv.Adapter, trace: xv.Trace) -> np.ndarray:
    """How far each head ranks the source as occlusion does."""
    return xv.agreement(xv.attribute(model, trace, "occlusion"), trace.cross).values


def test_what_heads_cost_is_measured_chosen_and_kept(
    app_url: str, page: Page, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    text = next(SENTENCES)
    visitor.open_app(page, app_url, model=MODEL, text=text, head="2.1")
    open_tab(page)
    assert visitor.said(page)["tab"] == "evidence"
    expect(page.get_by_text("Attention is not explanation")).to_be_visible()
    expect(costs(page)).to_have_count(0)  # nothing ran by itself
    assert visitor.serious(page) == []

    measure(page).click()
    costs(page).wait_for(timeout=visitor.PATIENCE)
    model = xv.load(MODEL)
    trace = model.trace(text)
    found = xv.head_costs(model, trace)
    assert numbers(costs(page)) == written(found.costs)
    expect(page.get_by_text(found.sentence)).to_be_visible()
    expect(page.locator('[data-at="1,0"][aria-pressed="true"]').first).to_be_visible()  # the head of the example

    page.get_by_role("button", name="Layer 1, head 6, nats a token").click()
    expect(page.get_by_text("Layer 1, head 6 costs")).to_be_visible(timeout=visitor.PATIENCE)
    visitor.expect_said(page, tab="evidence", head="1.6")
    page.get_by_role("button", name="Smallest set that keeps the output").click()
    kept = len(xv.smallest_set(model, trace).kept)
    expect(page.get_by_text(f"{kept} of 16 heads are enough")).to_be_visible(timeout=visitor.PATIENCE)
    expect(costs(page).locator(".xv-marked")).to_have_count(kept)

    page.get_by_role("button", name="Link the words").click()
    page.locator(".xv-end").first.wait_for(timeout=visitor.PATIENCE)
    back = xv.load("firefox-pt-en").trace(trace.output, target=text)
    alignment = xv.align(trace, back, words="axis")
    expect(page.locator(".xv-links path")).to_have_count(len(alignment.links))
    saved = visitor.download(page, page.get_by_role("button", name="Pharaoh"), tmp_path).read_text("utf-8")
    assert saved.split() == [f"{s}-{t}" for s, t, _ in alignment.links]
    page.get_by_role("button", name="Compare with occlusion").click()
    agrees = page.get_by_role("table", name="Agreement with Occlusion, Spearman ρ")
    agrees.wait_for(timeout=visitor.PATIENCE)
    assert numbers(agrees) == written(agreement_of(model, trace))
    page.get_by_role("button", name="Take words away").click()
    expect(page.get_by_text(re.compile("^(The model follows|No ranking finds)"))).to_be_visible(
        timeout=visitor.PATIENCE
    )
    assert visitor.serious(page) == []

    # What was measured is in the files, and on the page of somebody else who comes by the address.
    kept_trace = xv.load_trace(visitor.download(page, page.locator(".st-key-NPZ button"), tmp_path))
    grid = kept_trace.grid("cost")
    assert grid is not None
    assert np.array_equal(grid.values, found.grid().values)
    assert kept_trace.grid("aligns-predicted") is not None
    assert kept_trace.of_kind("occlusion").is_whole_model
    other = open_page(viewport={"width": 390, "height": 844}, color_scheme="light")
    other.goto(page.url)
    costs(other).wait_for(timeout=visitor.PATIENCE)
    assert numbers(costs(other)) == written(found.costs)
    expect(other.locator(".xv-links path")).to_have_count(len(alignment.links))
    for shown in (costs(other), *other.locator(".xv-end").all()):
        inside = visitor.box(shown)
        assert inside["x"] >= 0
        assert inside["x"] + inside["width"] <= 390  # nothing is cut on a phone
    assert visitor.serious(other) == []

    # The map shows the head that was chosen; each act is one step back.
    page.get_by_role("radio", name="Map", exact=True).click()
    expect(visitor.explorer(page)).to_have_attribute("data-head", "1.6")
    page.go_back()
    costs(page).wait_for(timeout=visitor.PATIENCE)
    page.go_back()
    visitor.expect_said(page, head="2.1", tab="evidence")
    expect(costs(page).locator('[data-at="1,0"]')).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(visitor.explorer(page)).to_have_attribute("data-head", "2.1")

    # A new sentence has no evidence yet, and says so.
    page.go_forward()
    costs(page).wait_for(timeout=visitor.PATIENCE)
    visitor.translate(page, "The river is cold.")
    expect(page.get_by_text("nothing runs until you do")).to_be_visible(timeout=visitor.PATIENCE)
    expect(costs(page)).to_have_count(0)
    expect(measure(page)).to_be_enabled()


def test_what_the_model_writes_without_heads_or_over_another_word(app_url: str, page: Page) -> None:
    text = next(FIRST_LONGEST)
    page.goto(f"{app_url}/?{urlencode({'model': MODEL, 'text': text, 'head': '1.6', 'tab': 'evidence'})}")
    measure(page).click()
    costs(page).wait_for(timeout=visitor.PATIENCE)
    page.get_by_text("Take several heads away").click()
    page.get_by_role("button", name="Write without them").click()
    model = xv.load(MODEL)
    trace = model.trace(text)
    without = xv.ablated_output(model, trace, [(0, 5)])
    page.get_by_text("With all heads").wait_for(timeout=visitor.PATIENCE)
    lines = page.locator(".st-key-evidence-without .xv-line")
    assert [visitor.sentence(line) for line in lines.all()] == [trace.output, without.after.output]
    marked = sum(one.after[0] < one.after[1] for one in without.changes)
    expect(lines.nth(1).locator("mark")).to_have_count(marked)

    page.get_by_text("Exchange a word of the source").click()
    field = page.get_by_label("In its place")
    field.fill(text.split()[0])  # the longest, which is offered first: exchanged for itself, it changes nothing
    field.press("Enter")
    page.get_by_role("button", name="Put each head").click()
    expect(page.get_by_role("alert")).to_be_visible(timeout=visitor.PATIENCE)


def test_a_long_measurement_tells_how_far_it_is_and_stops(app_url: str, page: Page) -> None:
    speech.open_speech(page, app_url, sound=next(SOUNDS))
    open_tab(page)
    expect(page.get_by_text("Links between words are for a text")).to_be_visible()
    measure(page).click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped: nothing was measured.")).to_be_visible(timeout=visitor.PATIENCE)
    measure(page).click()
    expect(page.get_by_text(re.compile(r"\d+ of \d+ runs of the model"))).to_be_visible(timeout=visitor.PATIENCE)
    costs(page).wait_for(timeout=visitor.PATIENCE)
    assert len(numbers(costs(page))) == 24


def test_a_model_that_writes_nothing_shows_its_map(app_url: str, page: Page) -> None:
    page.goto(f"{app_url}/images?model=perceive-shapes&tab=evidence")
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)
    expect(page.get_by_role("radio", name="Evidence", exact=True)).to_have_count(0)


MOUNT = """async ([script, data]) => {
  const module = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  module.default({ data, parentElement: document.body });
}"""
# Where a line begins and ends, and the middles of the words that it goes between, in pixels.
ENDS = """() => [...document.querySelectorAll(".xv-links path")].map((path) => {
  const box = path.ownerSVGElement.getBoundingClientRect();
  return [path.getPointAtLength(0), path.getPointAtLength(path.getTotalLength())].map((one) => one.x + box.x);
})"""


@pytest.mark.parametrize("width", [900, 300])
def test_lines_go_from_word_to_word_in_whatever_direction_a_text_runs(page: Page, width: int) -> None:
    source, target = ["The", "<b>black</b>", "cat", "slept"], ["نامت", "القطة", "السوداء"]
    links = [(1, 2, 0.9), (2, 1, 1.0), (3, 0, 0.4)]
    page.set_viewport_size({"width": width, "height": 600})
    page.set_content(f"<style>{web.css('evidence')}</style><div class='xv'></div>")
    data = {"kind": "links", "label": "Words", "names": ["Source", "Output"], "source": source, "target": target}
    page.evaluate(MOUNT, [web.script("evidence"), {**data, "links": links}])
    expect(page.locator(".xv-links path")).to_have_count(3)
    page.wait_for_timeout(200)  # the script places the lines once the fonts are there
    sides = page.locator(".xv-side")
    assert [side.locator(".xv-end").all_inner_texts() for side in sides.all()] == [source, target]
    boxes = [[visitor.box(word) for word in side.locator(".xv-end").all()] for side in sides.all()]
    arabic = [box["x"] for box in boxes[1]]
    is_in_columns = width == 300
    assert is_in_columns or arabic == sorted(arabic, reverse=True)  # its first word stands at the right
    for (start, end), (a, b, _) in zip(page.evaluate(ENDS), links, strict=True):
        for x, box, edge in ((start, boxes[0][a], 1), (end, boxes[1][b], 0)):
            wanted = box["x"] + box["width"] * (edge if is_in_columns else 0.5)
            assert abs(x - wanted) <= 3  # a line keeps two pixels off the edge of a word
    for box in (*boxes[0], *boxes[1]):
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
    page.locator(".xv-end", has_text="cat").hover()
    expect(page.locator(".xv-lit")).to_have_count(3)  # the word, its line, and the word at the other end
