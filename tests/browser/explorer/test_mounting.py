"""The script on a page that mounts it by hand: too large a trace, data that changes, going and coming back."""

from __future__ import annotations

import base64
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import Explorer, assert_painted, weights_of
from tests.browser.explorer.harness import show
from tests.browser.explorer.planted import planted
from xattn_viz import web
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer import FULL_LIMIT, pack


def text_axis(name: str, length: int) -> Axis:
    return Axis("text", labels=tuple(f"{name}{i}" for i in range(length)))


def large_trace() -> Trace:
    """Two layers of eight heads, 600 × 600: 7.9 MB of weights, with a diagonal of its own slope in every head."""
    rows = np.arange(600)
    weights = np.full((2, 8, 600, 600), 0.4 / 600, np.float32)
    for layer in range(2):
        for head in range(8):
            weights[layer, head, rows, (rows * (head + 1) + 100 * layer) % 600] += 0.6
    queries, keys = text_axis("q", 600), text_axis("k", 600)
    return Trace((AttentionMaps(weights, queries, keys, "cross", (0, 1)),), " ".join(keys.labels or ()), "out")


def test_a_large_trace_comes_layer_by_layer(harness: Page) -> None:
    trace = large_trace()
    first = pack(trace)
    assert trace.cross.weights.size > FULL_LIMIT
    assert len(first) < 0.75 * trace.cross.weights.size

    asked: list[int] = []

    def answer(wanted: dict[str, Any]) -> str:
        asked.append(wanted["layer"])
        return base64.b64encode(pack(trace, **wanted)).decode()

    harness.expose_function("answer", answer)
    show(harness, first)
    explorer = Explorer(harness, trace, "harness")
    # What is chosen at first lies in layer 1; the last layer came along.
    painted = harness.locator('[aria-label="Chosen map"] .xv-cells')
    expect(painted).to_be_visible(timeout=20_000)
    assert asked == [0]
    explorer.choose("2.3")
    explorer.choose("1.2")
    explorer.choose("max")
    assert asked == [0]  # both layers are here now, and stay
    harness.evaluate("for (let i = 0; i < 5; i++) dispatchEvent(new Event('resize'))")

    for view in ("1.2", "2.3"):
        explorer.choose(view)
        weights = weights_of(trace.cross, view)
        stage = explorer.stage()
        wide, high = (int(stage.get_attribute(f"data-cell-{side}") or 0) for side in ("width", "height"))
        row, column = 7, int(weights[7].argmax())
        pixel = stage.locator(".xv-cells").evaluate(
            "(canvas, at) => [...canvas.getContext('2d').getImageData(at[0], at[1], 1, 1).data.slice(0, 3)]",
            [column * wide + 1, row * high + 1],
        )
        assert_painted(np.array([[pixel]]), weights[row : row + 1, column : column + 1], float(weights.max()))
    # The overview is pooled and loses no peak: the diagonal of 1.1 reaches from corner to corner.
    tile = harness.locator('[data-view="1.1"]').evaluate(
        """tile => { const [x, y, side] = ['left', 'top', 'width'].map(name => parseFloat(tile.style[name]));
          const context = tile.parentElement.querySelector('canvas').getContext('2d');
          return [0.1, 0.5, 0.9].map(at => [...context.getImageData(x + at * side, y + at * side, 1, 1).data]
            .slice(0, 3)); }"""
    )
    assert all(sum(pixel) > 600 for pixel in tile)


def test_a_pinned_map_of_another_layer_stays_when_layers_are_sent(harness: Page) -> None:
    trace = large_trace()
    harness.expose_function("answer", lambda wanted: base64.b64encode(pack(trace, **wanted)).decode())
    show(harness, pack(trace, select={"head": "1.2", "pinned": "2.3"}))
    for panel in ("Chosen map", "Pinned map"):
        expect(harness.locator(f'[aria-label="{panel}"] .xv-cells')).to_be_visible(timeout=20_000)
    assert [name for name, _ in harness.evaluate("told")].count("layer") == 1


def test_a_layer_is_asked_for_once(harness: Page) -> None:
    show(harness, pack(large_trace(), select={"head": "1.2"}))
    expect(harness.get_by_text("Asking for this layer")).to_be_visible()
    harness.set_viewport_size({"width": 1000, "height": 700})
    harness.locator(".xv-columns .xv-text").first.hover()
    harness.wait_for_timeout(100)
    assert harness.evaluate("told") == [["layer", {"kind": "cross", "layer": 0}]]


def test_new_data_on_the_same_page_adds_no_listeners(harness: Page) -> None:
    trace = planted()
    show(harness, pack(trace, select={"head": "2.3"}))
    explorer = Explorer(harness, trace, "harness")
    explorer.choose("1.2")
    tiles = harness.evaluate("document.querySelectorAll('.xv button').length")
    before = harness.evaluate("({ ...counted })")
    for _ in range(3):
        show(harness, pack(trace, select={"head": "2.3"}))
    assert harness.evaluate("({ ...counted })") == before
    assert before["observers"] == 1
    assert harness.evaluate("document.querySelectorAll('.xv button').length") == tiles
    assert explorer.data("head") == "1.2"  # the same trace again does not take the choice away
    painted = int(explorer.data("painted"))
    harness.locator('[data-view="1.1"]').click()
    assert int(explorer.data("painted")) == painted + 1


