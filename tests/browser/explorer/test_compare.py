"""Two sentences on common rows and columns, side by side and as a difference, and what changed in words."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.analysis.test_compare import trace_of
from tests.browser.explorer.conftest import PACKED, Explorer, assert_painted
from tests.browser.explorer.harness import show
from xattn_viz.analysis.compare import Comparison, compare
from xattn_viz.core.view import View
from xattn_viz.plots import colours
from xattn_viz.web.explorer import pack

# Weights in fifths: 255 of them are sent as they are, so that both sides round alike.
A = trace_of(
    "the bank by town", "le bord", np.array([[1, 0, 0, 4, 0], [0, 3, 2, 0, 0], [0, 0, 0, 0, 5]]) / 5, shape=(2, 2)
)
B = trace_of(
    "the old bank by water",
    "le bord droit",
    np.array([[1, 0, 0, 0, 4, 0], [0, 1, 0, 4, 0, 0], [0, 5, 0, 0, 0, 0], [1, 0, 0, 0, 0, 4]]) / 5,
    shape=(2, 2),
)
FIRST, SECOND, APART = "Chosen map", "Map of the other output", "Difference of both maps"
COLUMNS = {FIRST: ["the", "", "bank", "by", "town", "</s>"], SECOND: ["the", "old", "bank", "by", "water", "</s>"]}
ROWS = {FIRST: ["le", "bord", "", "</s>"], SECOND: ["le", "bord", "droit", "</s>"]}


@pytest.fixture
def found() -> Comparison:
    return compare(A, B, View(layer=1, head=0))


@pytest.fixture
def both(harness: Page) -> Explorer:
    show(harness, pack(A, beside=B, select={"head": "2.1"}))
    return Explorer(harness, A, "harness")


def labels(explorer: Explorer, panel: str, side: str) -> list[str]:
    said: list[str] = explorer.page.locator(f'[aria-label="{panel}"] .xv-{side}-labels .xv-label').all_inner_texts()
    return said


def test_rows_and_columns_stand_beside_their_counterparts_and_are_in_focus_together(
    both: Explorer, found: Comparison
) -> None:
    page = both.page
    for panel, array in ((FIRST, found.a), (SECOND, found.b)):
        assert labels(both, panel, "row") == ROWS[panel]
        assert labels(both, panel, "column") == COLUMNS[panel]
        weights = array[0, 0]
        rows, columns = (np.flatnonzero(~np.isnan(weights).all(axis)) for axis in (1, 0))
        assert_painted(both.pixels(panel)[rows][:, columns], weights[rows][:, columns], 1.0)
    both.to_cell(1, 4, SECOND)
    for panel, town in ((FIRST, "town"), (SECOND, "water")):
        for side, label in (("row", "bord"), ("column", town)):
            expect(page.locator(f'[aria-label="{panel}"] .xv-{side}-labels .xv-focus')).to_have_text(label)
    expect(page.locator(".xv-other-source .xv-text")).to_have_text(["the", "old", "bank", "by", "water", "</s>"])
    page.locator(".xv-other-source .xv-text").nth(1).hover()
    expect(both.root).to_have_attribute("data-column", "1")
    assert "B: old was read most when predicting droit: 1.00." in both.said()
    marked = page.locator(".xv-other-source .xv-differs, .xv-columns .xv-differs")
    expect(marked).to_have_text(["town", "old", "water"])
    expect(page.locator(".xv-surprises")).to_be_hidden()


def test_changes_are_said_as_python_says_them_and_each_is_one_click(both: Explorer, found: Comparison) -> None:
    said = both.page.locator(".xv-changes button")
    wanted = found.changes()
    expect(said).to_have_text([change.says for change in wanted])
    said.nth(1).click()
    expect(both.root).to_have_attribute("data-row", str(wanted[1].query))
    expect(both.root).to_have_attribute("data-column", str(wanted[1].key))
    expect(said.nth(1)).to_have_attribute("aria-pressed", "true")


def test_the_difference_has_0_in_the_middle_of_its_colours_and_nothing_where_one_has_nothing(
    both: Explorer, found: Comparison
) -> None:
    page = both.page
    both.press("Difference")
    apart = found.difference[0, 0]
    top = float(np.nanmax(np.abs(apart)))
    expect(page.locator('[aria-label="Map of the other output"]')).to_be_hidden()
    expect(page.locator(".xv-map-title").first).to_have_text("B \u2212 A: Layer 2, head 1")
    assert labels(both, APART, "column") == ["the", "old", "bank", "by", "town → water", "</s>"]
    assert labels(both, APART, "row") == ROWS[SECOND]
    expect(page.locator(".xv-colour-bar span")).to_have_text(["\u22120.60", "0.00", "0.60"])
    assert float(both.stage(APART).get_attribute("data-top") or 0) == pytest.approx(top, abs=PACKED)
    pixels, there = both.pixels(APART), ~np.isnan(apart)
    table = colours.diverging(dark=True).astype(int)
    near = [table[np.clip(np.rint((apart[there] / top + 1) * 127.5).astype(int) + step, 0, 255)] for step in (-1, 0, 1)]
    assert np.any([(pixels[there] == colour).all(-1) for colour in near], axis=0).all()
    middle = pixels[0, 0]
    assert (middle == table[127]).all() or (middle == table[128]).all()
    expect(page.locator(".xv-mark.xv-hatched")).to_be_visible()
    expect(page.locator(".xv-what")).to_contain_text("Red = B has more weight there, blue = A has.")
    both.to_cell(1, 1, APART)
    assert both.said().endswith("There is no difference: only one of the two has this cell.")
    both.to_cell(1, 3, APART)
    assert both.said().endswith("Difference: +0.40.")
    both.page.locator("details.xv-details").evaluate("details => { details.open = true; }")
    expect(page.locator(".xv-table tbody tr").nth(1).locator("td")).to_have_text(
        ["0.00", "", "\u22120.60", "0.40", "0.00", "0.00"]
    )
    both.press("Side by side")
    expect(page.locator('[aria-label="Map of the other output"]')).to_be_visible()


def test_two_heads_of_one_trace_are_compared_by_choosing_that_of_the_second(harness: Page) -> None:
    weights = np.random.default_rng(3).dirichlet(np.ones(5), (1, 3, 3))
    one = trace_of("the bank by town", "le bord", weights, shape=(1, 3))
    show(harness, pack(one, beside=one, select={"head": "1.1"}))
    both = Explorer(harness, one, "harness")
    assert both.page.locator(".xv-changes").inner_text() == "No weight changed by 0.05 or more."
    both.page.get_by_label("Head of the second trace").select_option("1.3")
    both.press("Difference")
    expect(both.page.locator(".xv-map-title").first).to_have_text("B \u2212 A: Layer 1, head 3 \u2212 layer 1, head 1")
    both.page.locator("details.xv-details").evaluate("details => { details.open = true; }")
    rows = both.page.locator(".xv-table tbody tr")
    read = rows.evaluate_all("all => all.map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent))")
    numbers = np.array([[float(cell.replace("\u2212", "-")) for cell in row] for row in read])
    # Each of the two weights is off by half of 1/255, and the number is printed with two decimals.
    np.testing.assert_allclose(numbers, weights[0, 2] - weights[0, 0], atol=2 * PACKED + 0.005)


def test_models_of_other_sizes_that_cut_words_otherwise_are_compared_between_words(harness: Page) -> None:
    one = trace_of("the un|der|ground", "le mé|tro", shape=(2, 2))
    other = trace_of("the underground", "le métro", model="n", shape=(3, 4))
    show(harness, pack(one, beside=other, select={"head": "1.1"}))
    both = Explorer(harness, one, "harness")
    for panel in (FIRST, SECOND):
        assert labels(both, panel, "column") == ["the", "underground", "</s>"]
    expect(both.page.locator('[data-value="pieces"]')).to_be_hidden()
    both.choose("mean")
    both.press("Difference")
    expect(both.page.locator(".xv-map-title").first).to_have_text("B \u2212 A: Mean over all heads")


def test_a_cell_that_only_the_second_has_is_explained_of_the_second(both: Explorer) -> None:
    check = both.page.locator(".xv-check-body")
    both.click_cell(1, 2)
    expect(check.locator("h3")).to_have_text("A: bord → bank")
    both.click_cell(1, 1, SECOND)
    expect(check.locator("h3")).to_have_text("B: bord → old")
    one, other = trace_of("the bank", "le bord droit"), trace_of("the old bank", "le bord")
    show(both.page, pack(one, beside=other, select={"head": "1.1"}))
    Explorer(both.page, one, "harness").click_cell(2, 1)
    expect(check).to_have_text(
        "This cell is in neither of the two: its row is only in one, its column only in the other."
    )
