"""One explorer, twice: in the app, with a sentence typed that no file holds, and in an exported page."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

import xattn_viz as xv
from tests.browser.conftest import VIEWPORT, Tabs, Watch
from tests.browser.explorer.harness import open_harness
from tests.browser.explorer.planted import planted
from xattn_viz import export
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.plots import colours

#: uint8 of a map's maximum: at most 0.5/255 of 1, and the float's own rounding.
PACKED = 0.002
#: A number printed with two decimals is up to 0.005 off, besides.
PRINTED = 0.005 + PACKED

# Every message to the server is counted in the page itself, in the same clock as the painting.
COUNT_MESSAGES = """() => {
  window.sent = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (...data) { window.sent.push(performance.now()); return send.apply(this, data); };
}"""


@dataclass
class Explorer:
    """An explorer on a page, and the trace that it shows. Views are named as on the page: "2.1", "2.mean", "max"."""

    page: Page
    trace: Trace
    where: str

    @property
    def root(self) -> Locator:
        return self.page.locator(".xv")

    @property
    def maps(self) -> AttentionMaps:
        return self.trace.cross

    def data(self, name: str) -> str:
        return self.root.get_attribute(f"data-{name}") or ""

    def choose(self, view: str) -> None:
        self.page.locator(f'.xv-tiles [data-view="{view}"]').click()
        expect(self.root).to_have_attribute("data-head", view)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def stage(self, panel: str = "Chosen map") -> Locator:
        return self.page.locator(f'[aria-label="{panel}"] .xv-stage')

    def to_cell(self, row: int, column: int, panel: str = "Chosen map") -> None:
        """Move the pointer to the middle of a cell."""
        stage = self.stage(panel)
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        assert box is not None
        wide, high = (float(stage.get_attribute(f"data-cell-{side}") or 0) for side in ("width", "height"))
        self.page.mouse.move(box["x"] + (column + 0.5) * wide, box["y"] + (row + 0.5) * high)

    def click_cell(self, row: int, column: int, panel: str = "Chosen map") -> None:
        self.to_cell(row, column, panel)
        self.page.mouse.down()
        self.page.mouse.up()

    def tokens(self, side: str) -> Locator:
        """The tokens of a sentence: `side` is "source" or "output"."""
        return self.page.locator({"source": ".xv-columns .xv-text", "output": ".xv-rows .xv-text"}[side])

    def token(self, side: str, position: int) -> Locator:
        return self.tokens(side).nth(position)

    def tints(self, side: str) -> NDArray[np.float64]:
        tints = self.tokens(side).evaluate_all("all => all.map(token => Number(token.dataset.tint))")
        return np.array(tints, dtype=float)

    def marked(self, side: str, mark: str) -> list[bool]:
        marks: list[bool] = self.tokens(side).evaluate_all(
            "(all, mark) => all.map(token => token.classList.contains(mark))", f"xv-{mark}"
        )
        return marks

    def said(self) -> str:
        return self.page.locator(".xv-readout").inner_text()

    def pixels(self, panel: str = "Chosen map") -> NDArray[np.int64]:
        """What is painted near the corner of each cell, where no number stands, `[row, column, channel]`."""
        pixels = self.stage(panel).evaluate(
            """stage => {
              const canvas = stage.querySelector('.xv-cells'), ratio = devicePixelRatio;
              const [wide, high] = [Number(stage.dataset.cellWidth), Number(stage.dataset.cellHeight)];
              const all = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
              const at = (x, y) => {
                const i = (Math.floor(y) * canvas.width + Math.floor(x)) * 4;
                return [...all.slice(i, i + 3)];
              };
              const rows = Math.round(canvas.height / ratio / high), columns = Math.round(canvas.width / ratio / wide);
              return Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) =>
                at((c * wide + 2) * ratio, (r * high + 2) * ratio)));
            }"""
        )
        return np.array(pixels)

    def table(self) -> tuple[list[str], list[str], NDArray[np.float64]]:
        """The table for screen readers: its rows, its columns, its weights."""
        details = self.page.locator("details.xv-details")
        details.evaluate("details => { details.open = true; }")
        self.page.locator(".xv-table table").wait_for()
        read: dict[str, Any] = details.evaluate(
            """details => ({
              columns: [...details.querySelectorAll('thead th')].map(cell => cell.textContent),
              rows: [...details.querySelectorAll('tbody th')].map(cell => cell.textContent),
              weights: [...details.querySelectorAll('tbody tr')].map(row =>
                [...row.querySelectorAll('td')].map(cell => Number(cell.textContent))),
            })"""
        )
        return read["rows"], read["columns"], np.array(read["weights"])


def weights_of(maps: AttentionMaps, view: str) -> NDArray[Any]:
    """The weights `[query, key]` of a view as Python computes them."""
    if view in ("mean", "max"):
        return (maps.mean_over_all() if view == "mean" else maps.max_over_all()).head(-1, 0)
    layer, head = view.split(".")
    if head == "mean":
        return maps.mean().head(int(layer) - 1, 0)
    return maps.head(int(layer) - 1, int(head) - 1)


def views(maps: AttentionMaps) -> list[str]:
    """All views in the order of the overview."""
    heads = [*(str(head + 1) for head in range(maps.n_heads)), "mean"]
    return [f"{layer + 1}.{head}" for layer in maps.layers for head in heads] + ["mean", "max"]


def assert_painted(
    pixels: NDArray[np.int64],
    weights: NDArray[Any],
    top: float,
    *,
    colour_map: str = "magma",
    dark: bool = True,
    off: int = 1,
) -> None:
    """Every pixel has the colour of its weight, or one that is at most `off` away in the table of 256.

    A weight is rounded to 1/255 of its map's maximum and its colour to 1/255 of the scale's: together at most one
    colour. Weights of words add the rounding of each piece.
    """
    table = colours.table(colour_map, dark=dark).astype(int)
    index = np.rint(weights.astype(np.float64) / top * 255).astype(int)
    near = [table[np.clip(index + step, 0, 255)] for step in range(-off, off + 1)]
    assert pixels.shape == near[0].shape
    fits = np.any([(pixels == colour).all(-1) for colour in near], axis=0)
    assert fits.all(), f"{(~fits).sum()} cells are wrong, the first at {np.argwhere(~fits)[0]}"


def written(axis: Axis, text: object) -> list[str]:
    """How the tokens of an axis stand in a sentence: their labels, and blanks as they are."""
    blank = [isinstance(text, str) and a < b and text[a:b].isspace() for a, b in axis.spans or ()]
    blank = blank or [False] * len(axis)
    return ["" if blank[i] else visible(axis.name(i)) for i in range(len(axis))]


@cache
def typed_trace() -> Trace:
    """A trace of a sentence that no file holds: XATTN_VIZ_SEED puts another one together."""
    chance = random.Random(os.environ.get("XATTN_VIZ_SEED", "0"))  # noqa: S311
    who = chance.choice(("carpenter", "librarian", "gardener", "fisherman"))
    what = chance.choice(("lanterns", "umbrellas", "hammers", "blankets"))
    where = chance.choice(("harbour", "market", "station", "bridge"))
    sentence = f"The {who} bought {chance.randint(21, 989)} {what} near the {where}."
    return xv.load("firefox-en-pt").trace(sentence, keep_projections=True)


@pytest.fixture(params=["app", "export"])
def open_explorer(
    request: pytest.FixtureRequest, open_page: Callable[..., Page], tmp_path: Path
) -> Callable[..., Explorer]:
    """Call it (with Playwright's options for the page) for an explorer in a page of its own."""

    def launch(**options: Any) -> Explorer:
        return _opened(open_page(**options), request, tmp_path)

    return launch


@pytest.fixture(scope="module", params=["app", "export"])
def _left_open(
    request: pytest.FixtureRequest, tabs: Tabs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Explorer]:
    page = tabs.take({"viewport": VIEWPORT, "color_scheme": "dark"}, newcomer=False)
    yield _opened(page, request, tmp_path_factory.mktemp("page"))
    tabs.give_back(page)


@pytest.fixture
def same_explorer(_left_open: Explorer, watch: Watch) -> Iterator[Explorer]:
    """An explorer that the tests of a file share: they choose maps and tokens, and leave nothing else changed."""
    unfollow = watch.follow(_left_open.page.context)
    _left_open.page.mouse.move(1, 1)
    yield _left_open
    unfollow()
    assert not watch.complaints(), "\n".join(watch.complaints())


@pytest.fixture
def harness(page: Page, tmp_path: Path) -> Page:
    """A page that mounts the script by hand (`harness.show`)."""
    return open_harness(page, tmp_path)


@pytest.fixture
def explorer(open_explorer: Callable[..., Explorer]) -> Explorer:
    """An explorer in a dark page of 1280 × 720."""
    return open_explorer()


def _opened(page: Page, request: pytest.FixtureRequest, folder: Path) -> Explorer:
    """The explorer of the test's parameter, in this page."""
    if request.param == "export":
        trace = planted()
        file = folder / "export.html"
        file.write_text(export.html(trace, View(layer=1, head=2)), encoding="utf-8")
        page.goto(file.as_uri())
    else:
        trace = typed_trace()
        _show_in_app(page, request.getfixturevalue("app_url"), str(trace.input))
    labels = written(trace.cross.keys, trace.input)
    expect(page.locator(".xv-columns .xv-text")).to_have_text(labels, timeout=30_000)
    page.evaluate(COUNT_MESSAGES)
    page.mouse.move(1, 1)
    return Explorer(page, trace, request.param)


_typed: set[str] = set()


def _show_in_app(page: Page, url: str, sentence: str) -> None:
    """Type the sentence; once it has been typed its address shows it, which is sooner."""
    if sentence in _typed:
        page.goto(f"{url}/?{urlencode({'model': 'firefox-en-pt', 'text': sentence})}")
        return
    page.goto(url)
    page.locator(".xv[data-painted]").wait_for()
    field = page.get_by_label("Sentence", exact=True)
    field.fill(sentence)
    field.press("Enter")
    _typed.add(sentence)
