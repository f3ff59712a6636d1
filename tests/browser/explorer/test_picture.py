"""Maps over a picture: every region, share and number is what numpy says of planted traces."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import VIEWPORT, Watch
from tests.browser.explorer.conftest import PRINTED, Explorer
from tests.browser.explorer.harness import open_harness, show
from tests.browser.explorer.pictured import CAPTION, GRID, ON_CLS, PEAKS, STEPS, captioned, drawn
from tests.browser.translate import serious
from xattn_viz import export
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.plots import colours
from xattn_viz.web.explorer import pack

ROWS, COLUMNS = GRID
#: The planted head, as the page names it.
HEAD = "2.1"
CIRCLE = CAPTION.index("circle")
#: Of the veil, how much is gone where the weight is largest (region.js).
CLEARED = 0.8
#: Okabe and Ito's colours, in their order here.
PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115))


@dataclass
class Pictured(Explorer):
    """An explorer whose chosen map lies over a picture."""

    def layer(self, name: str, panel: str = "Chosen map") -> NDArray[np.int64]:
        """A canvas of a map, `[pixel row, pixel column, channel]`, with opacity as the fourth channel."""
        url: str = self.stage(panel).evaluate("(stage, name) => stage.querySelector(name).toDataURL()", name)
        return np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")).astype(int)

    def patches(self, panel: str = "Chosen map") -> NDArray[np.int64]:
        """The pixel of the weights in the middle of each patch, `[patch, channel]`."""
        pixels = self.layer(".xv-cells", panel)
        y, x = (((np.arange(n) + 0.5) / n * size).astype(int) for n, size in zip(GRID, pixels.shape, strict=False))
        return pixels[np.ix_(y, x)].reshape(-1, 4)

    def shares(self, panel: str = "Chosen map") -> NDArray[np.float64]:
        """Each patch's weight against the scale's end, read off how much it covers the picture."""
        return (1 - self.patches(panel)[:, 3] / 255) / CLEARED

    def beside(self, name: str) -> Locator:
        """What stands beside the chosen map's picture."""
        return self.page.locator(f'[aria-label="Chosen map"] {name}')

    def top(self) -> float:
        """Where the colour scale ends."""
        return float(self.stage().get_attribute("data-top") or 0)

    def tile(self, view: str) -> NDArray[np.int64]:
        """The middle of each patch in a small map of the overview, `[patch, channel]`."""
        pixels: list[list[int]] = self.page.locator(f'.xv-tiles [data-view="{view}"]').evaluate(
            """button => {
              const canvas = button.parentElement.querySelector('canvas'), context = canvas.getContext('2d');
              const { offsetLeft: x, offsetTop: y, offsetWidth: side } = button;
              return Array.from({ length: 64 }, (_, i) => [...context.getImageData(
                x + ((i % 8) + 0.5) * side / 8, y + (Math.floor(i / 8) + 0.5) * side / 8, 1, 1).data]);
            }"""
        )
        return np.array(pixels)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> NDArray[np.float64]:
        """From one place of the picture to another, in shares of its sides (across, down).

        Where it went, since a pointer is on whole pixels: [start or end, across or down].
        """
        box = self.stage().bounding_box()
        assert box is not None
        corner, size = np.array([box["x"], box["y"]]), np.array([box["width"], box["height"]])
        places = [np.rint(corner + np.array(place) * size) for place in (start, end)]
        self.page.mouse.move(*map(float, places[0]))
        self.page.mouse.down()
        self.page.mouse.move(*map(float, places[1]), steps=3)
        self.page.mouse.up()
        moved: NDArray[np.float64] = (np.array(places) - corner) / size
        return moved


def peak(place: tuple[int, int]) -> int:
    return place[0] * COLUMNS + place[1]


def on_patches(trace: Trace, row: int) -> NDArray[np.float64]:
    """What a row of the planted head puts on each patch."""
    return trace.cross.weights[1, 0, row, 1:].astype(float)


def pixels_of(trace: Trace) -> NDArray[np.int64]:
    return np.asarray(trace.picture).astype(int)


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    watch = Watch()
    context = browser.new_context(viewport=VIEWPORT, color_scheme="dark")  # type: ignore[arg-type]
    watch.follow(context)
    yield open_harness(context.new_page(), tmp_path_factory.mktemp("picture"))
    context.close()
    assert not watch.complaints(), "\n".join(watch.complaints())


