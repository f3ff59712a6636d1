"""Two outputs of one source: rows aligned by token, differences marked, one focus in both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import PRINTED, Explorer, assert_painted, weights_of, written
from tests.browser.explorer.harness import show
from tests.web.explorer.packed import texts
from xattn_viz.core.trace import Trace
from xattn_viz.web.explorer import pack

# O gato sentou. Era velho. </s>  beside  Um gato velho sentou. </s>: which row stands for which.
PAIRS = [(0, 0), (1, 1), (None, 2), (2, 3), (3, None), (4, None), (5, 4)]
OURS = ["O", "gato", "", "sentou.", "Era", "velho.", "</s>"]
THEIRS = ["Um", "gato", "velho", "sentou.", "", "", "</s>"]
PANELS = {"Chosen map": OURS, "Map of the other output": THEIRS}


@pytest.fixture
def other() -> Trace:
    return texts(output="Um gato velho sentou.", seed=1)


@pytest.fixture
def both(harness: Page, other: Trace) -> Explorer:
    trace = texts()
    show(harness, pack(trace, beside=other, name="Model", beside_name="<b>Mine"))
    return Explorer(harness, trace, "harness")


def row_labels(explorer: Explorer, panel: str) -> list[str]:
    labels: list[str] = explorer.page.locator(f'[aria-label="{panel}"] .xv-row-labels .xv-label').all_inner_texts()
    return labels


def alphas(explorer: Explorer, panel: str) -> list[int]:
    """How opaque the first cell of each row is."""
    found: list[int] = explorer.stage(panel).evaluate(
        """stage => {
          const canvas = stage.querySelector('.xv-cells'), high = Number(stage.dataset.cellHeight);
          return Array.from({ length: Math.round(canvas.height / high) }, (_, r) =>
            canvas.getContext('2d').getImageData(2, Math.floor((r + 0.5) * high), 1, 1).data[3]);
        }"""
    )
    return found


@pytest.mark.parametrize("view", ["1.2", "2.mean", "max"])
def test_rows_stand_beside_their_counterparts(both: Explorer, other: Trace, view: str) -> None:
    both.choose(view)
    maps = {"Chosen map": both.trace.cross, "Map of the other output": other.cross}
    top = max(float(weights_of(each, view).max()) for each in maps.values())
    for side, (panel, labels) in enumerate(PANELS.items()):
        assert row_labels(both, panel) == labels
        assert alphas(both, panel) == [255 if label else 0 for label in labels]
        weights = weights_of(maps[panel], view)
        kept = [row for row, pair in enumerate(PAIRS) if pair[side] is not None]
        # Both in the colours of one scale, so that they can be compared.
        assert_painted(both.pixels(panel)[kept], weights, top)
    expect(both.page.locator(".xv-legend")).to_contain_text(" in Model and <b>Mine")


def test_both_outputs_stand_below_the_source_with_their_names(both: Explorer, other: Trace) -> None:
    page = both.page
    expect(both.tokens("output")).to_have_text(written(both.trace.cross.queries, both.trace.output))
    expect(page.locator(".xv-others .xv-text")).to_have_text(written(other.cross.queries, other.output))
    expect(page.locator(".xv-rows .xv-caption")).to_have_text("Model")
    expect(page.locator(".xv-others .xv-caption")).to_have_text("<b>Mine")
    titles = page.locator(".xv-map-title").all_inner_texts()
    assert titles == [f"{name}: Cross-attention, layer 1, head 1" for name in ("Model", "<b>Mine")]
    expect(page.get_by_role("button", name="Pin", exact=True)).to_be_hidden()
    assert page.locator(".xv b").count() == 0


def test_what_differs_is_marked_by_more_than_a_colour(both: Explorer) -> None:
    page = both.page
    assert both.marked("output", "differs") == [True, False, False, True, True, False]
    others = page.locator(".xv-others .xv-text")
    marked = others.evaluate_all("all => all.map(token => token.classList.contains('xv-differs'))")
    assert marked == [True, False, True, False, False]
    drawn = others.nth(2).evaluate("token => getComputedStyle(token).borderBottomStyle")
    assert (drawn, others.nth(1).evaluate("token => getComputedStyle(token).borderBottomStyle")) == ("double", "none")
    sign = page.locator('[aria-label="Map of the other output"] .xv-row-labels .xv-label').nth(2)
    assert sign.evaluate("label => getComputedStyle(label, '::before').content") == '"• "'
    expect(page.locator(".xv-mark.xv-differs")).to_have_text("differs from the other output")


def test_a_row_is_in_focus_in_both(both: Explorer) -> None:
    focus = '[aria-label="{}"] .xv-row-labels .xv-focus'
    both.choose("2.1")
    moves: list[tuple[Callable[[], None], int]] = [
        (lambda: both.token("output", 2).hover(), 3),
        (lambda: both.page.locator(".xv-others .xv-text").nth(2).hover(), 2),
        (lambda: both.to_cell(5, 3, "Map of the other output"), 5),
        (lambda: both.to_cell(0, 3), 0),
    ]
    for move, row in moves:
        move()
        expect(both.root).to_have_attribute("data-row", str(row))
        for panel, labels in PANELS.items():
            expect(both.page.locator(focus.format(panel))).to_have_text(labels[row])
    both.token("source", 4).hover()
    for panel in PANELS:
        expect(both.page.locator(f'[aria-label="{panel}"] .xv-column-labels .xv-focus')).to_have_text("It")


def test_both_are_read_out(both: Explorer, other: Trace) -> None:
    both.choose("2.1")
    both.token("output", 3).hover()
    said = both.said()
    assert said.startswith("Model: Predicting Era, this head put ")
    assert said.endswith(" <b>Mine: nothing stands for it here.")
    both.to_cell(3, 5)
    ours, theirs = weights_of(both.trace.cross, "2.1")[2, 5], weights_of(other.cross, "2.1")[3, 5]
    numbers = [float(text) for text in both.page.locator(".xv-readout strong").all_inner_texts()]
    np.testing.assert_allclose(numbers, [ours, theirs], atol=PRINTED)
    both.click_cell(2, 3)  # a row that only the other output has: its weight is explained of that one
    expect(both.page.locator(".xv-check h3")).to_have_text("<b>Mine: velho → .")
    numbers = both.page.locator(".xv-check dl").evaluate("list => ({ ...list.dataset })")
    np.testing.assert_allclose(float(numbers["captured"]), weights_of(other.cross, "2.1")[2, 3], atol=1e-6)


def test_the_other_map_follows_units_rows_and_special_tokens(both: Explorer) -> None:
    both.press("Sentences")
    assert row_labels(both, "Chosen map") == ["1. O gato sentou", "2. Era velho", "</s>"]
    assert row_labels(both, "Map of the other output") == ["1. Um gato velho sentou", "", "</s>"]
    both.page.get_by_label("Special tokens").uncheck()
    assert row_labels(both, "Map of the other output") == ["1. Um gato velho sentou", ""]
    both.press("Words")
    both.press("Read")
    assert row_labels(both, "Chosen map")[0] == "O"
    both.page.get_by_label("Special tokens").check()
    assert row_labels(both, "Chosen map")[0] == row_labels(both, "Map of the other output")[0] == "<s>"
    rows, _, table = both.table()
    assert rows == ["<s>", "O", "gato", "sentou.", "Era", "velho."]
    np.testing.assert_allclose(table, weights_of(both.trace.cross, "1.1"), atol=PRINTED)


def test_each_kind_that_both_hold_stands_beside_the_others(both: Explorer) -> None:
    for kind in ("Encoder", "Decoder", "Cross"):
        both.press(kind)
        expect(both.page.locator('[aria-label="Map of the other output"]')).to_be_visible()
        expect(both.page.locator(".xv-map-title").nth(1)).to_contain_text(
            "Mine: " + {"Encoder": "Enc", "Decoder": "Dec", "Cross": "Cro"}[kind]
        )


def test_taking_the_other_output_away_keeps_what_is_looked_at(both: Explorer) -> None:
    both.choose("2.2")
    both.press("Words")
    show(both.page, pack(both.trace))
    assert both.data("head") == "2.2"
    expect(both.page.locator('[data-value="words"]')).to_have_attribute("aria-pressed", "true")
    expect(both.page.locator(".xv-others")).to_be_hidden()
    expect(both.page.get_by_role("button", name="Pin", exact=True)).to_be_visible()
    assert row_labels(both, "Chosen map") == ["O", "gato", "sentou.", "Era", "velho.", "</s>"]
