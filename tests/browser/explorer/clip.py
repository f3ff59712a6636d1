"""An explorer of real speech in a page of its own, and what Python knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

import xattn_viz as xv
from tests.browser.conftest import VIEWPORT, Watch
from tests.browser.explorer.conftest import Explorer
from tests.browser.explorer.harness import open_harness, show
from xattn_viz.analysis import timing
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.inputs import audio
from xattn_viz.web.explorer import pack
from xattn_viz.web.explorer.sound import Playback

CLIP = "amiable"
#: The head that is shown first, which follows the speech.
HEAD = "3.5"
FRAME = 0.02  # seconds


@cache
def spoken() -> tuple[Trace, Playback]:
    """A clip of 9 seconds, its trace and its words in time."""
    sound = clips.sound(CLIP)
    trace = xv.load("whisper-tiny-en").trace(sound, kinds=("cross", "encoder", "decoder"))
    return trace, Playback(audio.flac(sound.samples), timing.timed_words(trace), timing.warping_path(trace.cross))


def frames(trace: Trace) -> int:
    """How many frames are not padding."""
    return int((~trace.cross.keys.is_special).sum())


def shown(trace: Trace, layer: int = 2, head: int = 4) -> NDArray[np.float64]:
    """The weights of a head as the script knows them, `[row, frame]`: in 255 steps, without padding."""
    weights = trace.cross.weights[layer, head, :, : frames(trace)].astype(float)
    whole: NDArray[np.float64] = np.rint(weights * (255 / weights.max())) * (weights.max() / 255)
    return whole


def open_clip(browser: Browser, folder: Path) -> Iterator[Explorer]:
    """One page for the tests of a file; it fails on script errors and foreign requests."""
    trace, playback = spoken()
    watch = Watch()
    context = browser.new_context(viewport=VIEWPORT, color_scheme="dark")  # type: ignore[arg-type]
    watch.follow(context)
    page = open_harness(context.new_page(), folder)
    show(page, pack(trace, playback=playback, select={"head": HEAD}, full_limit=None))
    page.locator(".xv-sound").wait_for()
    yield Explorer(page, trace, "harness")
    context.close()
    assert not watch.complaints(), "\n".join(watch.complaints())


def reset(explorer: Explorer) -> None:
    """All of the sound in view, nothing cropped, nothing under the pointer, the first word chosen."""
    page = explorer.page
    page.evaluate("document.querySelector('audio').pause()")
    explorer.root.evaluate("root => root.ownerDocument.activeElement?.blur()")
    if page.get_by_role("button", name="Cross", exact=True).get_attribute("aria-pressed") != "true":
        explorer.press("Cross")
    page.get_by_label("Crop silence").set_checked(False)
    page.locator(".xv-line-of-sound").dblclick(position={"x": 2, "y": 4})
    explorer.token("output", 1).click()
    page.evaluate("document.querySelector('audio').pause()")
    page.mouse.move(640, 715)


def rest(page: Page) -> None:
    """Wait until what has changed is painted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def near(seconds: float, within: float) -> object:
    """A time that may be off by so much."""
    return pytest.approx(seconds, abs=within)


def view_of(explorer: Explorer, panel: str = "Chosen map") -> tuple[float, float]:
    """The seconds in view, from and to."""
    stage = explorer.stage(panel)
    return float(stage.get_attribute("data-from") or 0), float(stage.get_attribute("data-to") or 0)


def lines(explorer: Explorer, panel: str = "Chosen map") -> NDArray[np.int64]:
    """The pixels in the middle of each row of the map, `[row, pixel, channel]`."""
    read = explorer.stage(panel).evaluate(
        """stage => {
          const canvas = stage.querySelector('.xv-cells'), high = Number(stage.dataset.cellHeight);
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const rows = Math.round(canvas.clientHeight / high), wide = 4 * canvas.width;
          return [rows, Array.from({ length: rows }, (_, r) => {
            const at = Math.floor((r + 0.5) * high) * wide;
            return String.fromCharCode(...data.subarray(at, at + wide));
          }).join('')];
        }"""
    )
    rows, pixels = read
    return np.frombuffer(pixels.encode("latin-1"), np.uint8).reshape(rows, -1, 4)[:, :, :3].astype(int)


def per_pixel(weights: NDArray[np.float64], start: float, end: float, pixels: int) -> NDArray[np.float64]:
    """The largest weight of the frames that each pixel covers, `[row, pixel]`."""
    edges = np.linspace(start, end, pixels + 1)
    columns = []
    for left, right in pairwise(edges):
        first, last = int((left + 1e-6) / FRAME), int(np.ceil((right - 1e-6) / FRAME))
        columns.append(weights[:, first : max(last, first + 1)].max(axis=1))
    return np.stack(columns, axis=1)
