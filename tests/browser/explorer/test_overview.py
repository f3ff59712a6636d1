"""The overview coloured and sorted by what is known of each head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import views
from tests.browser.explorer.harness import open_harness, show
from tests.browser.explorer.planted import planted
from xattn_viz import export
from xattn_viz.analysis.head_measures import map_grids
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.plots import colours
from xattn_viz.web.explorer import pack

COSTS = np.array([[0.02, 0.5, np.nan], [1.25, -0.25, 0.5]], np.float32)
F1 = np.array([[0.1, 0.94, 0.2], [0.3, 0.2, 0.1]], np.float32)
AROUND = np.float32(0.1)
SORTED = ["2.1", "1.2", "2.3", "1.1", "2.2", "1.3"]  # equal ones in their order, those without a number last


def measured() -> Trace:
    """The planted trace with planted costs, a name for a head, and a title that must not become markup."""
    cost = HeadGrid(
        "cost",
        "<b>Cost</b>",
        "nats a token",
        "cross",
        (0, 1),
        COSTS,
        "<i>Planted</i>.",
        None,
        COSTS - AROUND,
        COSTS + AROUND,
    )
    late = HeadGrid("alignment-previous", "Alignment of the previous token", "F1", "cross", (0, 1), F1, "Planted.")
    return planted().with_evidence(cost, late)


@pytest.fixture
def page(open_page: Callable[..., Page], tmp_path: Path) -> Page:
    page = open_harness(open_page(viewport={"width": 1280, "height": 800}), tmp_path)
    show(page, pack(measured()))
    return page


def order(page: Page) -> list[str]:
    names: list[str] = page.locator(".xv-tiles button").evaluate_all("all => all.map(each => each.dataset.view)")
    return names


def colour_of(page: Page, view: str) -> list[int]:
    """The colour in the middle of a small map."""
    found: list[int] = page.locator(f'.xv-tiles [data-view="{view}"]').evaluate(
        """button => {
          const canvas = button.parentElement.querySelector('canvas'), ratio = devicePixelRatio;
          const [x, y] = [button.offsetLeft + button.offsetWidth / 2, button.offsetTop + button.offsetHeight / 2];
          return [...canvas.getContext('2d').getImageData(x * ratio, y * ratio, 1, 1).data];
        }"""
    )
    return found


def choose(page: Page, title: str) -> None:
    page.get_by_label("Colour the overview by").select_option(label=title)


def test_a_head_has_the_colour_of_its_number_and_the_number_below(page: Page) -> None:
    choose(page, "<b>Cost</b>")
    table = colours.table("magma", dark=True).astype(int)
    for layer, head in np.ndindex(2, 3):
        view, value = f"{layer + 1}.{head + 1}", float(COSTS[layer, head])
        said = page.locator(f'.xv-tiles [data-view="{view}"] b').inner_text()
        if np.isnan(value):
            assert said == "–"
            assert colour_of(page, view)[3] == 0  # nothing is painted
            continue
        assert float(said.replace("−", "-")) == pytest.approx(value, abs=0.005)
        assert colour_of(page, view)[:3] == table[round(255 * (value + 0.25) / 1.5)].tolist()
    assert order(page) == views(measured().cross)
    assert page.locator('.xv-tiles [data-view="2.mean"] b').count() == 0
    assert page.locator(".xv-grid-scale").inner_text().split() == ["−0.25", "1.25"]


def test_texts_are_no_markup_and_say_what_is_known_of_the_chosen_head(page: Page) -> None:
    choose(page, "<b>Cost</b>")
    page.locator('.xv-tiles [data-view="1.2"]').click()
    note = page.locator(".xv-grid-note")
    expect(note.locator("p").first).to_have_text(
        "Layer 1, head 2 aligns the previous token, F1 .94. <b>Cost</b>: 0.50 nats a token (0.40 to 0.60)."
    )
    note.locator("summary").click()
    expect(note.locator("details p")).to_have_text("<i>Planted</i>.")
    assert page.locator(".xv-heads").evaluate("all => all.querySelector('p b, p i, option b') === null")
    button = page.locator('.xv-tiles [data-view="1.2"]')
    assert button.get_attribute("aria-label") == "Layer 1, head 2, aligns the previous token, F1\u00a0.94, 0.50"


def test_sorted_heads_keep_their_names_and_arrows_go_through_them_in_that_order(page: Page) -> None:
    choose(page, "<b>Cost</b>")
    page.get_by_label("Sort").check()
    assert order(page) == [*SORTED, "1.mean", "2.mean", "mean", "max"]
    labels = page.locator(".xv-tiles button > span").all_inner_texts()
    assert labels == [*SORTED, "1", "2", "all", "max"]
    page.locator('.xv-tiles [data-view="2.1"]').click()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".xv")).to_have_attribute("data-head", "1.2")
    page.keyboard.press("End")
    expect(page.locator(".xv")).to_have_attribute("data-head", "max")
    choose(page, "Weights")
    assert order(page) == views(measured().cross)
    expect(page.get_by_label("Sort")).to_be_hidden()


def test_names_that_evidence_carries_stand_below_the_maps_at_once(page: Page) -> None:
    under = page.locator('.xv-tiles [data-view="1.2"] .xv-name')
    expect(under).to_have_text("aligns the previous token, F1\u00a0.94")
    tile, name = (each.bounding_box() for each in (page.locator('.xv-tiles [data-view="1.2"]'), under))
    assert tile is not None
    assert name is not None
    assert name["y"] >= tile["y"] + tile["height"]
    assert page.locator(".xv-tiles .xv-name").count() == 1


def test_what_the_map_says_by_itself_is_there_without_evidence_and_comes_with_it(page: Page) -> None:
    show(page, pack(planted()))
    options = page.get_by_label("Colour the overview by").locator("option").all_inner_texts()
    assert options == ["Weights", *(grid.title for grid in map_grids(planted().cross))]
    choose(page, "Entropy")
    expect(page.locator('.xv-tiles [data-view="1.1"] b')).to_have_text(
        f"{map_grids(planted().cross)[1].values[0, 0]:.2f}"
    )
    # The same trace with evidence: what is looked at stays.
    show(page, pack(measured()))
    assert page.get_by_label("Colour the overview by").input_value() == "entropy"
    assert "<b>Cost</b>" in page.get_by_label("Colour the overview by").inner_text()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_an_exported_page_has_it_on_a_phone_too(open_page: Callable[..., Page], tmp_path: Path, scheme: Any) -> None:
    file = tmp_path / "page.html"
    file.write_text(export.html(measured()), encoding="utf-8")
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(file.as_uri())
    choose(page, "<b>Cost</b>")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = page.locator(".xv-tiles b").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(({ left, right }) => [left, right])"
    )
    assert len(boxes) == 6
    assert min(left for left, _ in boxes) >= 0
    assert max(right for _, right in boxes) <= 390