def shown(page: Page, trace: Trace) -> Pictured:
    """The trace in the page, with nothing left of what was looked at before."""
    page.mouse.move(1, 1)
    show(page, pack(drawn() if trace.output else captioned()))
    show(page, pack(trace, select={"head": HEAD, "scale": "word", "overlay": "patches", "map": "cross"}))
    explorer = Pictured(page, trace, "harness")
    expect(explorer.root).to_have_attribute("data-head", HEAD)
    return explorer


@pytest.fixture
def caption(opened: Page) -> Pictured:
    return shown(opened, captioned())


@pytest.fixture
def drawing(opened: Page) -> Pictured:
    return shown(opened, drawn())


def test_each_word_shows_its_region(caption: Pictured) -> None:
    table = colours.table("magma", dark=True).astype(int)
    for word, place in enumerate(PEAKS):
        caption.token("output", word).hover()
        weights = on_patches(caption.trace, word)
        share = weights / weights.max()
        pixels = caption.patches()
        assert int(caption.shares().argmax()) == peak(place)
        assert caption.top() == pytest.approx(weights.max(), abs=1e-5)
        # A weight is rounded to 1/255 of the map's maximum, here at most 3 of this word's; its opacity to 1/255.
        assert np.abs(caption.shares() - share).max() < 0.02
        ink = table[np.rint(share * 255).astype(int)]
        # Colours are kept multiplied by an opacity of 0.2 or more: off by up to 3, and the next colours of the table.
        assert np.abs(pixels[:, :3] - ink).max() <= 12
    # Between the middles of patches, a smooth region follows straight lines.
    caption.token("output", CIRCLE).hover()
    caption.press("Smooth")
    caption.token("output", CIRCLE).hover()
    weights = on_patches(caption.trace, CIRCLE).reshape(GRID)
    covered = (1 - caption.layer(".xv-cells")[..., 3] / 255) / CLEARED
    places = [np.clip((np.arange(n) + 0.5) / n * 8 - 0.5, 0, 7) for n in covered.shape]
    rows = np.array([np.interp(places[1], np.arange(8), line) for line in weights])
    smooth = np.array([np.interp(places[0], np.arange(8), column) for column in rows.T]).T
    assert np.abs(covered - smooth / weights.max()).max() < 0.03
    # Every pixel below is the picture's own.
    picture = caption.layer(".xv-underlay")
    y, x = ((np.arange(96) + 0.5) / 96 * n for n in picture.shape[:2])
    assert np.abs(picture[np.ix_(y.astype(int), x.astype(int))][..., :3] - pixels_of(caption.trace)).max() <= 1


def test_a_patch_is_outlined_and_said_and_tints_the_words_that_read_it(caption: Pictured) -> None:
    caption.token("output", CIRCLE).click()
    row, column = PEAKS[CAPTION.index("red")]
    caption.to_cell(row, column)
    weights = caption.trace.cross.weights[1, 0]
    place = 1 + peak((row, column))
    said = f"Predicting circle, this head put {weights[CIRCLE, place]:.2f} on row {row + 1}, column {column + 1}."
    expect(caption.page.locator(".xv-readout")).to_have_text(said)
    assert np.abs(caption.tints("output") - weights[:, place] / weights[:7, 1:].max()).max() < 0.01
    frame = caption.layer(".xv-frame")
    drawn_at = np.argwhere(frame[..., 3] > 250)
    size = np.array(frame.shape[:2]) / GRID
    assert np.abs(drawn_at.min(0) - np.array([row, column]) * size).max() < 4
    assert np.abs(drawn_at.max(0) - np.array([row + 1, column + 1]) * size).max() < 4
    # With the keyboard alone: arrows move the patch, Escape leaves it, the word stays.
    caption.page.mouse.move(1, 1)
    caption.stage().focus()
    caption.page.keyboard.press("ArrowRight")
    for _ in range(3):
        caption.page.keyboard.press("ArrowRight")
    caption.page.keyboard.press("ArrowDown")
    assert (caption.data("row"), caption.data("column")) == (str(CIRCLE), str(1 + peak((1, 3))))
    outline = caption.stage().evaluate("stage => getComputedStyle(stage).outlineStyle")
    assert outline != "none"
    caption.page.keyboard.press("Escape")
    assert (caption.data("row"), caption.data("column")) == (str(CIRCLE), "-1")


