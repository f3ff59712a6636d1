"""An output that grows while the model writes: what was chosen stays, the newest row is in focus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import Explorer, assert_painted, weights_of
from tests.browser.explorer.harness import show
from tests.browser.explorer.planted import planted
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer import pack


def written(trace: Trace, count: int) -> Trace:
    """The first tokens of an output, as they are known while the model writes."""
    maps = trace.cross
    assert maps.read is not None
    some = range(count)
    cut = replace(
        maps,
        weights=maps.weights[:, :, :count],
        queries=maps.queries.take(some),
        read=maps.read.take(some),
        projections=None,
    )
    return replace(
        trace, maps=(cut,), output=trace.output[: (maps.queries.spans or ())[count - 1][1]], steps=trace.steps[:count]
    )


@pytest.fixture
def growing(harness: Page) -> Explorer:
    """An explorer after the first token."""
    trace = planted()
    show(harness, pack(written(trace, 1), growing=True))
    return Explorer(harness, trace, "harness")


def grow(explorer: Explorer, count: int) -> None:
    show(explorer.page, pack(written(explorer.trace, count), growing=True))


def test_the_newest_row_is_in_focus_and_read_out(growing: Explorer) -> None:
    for count in (1, 2, 3, 4):
        grow(growing, count)
        assert growing.data("row") == str(count - 1)
        label = growing.trace.cross.queries.name(count - 1)
        assert growing.said().startswith(f"Writing {label}, this head put ")
        assert growing.said().endswith(" …")
    expect(growing.page.locator(".xv-stepping")).to_be_hidden()
    expect(growing.page.locator(".xv-readout")).to_have_attribute("aria-live", "off")
    show(growing.page, pack(growing.trace))
    assert growing.data("row") == "5"
    assert growing.said().startswith("Predicting </s>, this head put ")
    expect(growing.page.locator(".xv-stepping")).to_be_visible()


def test_what_was_chosen_stays(growing: Explorer) -> None:
    grow(growing, 2)
    growing.choose("2.3")
    growing.press("Words")
    growing.press("Pin")
    growing.choose("1.2")
    grow(growing, 4)
    assert (growing.data("head"), growing.data("row")) == ("1.2", "2")  # three words by now
    expect(growing.page.locator('[aria-label="Pinned map"] h3')).to_have_text("Layer 2, head 3")
    growing.press("Pieces")
    growing.token("output", 1).click()  # from here on the visitor looks at this row
    for count in (5, 6):
        grow(growing, count)
        growing.page.mouse.move(1, 1)
        assert growing.data("row") == "1"
    show(growing.page, pack(growing.trace))
    assert (growing.data("head"), growing.data("row")) == ("1.2", "1")


def test_the_pointer_keeps_its_place(growing: Explorer) -> None:
    grow(growing, 3)
    growing.token("source", 2).hover()
    said = growing.data("column")
    grow(growing, 4)
    assert (growing.data("row"), growing.data("column")) == ("-1", said) == ("-1", "2")


def test_maps_and_overview_are_those_of_the_newest_rows(growing: Explorer) -> None:
    buttons = growing.page.locator(".xv-tiles")
    buttons.evaluate("tiles => { for (const button of tiles.querySelectorAll('button')) button.same = true; }")
    for count in (2, 5):
        grow(growing, count)
        maps = written(growing.trace, count).cross
        for view in ("1.1", "2.3"):
            growing.choose(view)
            weights = weights_of(maps, view)
            assert_painted(growing.pixels(), weights, float(weights.max()))
        side, pixels = growing.page.locator('[data-view="2.mean"]').evaluate(
            """tile => {
              const [x, y, side] = ['left', 'top', 'width'].map(name => parseFloat(tile.style[name]));
              const context = tile.parentElement.querySelector('canvas').getContext('2d');
              return [side, [...context.getImageData(x, y, side, side).data]];
            }"""
        )
        weights = weights_of(maps, "2.mean")
        image = np.array(pixels).reshape(int(side), int(side), 4)[..., :3]
        down, right = (((np.arange(n) + 0.5) * side / n).astype(int) for n in weights.shape)
        assert_painted(image[down][:, right], weights, float(weights.max()))
    # The overview was painted, not built anew.
    assert buttons.evaluate("tiles => [...tiles.querySelectorAll('button')].every(button => button.same)")


def test_another_beginning_starts_afresh(growing: Explorer) -> None:
    grow(growing, 4)
    growing.token("output", 2).click()
    growing.page.mouse.move(1, 1)
    other = replace(planted(), input="another")
    maps = replace(other.cross, queries=other.cross.by_input_token().queries, read=None, projections=None)
    show(growing.page, pack(replace(other, maps=(maps,), steps=())))
    assert growing.data("row") == "0"
