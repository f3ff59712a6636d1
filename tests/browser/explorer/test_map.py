"""The chosen map and the overview: colours cell by cell, pieces and words, rows, special tokens, a pinned map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.explorer.conftest import PRINTED, Explorer, assert_painted, views, weights_of
from xattn_viz.core.tokens import visible


@pytest.fixture
def explorer(same_explorer: Explorer) -> Explorer:
    """Shared: a test that presses a switch opens one of its own."""
    return same_explorer


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_cell_has_the_colour_of_its_weight(open_explorer: Callable[..., Explorer], scheme: str) -> None:
    explorer = open_explorer(color_scheme=scheme)
    expect(explorer.root).to_have_attribute("data-theme", scheme)
    everything = max(float(weights_of(explorer.maps, view).max()) for view in views(explorer.maps))
    for view in ("2.3", "1.2", "2.mean", "max"):
        explorer.choose(view)
        weights = weights_of(explorer.maps, view)
        for colour_map in ("magma", "viridis", "cividis", "grey"):
            explorer.page.get_by_label("Colour map").select_option(colour_map)
            for scale, top in (("Per head", float(weights.max())), ("Common", everything)):
                explorer.press(scale)
                assert_painted(explorer.pixels(), weights, top, colour_map=colour_map, dark=scheme == "dark")
                legend = explorer.page.locator(".xv-legend").inner_text()
                assert f"{top:.2f} = the maximum of" in legend
                assert colour_map in legend


def test_planted_weights_stand_out(explorer: Explorer) -> None:
    """Not only the same colours as Python computes, but another colour where the weight is another."""
    explorer.choose("2.3")
    pixels, weights = explorer.pixels(), weights_of(explorer.maps, "2.3")
    assert pixels[np.unravel_index(weights.argmax(), weights.shape)].sum() > 600  # magma ends in a pale yellow
    assert pixels[np.unravel_index(weights.argmin(), weights.shape)].sum() < 60  # and begins in black


@pytest.mark.parametrize("ratio", [1.5, 2])
def test_pixels_hold_on_finer_screens(open_explorer: Callable[..., Explorer], ratio: float) -> None:
    explorer = open_explorer(device_scale_factor=ratio)
    explorer.choose("2.1")
    weights = weights_of(explorer.maps, "2.1")
    assert_painted(explorer.pixels(), weights, float(weights.max()))


def test_means_and_maxima_equal_pythons(open_explorer: Callable[..., Explorer]) -> None:
    explorer = open_explorer()
    for view in ("1.mean", "2.mean", "mean", "max"):
        explorer.choose(view)
        rows, columns, shown = explorer.table()
        assert rows == [visible(label) for label in explorer.maps.queries.labels or ()]
        assert columns == [visible(label) for label in explorer.maps.keys.labels or ()]
        np.testing.assert_allclose(shown, weights_of(explorer.maps, view), atol=PRINTED)


@pytest.mark.parametrize("reading", ["Predicted", "Read"])
def test_words_and_special_tokens_equal_pythons(open_explorer: Callable[..., Explorer], reading: str) -> None:
    """Within 0.01: two decimals, and the rounding of a word's few pieces."""
    explorer = open_explorer()
    maps = explorer.maps if reading == "Predicted" else explorer.maps.by_input_token()
    explorer.choose("2.3")
    explorer.press(reading)
    rows, _, shown = explorer.table()
    assert rows == [visible(label) for label in maps.queries.labels or ()]
    np.testing.assert_allclose(shown, weights_of(maps, "2.3"), atol=PRINTED)

    explorer.press("Words")
    words = maps.to_words()
    assert words.weights.shape != maps.weights.shape
    rows, columns, shown = explorer.table()
    assert rows == [visible(label) for label in words.queries.labels or ()]
    assert columns == [visible(label) for label in words.keys.labels or ()]
    np.testing.assert_allclose(shown, weights_of(words, "2.3"), atol=0.01)
    assert_painted(explorer.pixels(), weights_of(words, "2.3"), float(weights_of(words, "2.3").max()), off=2)

    explorer.page.get_by_label("Special tokens").uncheck()
    inner = words.without_special()
    rows, columns, shown = explorer.table()
    assert rows == [visible(label) for label in inner.queries.labels or ()]
    assert columns == [visible(label) for label in inner.keys.labels or ()]
    np.testing.assert_allclose(shown, weights_of(inner, "2.3"), atol=0.01)
    expect(explorer.token("source", len(explorer.maps.keys) - 1)).to_be_hidden()