def test_what_rests_beside_the_picture_stands_apart(caption: Pictured) -> None:
    chip = caption.beside(".xv-chip")
    for word in (0, CIRCLE, len(CAPTION)):
        caption.token("output", word).hover()
        expect(chip).to_have_text(f"[CLS]{ON_CLS[word]:.2f}")
    caption.token("output", CIRCLE).click()
    chip.hover()
    tints = caption.tints("output")
    assert int(np.argmax(tints)) in (0, len(CAPTION))
    before = caption.shares()
    caption.page.get_by_label("Special tokens").uncheck()
    expect(chip).to_have_count(0)
    assert caption.tokens("output").last.is_hidden()
    caption.token("output", CIRCLE).hover()
    assert np.array_equal(caption.shares(), before)  # weights stay what they are
    caption.page.get_by_label("Special tokens").check()


def test_a_box_says_each_words_share(caption: Pictured) -> None:
    (left, above), (right, below) = caption.drag((0.125, 0.0625), (0.5, 0.5))  # cuts the first row of patches in half
    shares = caption.beside(".xv-shares dd")
    expect(shares).to_have_count(1 + len(CAPTION))
    read = np.array(shares.evaluate_all("all => all.map(share => Number(share.dataset.share))"))
    assert read[0] == pytest.approx((right - left) * (below - above), abs=1e-4)
    edges = np.arange(9) / 8
    across, down = (
        np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, None) * 8
        for start, end in ((left, right), (above, below))
    )
    inside = np.outer(down, across)
    for word in range(len(CAPTION)):
        weights = on_patches(caption.trace, word)
        # Each weight comes in two bytes: the sum of 64 is off by less than 0.0002.
        assert read[1 + word] == pytest.approx((weights * inside.ravel()).sum() / weights.sum(), abs=2e-4)
    labels = caption.beside(".xv-shares dt").all_inner_texts()
    assert labels[1:] == list(CAPTION)
    caption.page.keyboard.press("Escape")
    expect(caption.beside(".xv-shares")).to_be_hidden()
    caption.drag((0.1, 0.1), (0.3, 0.3))
    expect(shares).to_have_count(1 + len(CAPTION))
    caption.to_cell(7, 7)
    caption.page.mouse.down()
    caption.page.mouse.up()
    expect(caption.beside(".xv-shares")).to_be_hidden()


def test_the_overview_and_a_pinned_map_show_the_same_word(caption: Pictured) -> None:
    for word in (0, 4):  # their patches lie on bare paper, which is brightest where least covers it
        caption.token("output", word).click()
        assert int(caption.tile(HEAD)[:, :3].sum(1).argmax()) == peak(PEAKS[word])
    caption.press("Pin")
    caption.choose("1.2")
    for panel, weights in (
        ("Pinned map", on_patches(caption.trace, 4)),
        ("Chosen map", caption.trace.cross.weights[0, 1, 4, 1:]),
    ):
        assert np.abs(caption.shares(panel) - weights / weights.max()).max() < 0.02
    caption.press("Unpin")


def test_several_words_have_a_colour_each(caption: Pictured) -> None:
    words = [CAPTION.index(word) for word in ("circle", "square", "above")]
    caption.token("output", words[0]).click()
    caption.token("output", words[1]).click(modifiers=["Shift"])
    caption.token("output", words[2]).click()
    expect(caption.beside(".xv-named li")).to_have_text([CAPTION[word] for word in words])
    pixels = caption.patches()
    regions = np.array([on_patches(caption.trace, word) for word in words])
    regions /= regions.max(1, keepdims=True)
    for word, colour in zip(words, PALETTE, strict=True):
        pixel = pixels[peak(PEAKS[word])]
        assert np.abs(pixel[:3] - colour).max() <= 2
        assert pixel[3] == 255
    clear = np.sort(regions, axis=0)[-1] - np.sort(regions, axis=0)[-2] > 0.1
    wanted = np.array(PALETTE)[regions.argmax(0)]
    assert clear.sum() > 10
    assert np.abs(pixels[clear, :3] - wanted[clear]).max() <= 6
    caption.token("output", words[2]).click()
    expect(caption.beside(".xv-named li")).to_have_count(2)
    caption.press("Compare words")
    expect(caption.beside(".xv-named")).to_be_hidden()


