"""A map over sound: every pixel, second and sentence is what numpy says of a real trace."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser.conftest import VIEWPORT
from tests.browser.explorer.clip import (
    FRAME,
    frames,
    lines,
    open_clip,
    per_pixel,
    reset,
    rest,
    shown,
    spoken,
    view_of,
)
from tests.browser.explorer.conftest import PACKED, PRINTED, Explorer, assert_painted
from tests.browser.explorer.harness import show
from xattn_viz.analysis.timing import loud_frames
from xattn_viz.web.explorer import pack

MAP = '[aria-label="Chosen map"]'


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explorer]:
    yield from open_clip(browser, tmp_path_factory.mktemp("sound"))


@pytest.fixture
def clip(opened: Explorer) -> Explorer:
    reset(opened)
    return opened


def half(row: NDArray[np.float64]) -> tuple[int, int]:
    """The first of the shortest stretches of frames that hold half of a row: first frame, frame behind the last."""
    total = np.concatenate([[0.0], np.cumsum(row)])
    stretches = [
        (b - a, a, b)
        for a in range(len(row))
        for b in [int(np.searchsorted(total, total[a] + total[-1] / 2 - 1e-9))]
        if b <= len(row)
    ]
    return min(stretches)[1:]


def test_every_pixel_is_the_weight_of_its_moment(clip: Explorer) -> None:
    weights = shown(clip.trace)
    for zooms in range(3):
        painted = lines(clip)
        start, end = view_of(clip)
        assert end - start == pytest.approx(frames(clip.trace) * FRAME / 2**zooms, abs=1e-6)
        assert_painted(painted, per_pixel(weights, start, end, painted.shape[1]), float(weights.max()))
        clip.press("Zoom in")


def test_the_ruler_the_spectrogram_and_the_map_share_one_axis(clip: Explorer) -> None:
    clip.press("Zoom in")
    start, end = view_of(clip)
    boxes = [clip.page.locator(f"{MAP} {part}").bounding_box() for part in (".xv-stage", ".xv-picture", ".xv-ruler")]
    sides = [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]
    assert len(sides) == 3
    assert np.ptp(sides, axis=0).max() < 0.5
    left, right = sides[0]
    ticks = clip.page.locator(f"{MAP} .xv-tick")
    read = ticks.evaluate_all("all => all.map(t => [Number(t.textContent), t.getBoundingClientRect().left])")
    assert len(read) > 5
    for time, x in read:
        assert (x - left) / (right - left) * (end - start) + start == pytest.approx(time, abs=0.01)
    # The loudest frame in the picture is the loudest of the log-mel.
    mel = np.asarray(clip.trace.input)[:, : 2 * frames(clip.trace)]
    bright = clip.page.locator(f"{MAP} .xv-picture").evaluate(
        """canvas => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const sums = new Array(canvas.width).fill(0);
          for (let i = 0; i < data.length; i += 4) sums[(i / 4) % canvas.width] += data[i];
          return sums;
        }"""
    )
    level = (((mel - mel.min()) / np.ptp(mel)) ** 1.4).mean(0)
    seen = np.interp(np.linspace(start, end, len(bright)), (np.arange(len(level)) + 0.5) / 100, level)
    assert np.corrcoef(bright, seen)[0, 1] > 0.97


def test_zoom_and_move_by_wheel_drag_and_keys_and_back(clip: Explorer) -> None:
    page, whole = clip.page, view_of(clip)
    box = page.locator(f"{MAP} .xv-picture").bounding_box()
    assert box is not None
    at = (box["x"] + 0.25 * box["width"], box["y"] + 40)
    page.mouse.move(*at)
    page.mouse.wheel(0, -500)
    rest(page)
    closer = view_of(clip)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=1e-3)  # 500 pixels are one doubling
    assert closer[0] + 0.25 * (closer[1] - closer[0]) == pytest.approx(0.25 * whole[1], abs=0.01)
    page.mouse.down()
    page.mouse.move(at[0] - 100, at[1], steps=3)
    page.mouse.up()
    moved = view_of(clip)
    assert moved[0] - closer[0] == pytest.approx(100 / box["width"] * (closer[1] - closer[0]), abs=0.01)
    stage = clip.stage()
    stage.focus()
    stage.press("Shift+ArrowRight")
    assert view_of(clip)[0] - moved[0] == pytest.approx((moved[1] - moved[0]) / 4, abs=0.01)
    stage.press("+")
    assert view_of(clip)[1] - view_of(clip)[0] == pytest.approx((moved[1] - moved[0]) / 1.5, rel=1e-3)
    stage.press("0")
    assert view_of(clip) == whole
    # A drag over the line of all the sound shows what was dragged over.
    page.locator(".xv-line-of-sound").scroll_into_view_if_needed()
    line = page.locator(".xv-line-of-sound").bounding_box()
    assert line is not None
    page.mouse.move(line["x"] + 0.5 * line["width"], line["y"] + 20)
    page.mouse.down()
    page.mouse.move(line["x"] + 0.75 * line["width"], line["y"] + 20, steps=3)
    page.mouse.up()
    assert view_of(clip) == pytest.approx((0.5 * whole[1], 0.75 * whole[1]), abs=0.02)
    clip.press("Show all of the sound")
    assert view_of(clip) == whole


def test_padding_and_silence_are_cropped_and_it_is_said(clip: Explorer) -> None:
    said = clip.page.locator(".xv-cropped")
    end = frames(clip.trace) * FRAME
    expect(said).to_have_text(f"{30 - end:.1f} s of padding behind the sound are left out.")
    clip.page.get_by_label("Crop silence").check()
    loud = np.flatnonzero(loud_frames(clip.trace)) * FRAME
    start, stop = view_of(clip)
    assert (start, stop) == pytest.approx((max(loud[0] - 0.1, 0), min(loud[-1] + FRAME + 0.1, end)), abs=1e-3)
    wanted = f"Silence cropped: {start:.1f} s before and {end - stop:.1f} s behind the speech."
    expect(said).to_contain_text(wanted)


def test_what_a_row_listened_to_is_said_and_listed(clip: Explorer) -> None:
    weights, maps = shown(clip.trace), clip.trace.cross
    labels = maps.queries.labels or ()
    clip.page.locator("details.xv-details").evaluate("details => { details.open = true; }")
    table = clip.page.locator(".xv-table tbody tr")
    expect(table).to_have_count(len(labels))
    rows: list[list[str]] = table.evaluate_all("all => all.map(row => [...row.children].map(c => c.textContent))")
    for r in range(len(labels)):
        first, behind = half(weights[r])
        digits = 2 if (behind - first) * FRAME < 0.2 - 1e-9 else 1
        stretch = f"{first * FRAME:.{digits}f}–{behind * FRAME:.{digits}f} s"
        held, padding = weights[r, first:behind].sum(), maps.weights[2, 4, r, frames(clip.trace) :].sum()
        assert rows[r][:2] == [labels[r], stretch]
        assert float(rows[r][2]) == pytest.approx(held, abs=PRINTED)
        assert float(rows[r][3]) == pytest.approx(padding, abs=PRINTED)
        if r in (3, 17, len(labels) - 2):
            clip.token("output", r).hover()
            assert clip.said().startswith(
                f"Writing {labels[r]}, this head listened to {stretch} ({rows[r][2]} of its weight)."
            )
            assert ("rests on padding" in clip.said()) == (padding >= 0.1)
    clip.page.locator("details.xv-details").evaluate("details => { details.open = false; }")


def test_hovered_time_tints_words_and_a_hovered_token_tints_time(clip: Explorer) -> None:
    weights = shown(clip.trace)
    row = 17
    peak = int(weights[row].argmax())
    for part, high in ((".xv-picture", 30), (".xv-ruler", 8)):
        box = clip.page.locator(f"{MAP} {part}").bounding_box()
        assert box is not None
        x = box["x"] + (peak + 0.5) / weights.shape[1] * box["width"]
        clip.page.mouse.move(x, box["y"] + high)
        assert clip.data("column") == str(peak)
        assert np.abs(clip.tints("output") - weights[:, peak] / weights.max()).max() < PACKED
        label = (clip.trace.cross.queries.labels or ())[int(weights[:, peak].argmax())]
        assert clip.said() == (
            f"To {peak * FRAME:.2f}–{(peak + 1) * FRAME:.2f} s, {label} listened most: {weights[:, peak].max():.2f}."
        )
    clip.token("output", row).hover()
    tinted = clip.page.locator(f"{MAP} .xv-tint").evaluate(
        """canvas => {
          const { data } = canvas.getContext('2d').getImageData(0, 20, canvas.width, 1);
          return [...data].filter((_, i) => i % 4 === 3);
        }"""
    )
    wanted = per_pixel(weights[row : row + 1], *view_of(clip), len(tinted))[0] / weights.max()
    assert np.abs(np.array(tinted) / 255 - 0.75 * np.where(wanted < 0.01, 0, wanted)).max() < 0.01


def test_the_map_stays_where_it_is_whatever_is_said_of_the_cell_under_the_pointer(clip: Explorer) -> None:
    """What is said takes one line to four, and the bars beside it come and go."""
    frames_shown, heights = shown(clip.trace).shape[1], set()
    for width in (VIEWPORT["width"], 900):
        clip.page.set_viewport_size({"width": width, "height": 720})
        rest(clip.page)
        clip.page.mouse.move(5, 715)
        expect(clip.root).to_have_attribute("data-row", "1")
        begins = clip.stage().bounding_box()
        assert begins is not None
        for row in range(len(clip.trace.cross.queries)):
            for column in (3, frames_shown // 2):
                place = clip.stage().bounding_box()
                high = float(clip.stage().get_attribute("data-cell-height") or 0)
                assert place == begins
                x, y = place["x"] + (column + 0.5) / frames_shown * place["width"], place["y"] + (row + 0.5) * high
                if y > 700:
                    break
                clip.page.mouse.move(x, y)
                assert (clip.data("row"), clip.data("column")) == (str(row), str(column))
                heights.add(clip.page.locator(".xv-readout").evaluate("said => said.offsetHeight"))
        assert clip.stage().bounding_box() == begins
    clip.page.set_viewport_size({"width": VIEWPORT["width"], "height": VIEWPORT["height"]})
    assert len(heights) > 1  # else nothing was put to the test


def test_word_times_are_drawn_until_they_are_switched_off(clip: Explorer) -> None:
    _, playback = spoken()
    path = playback.path
    assert path is not None
    frame = clip.stage().locator(".xv-frame")
    start, end = view_of(clip)
    row = 15
    middle = path.frames[path.rows == row].mean() + 0.5
    drawn = """(canvas, [x, y]) => {
      const { data } = canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height - 1, 1, 3);
      return Math.max(data[3], data[7], data[11]);
    }"""
    place = [middle * FRAME / (end - start), (row + 0.5) / len(clip.trace.cross.queries)]
    assert frame.evaluate(drawn, place) > 150
    assert frame.evaluate(drawn, [place[0], place[1] + 0.3]) < 100
    words = clip.page.locator(f"{MAP} .xv-said")
    expect(words).to_have_count(len(playback.words))
    clip.page.get_by_label("Word times").uncheck()
    assert frame.evaluate(drawn, place) == 0
    clip.page.get_by_label("Word times").check()
    boxes = words.evaluate_all("all => all.map(word => [word.offsetLeft, word.offsetLeft + word.offsetWidth])")
    wide = clip.stage().evaluate("stage => stage.clientWidth")
    for word, box in zip(playback.words, boxes, strict=True):
        assert np.array(box) / wide * (end - start) == pytest.approx([word.start, word.end], abs=0.02)


def test_sound_by_sound_between_its_own_seconds(clip: Explorer) -> None:
    clip.press("Encoder")
    maps = clip.trace.encoder
    count = int((~maps.keys.is_special).sum())
    weights = maps.weights[2, 4, :count, :count].astype(float)
    painted = lines(clip)
    start, end = view_of(clip)
    frame = (maps.keys.times or ())[0][1]
    columns = ((np.arange(painted.shape[1]) + 0.5) / painted.shape[1] * (end - start) / frame).astype(int)
    inside = np.flatnonzero(np.diff(columns, prepend=-1) == 0)[:-1]  # frames that lie beside each other share a pixel
    inside = inside[columns[inside] == columns[inside + 1]]
    middle = np.array([int(np.median(inside[columns[inside] == c])) for c in range(count)])
    assert_painted(painted[:, middle], weights, float(weights.max()))
    stage = clip.stage().bounding_box()
    ticks = clip.page.locator(f"{MAP} .xv-row-tick")
    read = ticks.evaluate_all("all => all.map(tick => [Number(tick.textContent), tick.getBoundingClientRect().top])")
    assert stage is not None
    assert len(read) > 3
    for time, y in read:
        assert (y - stage["y"]) / stage["height"] * count * frame == pytest.approx(time, abs=0.05)


def test_the_saved_picture_has_the_sound_the_seconds_and_the_map(clip: Explorer, tmp_path: Path) -> None:
    clip.press("Zoom in")
    start, end = view_of(clip)
    with clip.page.expect_download() as download:
        clip.press("SVG")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    root = ElementTree.parse(path).getroot()  # noqa: S314 (what our own page wrote)
    texts = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert {"Cross-attention, layer 3, head 5", "respectable", "3.0", "4.0"} <= set(texts)
    assert any(f"Columns: sound being heard, in seconds, {start:.2f} to {end:.2f}. " in text for text in texts)
    pictures = [node.get("href") or "" for node in root.iter() if node.tag.endswith("image")]
    decoded = [Image.open(io.BytesIO(base64.b64decode(re.sub("^data:image/png;base64,", "", p)))) for p in pictures]
    assert [picture.width for picture in decoded] == [1100, 1100]
    weights = shown(clip.trace)
    pixels = np.array(decoded[1].convert("RGB")).astype(int)
    rows = ((np.arange(len(weights)) + 0.5) / len(weights) * len(pixels)).astype(int)
    assert_painted(pixels[rows], per_pixel(weights, start, end, 1100), float(weights.max()))
    with clip.page.expect_download() as download:
        clip.press("PNG")
    download.value.save_as(tmp_path / "map.png")
    size = (int(3 * float(root.get("width") or 0)), int(3 * float(root.get("height") or 0)))
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size == size


def test_words_of_a_loop_are_marked(clip: Explorer) -> None:
    trace, playback = spoken()
    words = tuple(replace(word, is_repeated=i >= 20) for i, word in enumerate(playback.words))
    show(clip.page, pack(trace, playback=replace(playback, words=words), select={"head": "3.5"}, full_limit=None))
    marked = clip.page.locator(".xv-rows .xv-repeated")
    expect(marked.first).to_be_visible()
    said_again = "".join(marked.all_text_contents())
    assert "".join(said_again.split()) == "".join(word.text for word in words[20:])
    expect(clip.page.locator(".xv-mark.xv-repeated")).to_have_text("repeated by the model, not heard so often")
    said = clip.page.locator(f"{MAP} .xv-said.xv-repeated")
    expect(said).to_have_count(len(words) - 20)
    assert (said.first.get_attribute("title") or "").endswith(" s, repeated by the model")
    # An edge is soft over its margin, on the scale of the word's own width, and never over more than 0.45 of it.
    first, soft = words[20], said.first.evaluate("e => [e.style.getPropertyValue('--xv-from'), e.style.width]")
    share = min((first.start_margin or 0) / (first.end - first.start), 0.45)
    assert float(soft[0][:-2]) == pytest.approx(share * float(soft[1][:-2]), abs=0.5)
    assert share > 0.02