def test_leaving_removes_observers_and_coming_back_restores_the_view(harness: Page) -> None:
    trace = planted()
    show(harness, pack(trace, select={"head": "2.3"}))
    explorer = Explorer(harness, trace, "harness")
    explorer.choose("1.3")
    explorer.press("Words")
    explorer.click_cell(2, 1)
    harness.evaluate("leave()")
    assert harness.evaluate("counted.observers") == 0
    harness.evaluate(
        "document.getElementById('parent').replaceChildren(Object.assign("
        "document.createElement('div'), { className: 'xv' }))"
    )
    harness.mouse.move(1, 1)
    show(harness, pack(trace, select={"head": "2.3"}))
    assert (explorer.data("head"), explorer.data("row"), explorer.data("column")) == ("1.3", "2", "1")
    expect(harness.locator('[data-value="words"]')).to_have_attribute("aria-pressed", "true")
    expect(harness.locator(".xv-check")).to_be_visible()


def test_another_trace_keeps_the_head_unless_it_brings_one(harness: Page) -> None:
    trace = planted()
    other = Trace((trace.cross.by_input_token(),), "another " + str(trace.input), trace.output)
    show(harness, pack(trace, select={"head": "2.3"}))
    explorer = Explorer(harness, trace, "harness")
    explorer.choose("1.2")
    explorer.click_cell(2, 1)
    show(harness, pack(other))
    assert (explorer.data("head"), explorer.data("row")) == ("1.2", "0")
    expect(harness.locator(".xv-check")).to_be_hidden()
    show(harness, pack(trace, select={"head": "2.3"}))
    assert explorer.data("head") == "2.3"


def test_changing_the_head_of_a_long_text_stays_quick(harness: Page) -> None:
    trace = large_trace()
    show(harness, pack(trace, full_limit=None))
    times = harness.evaluate(
        """() => ['1.2', '2.3', '1.4', '2.5', '1.6'].map(view => {
          const start = performance.now();
          document.querySelector(`[data-view="${view}"]`).click();
          return performance.now() - start;
        })"""
    )
    median = sorted(times)[2]
    assert median < 1000, times  # 360,000 cells and 1,200 tokens, and a test machine that runs much else beside


def test_the_script_makes_the_means_that_were_not_sent(harness: Page) -> None:
    """Each cell is the mean of rounded weights, rounded: at most half a step of those away, and half one of its own."""
    weights = np.random.default_rng(5).dirichlet(np.full(6, 0.3), (2, 3, 5)).astype(np.float32)
    axes = [Axis("text", labels=tuple("abcdef"[:count])) for count in (5, 6)]
    maps = AttentionMaps(weights, axes[0], axes[1], "cross", (0, 1))
    sent = base64.b64encode(pack(Trace((maps,), "a", "b"), full_limit=None, means=False)).decode()
    found = harness.evaluate(
        """async ([code, sent]) => {
          const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
          const { unpack } = await import(address);
          const [{ views, weights, tile }] = unpack(Uint8Array.from(atob(sent), (c) => c.charCodeAt(0))).sheets;
          return views.map((view) => [view.name, view.scale, [...weights(view)], [...tile(view).cells]]);
        }""",
        [f"{web.script()}\nexport {{ unpack }};", sent],
    )
    half = weights.max((2, 3)) / 510
    wanted = {
        "1.mean": (weights[0].mean(0), half[0].mean()),
        "2.mean": (weights[1].mean(0), half[1].mean()),
        "mean": (weights.mean((0, 1)), half.mean()),
        "max": (weights.max((0, 1)), half.max()),
    }
    made = {name: (scale, cells) for name, scale, cells, tile in found if name in wanted and cells == tile}
    assert made.keys() == wanted.keys()
    assert len(found) == 2 * 3 + 4
    for name, (exact, off) in wanted.items():
        scale, cells = made[name]
        assert scale == pytest.approx(exact.max(), rel=1e-6)
        shown = np.reshape(cells, exact.shape) * scale / 255
        assert np.abs(shown - exact).max() <= off + scale / 510 + 1e-6


def test_style_sheets_say_the_same_without_blanks(page: Page) -> None:
    """As Chromium reads them, which keeps blanks beside commas and brackets where a variable is in them."""
    for component, paths in web.STYLES.items():
        folder = files("xattn_viz.web")
        written = "\n".join((folder / path).read_text(encoding="utf-8") for path in paths)
        rules = page.evaluate(
            """(texts) => texts.map((text) => {
              const sheet = new CSSStyleSheet();
              sheet.replaceSync(text);
              return [...sheet.cssRules].map((rule) => rule.cssText.replace(/\\s*([(),])\\s*/g, "$1"));
            })""",
            [written, web.css(component)],
        )
        assert rules[0] == rules[1]
        assert len(rules[0]) > 10
        assert len(web.css(component)) < 0.85 * len(written)
