"""A long source and a large map: each in a place of its own, and quick."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import Explorer
from tests.browser.explorer.harness import show
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer import pack

LAYERS, HEADS, ROWS, COLUMNS = 8, 12, 150, 700


def sentences_axis(length: int) -> tuple[str, Axis]:
    """A text of sentences of ten words, and its tokens."""
    words = [f"{'Word' if i % 10 == 0 else 'word'}{i}" for i in range(length)]
    text, spans = "", []
    for i, word in enumerate(words):
        spans.append((len(text), len(text) + len(word)))
        text += word + (". " if i % 10 == 9 else " ")
    return text, Axis("text", labels=tuple(words), spans=tuple(spans))


@pytest.fixture(scope="module")
def packed() -> tuple[Trace, bytes]:
    """Each row looks at one place, which is another one in every head."""
    weights = np.full((LAYERS, HEADS, ROWS, COLUMNS), 0.3 / COLUMNS, np.float32)
    rows = np.arange(ROWS)
    for layer in range(LAYERS):
        for head in range(HEADS):
            weights[layer, head, rows, (rows * 4 + 50 * layer + 7 * head) % COLUMNS] += 0.7
    (source, keys), (output, queries) = sentences_axis(COLUMNS), sentences_axis(ROWS)
    trace = Trace((AttentionMaps(weights, queries, keys, "cross", tuple(range(LAYERS))),), source, output)
    return trace, pack(trace, select={"head": f"{LAYERS}.{HEADS}"})


@pytest.fixture
def large(harness: Page, packed: tuple[Trace, bytes]) -> Explorer:
    trace, sent = packed
    assert len(sent) < 0.25 * trace.cross.weights.size
    show(harness, sent)
    explorer = Explorer(harness, trace, "harness")
    expect(explorer.stage().locator(".xv-cells")).to_be_visible()
    return explorer


def test_texts_maps_and_overview_scroll_in_their_places(large: Explorer) -> None:
    page = large.page
    # The texts leave the map little of the window: it takes as much as fills one, its legend below it.
    pane = page.locator(".xv-scroll").first.bounding_box()
    assert pane is not None
    assert 0.6 * 720 < pane["height"] < 720
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for box in (".xv-columns .xv-sentence", ".xv-rows .xv-sentence", ".xv-overview", ".xv-scroll"):
        shown, whole = page.locator(box).first.evaluate("box => [box.clientHeight, box.scrollHeight]")
        assert shown < whole, box
        assert shown > 50, box
    # What is chosen is in view, also in what scrolls.
    for inner, outer in (('[aria-checked="true"]', ".xv-overview"), (".xv-rows .xv-focus", ".xv-rows .xv-sentence")):
        seen = page.locator(outer).evaluate(
            """(outer, inner) => {
              const [a, b] = [outer.querySelector(inner), outer].map(box => box.getBoundingClientRect());
              return a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
            }""",
            inner if outer == ".xv-overview" else ".xv-focus",
        )
        assert seen, outer


def test_labels_stay_and_do_not_overlap(large: Explorer) -> None:
    boxes = large.page.locator(".xv-row-labels .xv-label:not(.xv-thinned)").evaluate_all(
        "all => all.map(label => label.getBoundingClientRect()).map(({ top, bottom }) => [top, bottom])"
    )
    middles = [(top + bottom) / 2 for top, bottom in boxes]
    assert min(np.diff(middles)) >= 11  # the smallest letters
    scroll = large.page.locator('[aria-label="Chosen map"] .xv-scroll')
    before = large.page.locator('[aria-label="Chosen map"] .xv-column-labels').bounding_box()
    scroll.evaluate("box => { box.scrollTop = 200; }")
    after = large.page.locator('[aria-label="Chosen map"] .xv-column-labels').bounding_box()
    assert before is not None
    assert after is not None
    assert before["y"] == after["y"]


def test_a_token_far_down_is_scrolled_to_in_the_map(large: Explorer) -> None:
    scroll = large.page.locator('[aria-label="Chosen map"] .xv-scroll')
    large.token("output", ROWS - 1).dispatch_event("click")
    expect(large.root).to_have_attribute("data-row", str(ROWS - 1))
    label = large.page.locator(".xv-row-labels .xv-focus")
    expect(label).to_have_text(f"word{ROWS - 1}")
    box, view = label.bounding_box(), scroll.bounding_box()
    assert box is not None
    assert view is not None
    assert view["y"] <= box["y"] <= view["y"] + view["height"]


def test_keys_and_pointer_are_answered_at_once(large: Explorer) -> None:
    times = large.root.evaluate(
        """async root => {
          const rest = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          const took = { keys: [], hovers: [] }, stage = root.querySelector('.xv-stage');
          for (let i = 0; i < 7; i++) {
            const start = performance.now();
            root.querySelector('.xv-tiles [aria-checked="true"]')
              .dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
            took.keys.push(performance.now() - start);
            await rest();
          }
          const { x, y } = stage.getBoundingClientRect();
          for (let i = 0; i < 7; i++) {
            const start = performance.now();
            stage.dispatchEvent(new PointerEvent('pointermove',
              { clientX: x + 20 + 5 * i, clientY: y + 20 + 5 * i, bubbles: true }));
            took.hovers.push(performance.now() - start);
            await rest();
          }
          return took;
        }"""
    )
    assert large.data("head") == f"{LAYERS}.{HEADS - 7}"
    # 50 ms are to be reached; a test machine that runs much else beside is given room.
    assert sorted(times["keys"])[3] < 250, times
    assert sorted(times["hovers"])[3] < 150, times
