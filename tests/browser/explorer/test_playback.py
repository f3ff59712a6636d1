"""Sound that is played: a word begins and stops where it was spoken, and the page follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.explorer.clip import near, open_clip, reset, rest, spoken
from tests.browser.explorer.conftest import Explorer
from tests.browser.explorer.harness import show
from tests.browser.explorer.planted import planted
from tests.browser.speech import listen
from xattn_viz import export
from xattn_viz.core.view import View
from xattn_viz.web.explorer import pack

EXACT = 0.05  # seconds
BUSY = 0.4
MAP = '[aria-label="Chosen map"]'


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explorer]:
    yield from open_clip(browser, tmp_path_factory.mktemp("playback"))


@pytest.fixture
def clip(opened: Explorer) -> Explorer:
    reset(opened)
    return opened


def test_a_word_is_played_from_its_start_to_its_end(clip: Explorer) -> None:
    _, playback = spoken()
    rows = clip.trace.cross.queries
    late: list[float] = []
    for number in (0, 5, 14, 17, 25):  # "amiable" is written in two tokens
        word = playback.words[number]
        token = clip.token("output", word.rows[1])
        assert (rows.labels or ())[word.rows[1]] in word.text
        places = listen(clip.page, token.click)
        assert places[0] == near(word.start, EXACT)
        assert places == sorted(places)
        late.append(places[-1] - word.end)
    word = playback.words[6]
    label = clip.page.locator(f"{MAP} .xv-row-labels .xv-label").nth(word.rows[0])
    for part in (label, clip.page.locator(f"{MAP} .xv-said").nth(6)):
        places = listen(clip.page, part.click)
        assert places[0] == near(word.start, EXACT)
        late.append(places[-1] - word.end)
    # A machine that runs much else beside may hold up the timer of one word, not those of most.
    assert np.median(np.abs(late)) < EXACT, late
    assert min(late) > -EXACT, late
    assert max(late) < BUSY, late


def test_named_for_the_token_read_it_is_still_the_tokens_own_word(clip: Explorer) -> None:
    _, playback = spoken()
    word = playback.words[14]
    clip.press("Read")
    token = clip.token("output", word.rows[0] + 1)
    expect(token).to_have_text(word.text)
    places = listen(clip.page, token.click)
    assert (places[0], places[-1]) == (near(word.start, EXACT), near(word.end, BUSY))
    clip.press("Predicted")


def test_a_click_on_the_spectrogram_seeks(clip: Explorer) -> None:
    box = clip.page.locator(f"{MAP} .xv-picture").bounding_box()
    assert box is not None
    end = float(clip.stage().get_attribute("data-to") or 0)
    clip.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 50)
    assert clip.page.evaluate("document.querySelector('audio').currentTime") == near(0.4 * end, 0.02)
    # Written at the next frame.
    at = clip.page.evaluate("document.querySelector('audio').currentTime")
    expect(clip.page.locator(".xv-position")).to_have_text(f"{at:.2f} / {end:.2f} s")
    assert clip.page.evaluate("document.querySelector('audio').paused")


def test_cursor_and_transcript_follow_the_sound(clip: Explorer) -> None:
    _, playback = spoken()
    page = clip.page
    box = page.locator(f"{MAP} .xv-picture").bounding_box()
    assert box is not None
    end = float(clip.stage().get_attribute("data-to") or 0)
    page.mouse.click(box["x"] + 1.5 / end * box["width"], box["y"] + 50)
    page.keyboard.press(" ")
    seen = page.evaluate(
        """async () => {
          const audio = document.querySelector('audio'), seen = [];
          const share = line => {
            const [a, b] = [line, line.parentElement].map(each => each.getBoundingClientRect());
            return (a.left + 1 - b.left) / b.width;
          };
          for (const begun = performance.now(); seen.length < 40 && performance.now() - begun < 10000; ) {
            await new Promise(done => requestAnimationFrame(done));
            if (audio.paused) continue;
            seen.push({
              time: audio.currentTime,
              cursors: [...document.querySelectorAll('.xv-map .xv-cursor')].filter(line => !line.hidden).map(share),
              line: share(document.querySelector('.xv-line-of-sound .xv-cursor')),
              words: [...document.querySelectorAll('.xv-rows .xv-text')].flatMap((token, i) =>
                token.classList.contains('xv-playing') ? [i] : []),
            });
          }
          return seen;
        }"""
    )
    assert len(seen) == 40
    assert seen[-1]["time"] - seen[0]["time"] > 0.3
    for moment in seen[1:]:  # the sound may begin between two pictures
        assert len(moment["cursors"]) == 2
        for place in (*moment["cursors"], moment["line"]):
            assert place * end == near(moment["time"], 0.06)
        # A frame may be painted just before or after a word gives way to the next.
        spoken_rows = [
            [
                row
                for word in playback.words
                if word.start <= at < word.end
                for row in range(word.rows[0], word.rows[1] + 1)
            ]
            for at in np.linspace(moment["time"] - 0.06, moment["time"] + 0.06, 13)
        ]
        assert moment["words"] in spoken_rows
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('audio').paused")
    rest(page)
    expect(page.locator(".xv-playing")).to_have_count(0)


def test_a_zoomed_view_goes_along(clip: Explorer) -> None:
    for _ in range(3):
        clip.press("Zoom in")
    stage = clip.stage()
    start, end = (float(stage.get_attribute(f"data-{side}") or 0) for side in ("from", "to"))
    box = clip.page.locator(f"{MAP} .xv-picture").bounding_box()
    assert box is not None
    clip.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 50)
    clip.press("Play")
    expect(stage).to_have_attribute("data-from", f"{end}")
    clip.press("Pause")
    assert float(stage.get_attribute("data-to") or 0) == pytest.approx(2 * end - start)
    # A word that is chosen elsewhere comes into view, and so does the next step.
    _, playback = spoken()
    last, first = playback.words[-1], playback.words[0]

    def in_view(start: float, stop: float) -> bool:
        seen = [float(stage.get_attribute(f"data-{side}") or 0) for side in ("from", "to")]
        return seen[0] <= start < stop <= seen[1] < seen[0] + 2

    clip.token("output", last.rows[0]).click()
    assert in_view(last.start, last.end)
    assert not in_view(first.start, first.end)
    for _ in range(first.rows[0] + 1):
        clip.press("Next")
    assert in_view(first.start, first.end)
    clip.press("Show all")


def test_another_trace_takes_the_sound_away(clip: Explorer) -> None:
    page = clip.page
    address = page.evaluate(
        """() => {
          window.revoked = [];
          const revoke = URL.revokeObjectURL;
          URL.revokeObjectURL = address => { revoked.push(address); revoke.call(URL, address); };
          return document.querySelector('audio').src;
        }"""
    )
    assert address.startswith("blob:")
    show(page, pack(planted()))
    expect(page.locator(".xv-sound")).to_be_hidden()
    expect(page.locator(".xv-columns .xv-text").first).to_be_visible()
    assert page.evaluate("document.querySelector('audio').getAttribute('src')") is None
    assert page.evaluate("window.revoked") == [address]
    trace, playback = spoken()
    show(page, pack(trace, playback=playback, full_limit=None))
    expect(page.locator(".xv-sound-play")).to_be_enabled()
    page.evaluate("window.leave()")
    assert page.evaluate("window.revoked.length") == 2


def test_an_exported_page_plays_under_its_policy(page: Page, tmp_path: Path) -> None:
    trace, playback = spoken()
    file = tmp_path / "speech.html"
    file.write_text(export.html(trace, View(layer=2, head=4), playback=playback), encoding="utf-8")
    page.goto(file.as_uri())
    page.locator(".xv-sound-play").wait_for()
    word = playback.words[14]
    places = listen(page, page.locator(".xv-rows .xv-text").nth(word.rows[0]).click)
    assert (places[0], places[-1]) == (near(word.start, EXACT), near(word.end, BUSY))
