"""A click on a cell shows how its weight comes about, in the numbers that numpy computes."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from tests.browser.explorer.conftest import Explorer
from xattn_viz.core.tokens import visible


def shown(explorer: Explorer) -> dict[str, float]:
    numbers: dict[str, str] = explorer.page.locator(".xv-check dl").evaluate("list => ({ ...list.dataset })")
    return {name: float(value) for name, value in numbers.items()}


def assert_arithmetic(explorer: Explorer, layer: int, head: int, i: int, j: int) -> None:
    """float32 values, summed in double precision in both: 1e-5 is 100 times the rounding of the sums."""
    projections = explorer.maps.projections
    assert projections is not None
    q, k = (array[layer, head].astype(np.float64) for array in (projections.queries, projections.keys))
    scores = q[i] @ k.T * projections.scale
    softmax = np.exp(scores - scores.max())
    softmax /= softmax.sum()
    numbers = shown(explorer)
    np.testing.assert_allclose(numbers["product"], q[i] @ k[j], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numbers["score"], scores[j], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numbers["weight"], softmax[j], atol=1e-6)
    np.testing.assert_allclose(numbers["captured"], explorer.maps.weights[layer, head, i, j], atol=1e-7)
    assert numbers["off"] < 1e-5
    np.testing.assert_allclose(numbers["off"], abs(numbers["weight"] - numbers["captured"]), atol=1e-12)


def test_a_cell_between_pieces(explorer: Explorer) -> None:
    explorer.choose("2.3")
    for row, column in ((1, 2), (0, len(explorer.maps.keys) - 1)):
        explorer.click_cell(row, column)
        heading = f"{visible(explorer.maps.queries.name(row))} → {visible(explorer.maps.keys.name(column))}"
        expect(explorer.page.locator(".xv-check h3")).to_have_text(heading)
        assert_arithmetic(explorer, 1, 2, row, column)
        rows = explorer.page.locator(".xv-row-table tbody tr")
        expect(rows).to_have_count(len(explorer.maps.keys))
        expect(explorer.page.locator(".xv-row-table .xv-chosen th")).to_have_text(
            visible(explorer.maps.keys.name(column))
        )
        weights = [float(text) for text in explorer.page.locator(".xv-row-table td:last-child").all_inner_texts()]
        assert abs(sum(weights) - 1) < 0.0001 * len(weights)
    # The other head's numbers follow when the same cell is looked at there.
    explorer.page.locator(".xv-close").click()
    expect(explorer.page.locator(".xv-check")).to_be_hidden()
    explorer.choose("1.2")
    explorer.click_cell(1, 2)
    assert_arithmetic(explorer, 0, 1, 1, 2)


def test_a_cell_between_words_shows_its_largest_pieces(explorer: Explorer) -> None:
    explorer.choose("2.3")
    explorer.press("Words")
    rows, columns = explorer.maps.queries.word_groups(), explorer.maps.keys.word_groups()
    row = max(range(len(rows)), key=lambda r: len(rows[r]))
    column = max(range(len(columns)), key=lambda c: len(columns[c]))
    assert len(rows[row]) * len(columns[column]) > 1, "The sentence must have a word of several pieces."
    explorer.click_cell(row, column)
    weights = explorer.maps.weights[1, 2]
    i, j = max(((i, j) for i in rows[row] for j in columns[column]), key=lambda pair: weights[pair])
    assert_arithmetic(explorer, 1, 2, i, j)
    total = float(explorer.maps.to_words().weights[1, 2, row, column])
    said = explorer.page.locator(".xv-check p").inner_text()
    assert abs(float(said.split("= ")[1].split(".  ")[0].split(". ")[0]) - total) < 0.0001
    pieces = len(rows[row]) * len(columns[column])
    assert said.startswith("Between words: (" if pieces <= 12 else f"Between words: the sum of {pieces} weights")


def test_a_mean_has_no_arithmetic_of_its_own(explorer: Explorer) -> None:
    explorer.choose("1.mean")
    explorer.click_cell(0, 0)
    expect(explorer.page.locator(".xv-check p")).to_have_text(
        "A mean or maximum has no q · k of its own: choose one head to see how its weight comes about."
    )
    assert explorer.page.locator(".xv-check dl").count() == 0