def test_of_patches_that_read_patches_one_is_chosen(caption: Pictured) -> None:
    caption.press("Encoder")
    caption.choose("1.1")
    caption.click_cell(2, 3)
    assert caption.data("row") == str(1 + peak((2, 3)))
    assert int(caption.shares().argmax()) == peak((3, 4))  # the one right below it was planted
    caption.to_cell(5, 5)
    assert int(caption.shares().argmax()) == peak((6, 6))
    caption.press("Cross")


def test_a_prompts_word_shows_the_patches_that_read_it_step_by_step(drawing: Pictured) -> None:
    trace, page = drawing.trace, drawing.page
    circle = 3
    drawing.token("source", circle).click()
    expect(page.locator(".xv-rows")).to_be_hidden()
    slider = page.get_by_label("Denoising step")

    def assert_shown(weights: NDArray[Any], picture: NDArray[Any]) -> None:
        region = weights[1, 0, :, circle].astype(float)
        assert np.abs(drawing.shares() - region / region.max()).max() < 0.02
        assert drawing.top() == pytest.approx(region.max(), abs=2e-3)  # of a step each weight has one byte
        painted = drawing.layer(".xv-underlay")
        y, x = ((np.arange(48) + 0.5) / 48 * n for n in painted.shape[:2])
        assert np.abs(painted[np.ix_(y.astype(int), x.astype(int))][..., :3] - picture).max() <= 1

    assert_shown(trace.cross.weights, trace.pictures[-1])
    for step in range(STEPS):
        slider.fill(str(step))
        expect(page.locator(".xv-noise-step")).to_have_text(f"Step {step + 1} of {STEPS}")
        assert_shown(trace.maps[1 + step].weights, trace.pictures[step])
        assert int(drawing.shares().argmax()) == peak((3, 2 + step))
    # The means of a step are made in the page: of four maps in 255 steps each.
    drawing.choose("mean")
    mean = trace.maps[STEPS].weights.mean((0, 1))[:, circle].astype(float)
    assert np.abs(drawing.shares() - mean / mean.max()).max() < 0.02
    assert drawing.top() == pytest.approx(mean.max(), abs=2e-3)
    drawing.choose(HEAD)
    # A patch tints the words by how much it read each.
    drawing.to_cell(3, 5)
    weights = trace.maps[STEPS].weights[1, 0]
    assert np.abs(drawing.tints("source") - np.minimum(weights[peak((3, 5))] / weights[:, 1:4].max(), 1)).max() < 0.01
    expect(page.locator(".xv-readout")).to_have_text(
        f"Drawing row 4, column 6, this head put {weights[peak((3, 5)), circle]:.2f} on circle."
    )
    page.mouse.move(1, 1)
    chips = drawing.beside(".xv-chip span").all_inner_texts()
    assert [float(chip) for chip in chips] == pytest.approx(weights.mean(0)[[0, 4]].tolist(), abs=PRINTED)
    slider.fill(str(STEPS))
    expect(page.locator(".xv-noise-step")).to_have_text("All steps together")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_an_exported_page_shows_the_same_offline(
    open_page: Callable[..., Page], tmp_path: Path, scheme: str, width: int
) -> None:
    trace = captioned()
    file = tmp_path / "export.html"
    file.write_text(export.html(trace, View(layer=1, head=0)), encoding="utf-8")
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 844})
    page.goto(file.as_uri())
    explorer = Pictured(page, trace, "export")
    explorer.press("Patches")
    explorer.token("output", CIRCLE).click()
    weights = on_patches(trace, CIRCLE)
    assert np.abs(explorer.shares() - weights / weights.max()).max() < 0.02
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = explorer.stage().bounding_box()
    assert box is not None
    assert box["width"] > 0.85 * min(width, 480)
    with page.expect_download() as download:
        explorer.press("SVG")
    download.value.save_as(tmp_path / "map.svg")
    root = ElementTree.parse(tmp_path / "map.svg").getroot()  # noqa: S314 (what our own page wrote)
    texts = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert texts[0] == "Cross-attention, layer 2, head 1"
    assert not serious(page)
    assert {"circle", "Beside the picture: [CLS] 0.05."} <= set(texts)
    images = [node.get("href") or "" for node in root.iter() if node.tag.endswith("image")]
    picture, over = (np.array(Image.open(io.BytesIO(base64.b64decode(href.split(",")[1])))) for href in images)
    middles = ((np.arange(96) + 0.5) / 96 * 640).astype(int)
    assert np.abs(picture[np.ix_(middles, middles)][..., :3].astype(int) - pixels_of(trace)).max() <= 1
    assert int(over[40::80, 40::80, 3].argmin()) == peak(PEAKS[CIRCLE])