def test_hovering_a_cell_frames_it_and_says_its_weight(explorer: Explorer) -> None:
    explorer.choose("2.3")
    weights = weights_of(explorer.maps, "2.3")
    largest = divmod(int(weights.argmax()), weights.shape[1])
    for row, column in (largest, (1, 2), (len(weights) - 1, 0)):
        explorer.to_cell(row, column)
        expect(explorer.root).to_have_attribute("data-column", str(column))
        expect(explorer.root).to_have_attribute("data-row", str(row))
        assert float(explorer.page.locator(".xv-readout strong").inner_text()) == pytest.approx(
            weights[row, column], abs=PRINTED
        )
        labels = [visible(axis.name(i)) for axis, i in ((explorer.maps.queries, row), (explorer.maps.keys, column))]
        assert explorer.page.locator(".xv-map .xv-label.xv-focus").all_inner_texts() == labels[::-1]
        for label in explorer.page.locator(".xv-map .xv-label.xv-focus").all():
            assert label.evaluate("label => getComputedStyle(label).fontWeight") == "700"
        framed = explorer.stage().evaluate(
            """(stage, [row, column]) => {
              const frame = stage.querySelector('.xv-frame'), context = frame.getContext('2d');
              const [wide, high] = [Number(stage.dataset.cellWidth), Number(stage.dataset.cellHeight)];
              const clear = (x, y) => context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data[3] === 0;
              const rows = Math.round(frame.height / high), columns = Math.round(frame.width / wide);
              const lines = { rows: [], columns: [] };
              const free = (count, not) => [...Array(count).keys()].find(i => Math.abs(i - not) > 1);
              for (let r = 0; r < rows; r++)
                if (!clear((free(columns, column) + 0.5) * wide, r * high + 1) &&
                    !clear((free(columns, column) + 0.5) * wide, (r + 1) * high - 2)) lines.rows.push(r);
              for (let c = 0; c < columns; c++)
                if (!clear(c * wide + 1, (free(rows, row) + 0.5) * high) &&
                    !clear((c + 1) * wide - 2, (free(rows, row) + 0.5) * high)) lines.columns.push(c);
              return lines;
            }""",
            [row, column],
        )
        assert framed == {"rows": [row], "columns": [column]}


def test_a_pinned_map_stays_and_hovers_along(explorer: Explorer) -> None:
    explorer.choose("1.2")
    explorer.press("Pin")
    explorer.choose("max")
    for panel, view in (("Chosen map", "max"), ("Pinned map", "1.2")):
        weights = weights_of(explorer.maps, view)
        assert_painted(explorer.pixels(panel), weights, float(weights.max()))
    explorer.to_cell(2, 3, "Pinned map")
    expect(explorer.root).to_have_attribute("data-row", "2")
    for panel in ("Chosen map", "Pinned map"):
        bold = explorer.page.locator(f'[aria-label="{panel}"] .xv-label.xv-focus').all_inner_texts()
        assert bold == [visible(explorer.maps.keys.name(3)), visible(explorer.maps.queries.name(2))]
    explorer.press("Unpin")
    expect(explorer.page.locator('[aria-label="Pinned map"]')).to_be_hidden()
    explorer.to_cell(1, 1)
    assert explorer.data("head") == "max"


def test_the_overview_paints_every_head(explorer: Explorer) -> None:
    """The middle of each tile's cells, away from the name in its corner."""
    tiles = explorer.page.locator(".xv-tiles").evaluate(
        """tiles => {
          const canvas = tiles.querySelector('canvas'), context = canvas.getContext('2d');
          return [...tiles.querySelectorAll('button')].map(tile => {
            const [x, y, side] = ['left', 'top', 'width'].map(name => parseFloat(tile.style[name]));
            return { view: tile.dataset.view, side, pixels: [...context.getImageData(x, y, side, side).data] };
          });
        }"""
    )
    assert [tile["view"] for tile in tiles] == views(explorer.maps)
    for tile in tiles:
        weights = weights_of(explorer.maps, tile["view"])
        side = int(tile["side"])
        image = np.array(tile["pixels"]).reshape(side, side, 4)[..., :3]
        rows, columns = weights.shape
        down = ((np.arange(rows) + 0.5) * side / rows).astype(int)
        right = ((np.arange(columns) + 0.5) * side / columns).astype(int)
        assert_painted(image[down][:, right], weights, float(weights.max()))
