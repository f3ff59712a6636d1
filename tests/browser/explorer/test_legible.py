"""What can be read at which size: labels by their boxes, tiles, the lens, the arithmetic where the eye is."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.explorer.conftest import Explorer
from tests.browser.explorer.harness import open_harness, show
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer import pack

TOKENS = 200
#: One that no label has room for.
LONG = "Donaudampfschifffahrtsgesellschaftskapitän"
WINDOWS = ((400, 844), (1024, 768), (1280, 720), (1920, 1080), (3840, 2160))
#: Letters of a map are no smaller than this, in pixels.
SMALLEST = 12
# Boxes of labels that are shown and not in focus. Edges are in fractions of a pixel: half a pixel is no overlap.
BOXES = """all => all.filter(each => getComputedStyle(each).visibility === "visible").map(each => {
  const { left, top, right, bottom } = each.getBoundingClientRect();
  return { left, top, right, bottom, font: parseFloat(getComputedStyle(each).fontSize) };
})"""


def trace_of(layers: int, heads: int, tokens: int) -> Trace:
    """A map with a diagonal, between words of one to eleven letters and one that is far too long."""
    labels = ["x" * (1 + 7 * i % 11) + str(i) for i in range(tokens)]
    labels[tokens // 2] = LONG
    text, spans = "", []
    for label in labels:
        spans.append((len(text), len(text) + len(label)))
        text += f"{label} "
    axis = Axis("text", labels=tuple(labels), spans=tuple(spans))
    weights = np.full((layers, heads, tokens, tokens), 0.3 / tokens, np.float32)
    weights[..., np.arange(tokens), np.arange(tokens)] += 0.7
    maps = AttentionMaps(weights, axis, axis, "cross", tuple(range(layers)))
    return Trace((maps,), text, text)


def overlapping(labels: Locator) -> list[Any]:
    """Pairs of shown labels whose boxes lie over each other."""
    boxes = labels.evaluate_all(BOXES)
    assert min(box["font"] for box in boxes) >= SMALLEST
    return [
        (one, other)
        for one, other in combinations(boxes, 2)
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 0.5
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 0.5
    ]


@pytest.fixture(scope="module")
def long_text() -> tuple[Trace, bytes]:
    trace = trace_of(2, 2, TOKENS)
    return trace, pack(trace)


def test_labels_of_a_long_text_do_not_overlap_at_any_size(harness: Page, long_text: tuple[Trace, bytes]) -> None:
    show(harness, long_text[1])
    explorer = Explorer(harness, long_text[0], "harness")
    for width, height in WINDOWS:
        harness.set_viewport_size({"width": width, "height": height})
        expect(explorer.stage()).to_be_visible()
        harness.wait_for_timeout(200)  # the map is laid out anew with the next frame
        for side in ("row", "column"):
            labels = harness.locator(f'[aria-label="Chosen map"] .xv-{side}-labels .xv-label')
            assert not overlapping(labels), (width, side)
        pane = harness.locator('[aria-label="Chosen map"] .xv-scroll').bounding_box()
        assert pane is not None
        assert pane["height"] >= 0.6 * height, width
        assert harness.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_a_map_follows_a_window_that_becomes_higher(harness: Page) -> None:
    trace = trace_of(1, 1, 12)
    harness.set_viewport_size({"width": 1280, "height": 720})
    show(harness, pack(trace))
    stage = Explorer(harness, trace, "harness").stage()
    low = float(stage.get_attribute("data-cell-height") or 0)
    harness.set_viewport_size({"width": 1280, "height": 1000})
    wanted = low + 280 / len(trace.cross.queries)  # all that the window gained is for the map
    expect(stage).to_have_attribute("data-cell-height", re.compile(rf"^{int(wanted)}"))


def test_a_label_that_is_thinned_out_or_cut_is_read_in_the_lens(harness: Page, long_text: tuple[Trace, bytes]) -> None:
    harness.set_viewport_size({"width": 1280, "height": 1100})
    show(harness, long_text[1])
    explorer = Explorer(harness, long_text[0], "harness")
    harness.wait_for_timeout(200)  # the map is laid out anew with the next frame
    place = TOKENS // 2
    explorer.to_cell(place, place)
    lens = harness.locator('[aria-label="Chosen map"] .xv-lens')
    expect(lens.locator(".xv-lens-said")).to_have_text(f"{LONG} → {LONG}0.70")
    expect(lens.locator("tr:not(:first-child) th")).to_have_count(5)
    outside = lens.evaluate(
        "lens => { const { left, top, right, bottom } = lens.getBoundingClientRect();"
        " return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight; }"
    )
    assert not outside
    # A label in focus between two others takes their place.
    for side in ("row", "column"):
        assert not overlapping(harness.locator(f'[aria-label="Chosen map"] .xv-{side}-labels .xv-label:not(.xv-focus)'))
    harness.mouse.move(1, 1)
    expect(lens).to_be_hidden()


def test_panes_are_made_larger_by_keys_and_by_dragging(harness: Page, long_text: tuple[Trace, bytes]) -> None:
    show(harness, long_text[1])
    stage = harness.locator('[aria-label="Chosen map"] .xv-stage')
    before = stage.bounding_box()
    assert before is not None
    wider = harness.get_by_role("separator", name="Width of the overview")
    wider.focus()
    for _ in range(3):
        harness.keyboard.press("ArrowLeft")
    widened = stage.bounding_box()
    assert widened is not None
    assert widened["width"] > before["width"] + 50
    harness.keyboard.press("Home")
    again = stage.bounding_box()
    assert again is not None
    assert again["width"] == before["width"]
    grip = harness.get_by_role("separator", name="Height of the map")
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    harness.mouse.move(x, y)
    harness.mouse.down()
    harness.mouse.move(x, y + 400, steps=4)
    harness.mouse.up()
    higher = stage.bounding_box()
    assert higher is not None
    assert higher["height"] > before["height"] + 200


def test_tiles_have_one_size_whatever_was_looked_at_before(
    open_page: Callable[..., Page], tmp_path: Path, long_text: tuple[Trace, bytes]
) -> None:
    page = open_harness(open_page(), tmp_path)
    large, usual = pack(trace_of(24, 16, 6)), pack(trace_of(2, 8, 10))
    sizes = []
    for packed in (usual, long_text[1], large, usual):
        show(page, packed)
        page.wait_for_timeout(100)
        found = page.locator(".xv-tiles button").evaluate_all("all => [...new Set(all.map(each => each.offsetWidth))]")
        assert len(found) == 1
        sizes.append(found[0])
    assert sizes[0] == sizes[3]
    assert min(sizes) >= 44
    show(page, large)
    # 24 layers of 16 heads scroll in their place, each with its number, under the title of its layer.
    shown, whole = page.locator(".xv-overview").evaluate("box => [box.clientHeight, box.scrollHeight]")
    assert shown < whole
    assert page.locator('.xv-tiles [data-view="24.16"] > span').inner_text() == "16"
    assert page.locator(".xv-layer").count() == 25


@pytest.mark.parametrize("window", [(1280, 720), (390, 844)], ids=["desk", "phone"])
def test_the_arithmetic_of_a_cell_is_in_view_at_once(
    open_explorer: Callable[..., Explorer], window: tuple[int, int]
) -> None:
    explorer = open_explorer(viewport={"width": window[0], "height": window[1]})
    explorer.choose("2.1")
    explorer.click_cell(1, 1)
    for part in (".xv-check h3", ".xv-check dl", ".xv-close"):
        box = explorer.page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= window[1], part
    # The cell itself is not covered.
    wide, high = (float(explorer.stage().get_attribute(f"data-cell-{side}") or 0) for side in ("width", "height"))
    hit = explorer.stage().evaluate(
        """(stage, [wide, high]) => {
          const { left, top } = stage.getBoundingClientRect();
          const root = stage.getRootNode();
          return stage.contains(root.elementFromPoint(left + 1.5 * wide, top + 1.5 * high));
        }""",
        [wide, high],
    )
    assert hit