def test_the_address_brings_word_step_and_look_back(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_harness(open_page(), tmp_path)
    page.goto(f"{page.url}?head={HEAD}&column=2&noise=1&overlay=patches&scale=head")
    trace = drawn()
    show(page, pack(trace))
    explorer = Pictured(page, trace, "harness")
    expect(page.locator(".xv-noise-step")).to_have_text(f"Step 2 of {STEPS}")
    assert (explorer.data("head"), explorer.data("row"), explorer.data("column")) == (HEAD, "-1", "2")
    weights = trace.maps[2].weights[1, 0].astype(float)
    assert np.abs(explorer.shares() - weights[:, 2] / weights[:, 1:4].max()).max() < 0.02
    explorer.token("source", 3).click()
    page.wait_for_function("told.some(([name, said]) => name === 'selected' && said.column === '3')")
    (told,) = page.evaluate("told.filter(([name]) => name === 'selected').slice(-1)")
    assert (told[1].get("row"), told[1]["column"], told[1]["head"]) == (None, "3", HEAD)  # as an address says it


def test_both_directions_of_a_joint_softmax_show_the_same_word(opened: Page) -> None:
    plain = drawn()
    one = plain.cross
    weights = np.random.default_rng(8).dirichlet(np.full(64, 0.3), (2, 2, len(one.keys))).astype(np.float32) * 0.5
    joint = replace(one, weights=one.weights * np.float32(0.5), altered=("joint", "aggregated"))
    back = AttentionMaps(weights, one.keys, one.queries, "text-to-image", (0, 1), altered=("joint",))
    show(opened, pack(captioned()))
    sky = np.random.default_rng(9).random((2, 2, 64, 1)).astype(np.float32)
    beside = AttentionMaps(
        sky, one.queries, Axis("text", ("sky",), words=(0,)), "concepts", (0, 1), altered=("beside",)
    )
    trace = replace(plain, maps=(joint, back, beside))
    pinned = f"text-to-image.{HEAD}"
    show(opened, pack(trace, select={"head": HEAD, "scale": "word", "overlay": "patches", "pinned": pinned}))
    explorer = Pictured(opened, trace, "harness")
    for word in (3, 1):
        explorer.token("source", word).click()
        for panel, shares in (
            ("Chosen map", joint.weights[1, 0, :, word]),  # a word is a column here, and a row there
            ("Pinned map", weights[1, 0, word]),
        ):
            assert np.abs(explorer.shares(panel) - shares / shares.max()).max() < 0.02
    for panel, name in (("Chosen map", "Image-to-text attention"), ("Pinned map", "Text-to-image attention")):
        expect(opened.locator(f'[aria-label="{panel}"]')).to_contain_text(name)
    explorer.press("Concepts")
    explorer.token("source", 0).click()
    assert np.abs(explorer.shares("Chosen map") - sky[1, 0, :, 0] / sky[1, 0].max()).max() < 0.02
    expect(opened.locator(".xv-readout")).to_contain_text("sky would be read most when drawing")


def test_a_caption_that_is_being_written_shows_its_newest_word(harness: Page) -> None:
    whole = captioned()
    maps, text = whole.maps[0], str(whole.output)
    for count in (2, 3):
        written = AttentionMaps(
            maps.weights[:, :, :count], maps.queries.take(range(count)), maps.keys, "cross", maps.layers
        )
        so_far = text[: (maps.queries.spans or ())[count - 1][1]]
        trace = Trace((written,), whole.input, so_far)
        show(harness, pack(trace, select={"head": HEAD, "overlay": "patches"}, growing=True))
        explorer = Pictured(harness, trace, "harness")
        expect(explorer.root).to_have_attribute("data-row", str(count - 1))
        assert int(explorer.shares().argmax()) == peak(PEAKS[count - 1])
