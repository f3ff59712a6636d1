"""Subtitles in a page without the app: they run with the sound, and a word is written anew in its place."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import translate as visitor
from tests.browser.conftest import Watch
from tests.export.words import words
from xattn_viz import web
from xattn_viz.export.cues import SubtitleStyle, behind, cues, gap
from xattn_viz.inputs import audio
from xattn_viz.web import subtitles

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><style>{css}</style>
<style>:root {{ color-scheme: light dark }} body {{ background: Canvas; margin: 0 }}</style><main>
<div class="st-key-sound"><audio controls aria-label="Sound" src="data:audio/wav;base64,{sound}"></audio></div>
<div id="parent"><div class="xv"></div></div></main><script type="module">{script}
window.told = [];
window.show = (data) => {{
  window.leave = mount({{ data, parentElement: document.getElementById("parent"),
    setTriggerValue: (name, value) => told.push([name, value]) }});
}};
</script></html>"""
MADE = words("Go <b>forward</b> ten meters. Then you stop, and wait.", begin=0.2, each=0.4)


def packed(**more: Any) -> dict[str, Any]:
    parted = cues(MADE, 6.0, SubtitleStyle(width=20))
    gaps = [gap(before, word) for before, word in behind(MADE)]
    return subtitles.pack(parted, range(len(MADE)), gaps=gaps, player="st-key-sound", **more)


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    file = tmp_path_factory.mktemp("subtitles") / "page.html"
    sound = base64.b64encode(audio.wav(np.zeros(6 * audio.RATE, np.float32))).decode()
    file.write_text(PAGE.format(css=web.css("subtitles"), script=web.script("subtitles"), sound=sound), "utf-8")
    watch = Watch()
    context = browser.new_context(viewport={"width": 390, "height": 800})
    watch.follow(context)
    page = context.new_page()
    page.goto(file.as_uri())
    yield page
    context.close()
    assert not watch.complaints()


@pytest.fixture
def page(opened: Page) -> Page:
    opened.evaluate("data => { told.length = 0; show(data); }", packed(edited=[2], speed=10, can_undo=True))
    return opened


def at(page: Page, seconds: float) -> None:
    page.evaluate(
        "time => new Promise(done => { const audio = document.querySelector('audio');"
        " audio.addEventListener('seeked', () => requestAnimationFrame(done), { once: true });"
        " audio.pause(); audio.currentTime = time; })",
        seconds,
    )


def test_subtitles_run_with_the_sound(page: Page) -> None:
    parted = cues(MADE, 6.0, SubtitleStyle(width=20))
    rows, screen = page.locator(".xv-cues li"), page.locator(".xv-screen")
    assert rows.count() == len(parted) > 1
    for cue in parted:
        for word in cue.words:
            at(page, (word.start + word.end) / 2)
            expect(page.locator(".xv-screen-line")).to_have_text(cue.text.split("\n"))
            expect(page.locator(".xv-now")).to_have_text([word.text])
            expect(page.locator(".xv-cues [aria-current]")).to_have_count(1)
    at(page, 5.9)
    expect(screen).to_have_text("")
    expect(page.locator(".xv-cues [aria-current]")).to_have_count(0)
    rows.nth(1).locator(".xv-when").click()
    page.wait_for_function(
        "time => document.querySelector('audio').currentTime > time + 0.1", arg=parted[1].start / 1000
    )
    assert page.evaluate("!document.querySelector('audio').paused")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    page.evaluate("document.querySelector('audio').pause()")
    assert page.locator(".xv-cues b").count() == 0  # markup is text


def test_a_word_is_written_anew_in_its_place(page: Page) -> None:
    word, field = page.locator(".xv-cue-word").nth(1), page.locator(".xv-cue-field")
    expect(page.locator(".xv-edited")).to_have_text(["ten"])
    word.click()
    assert field.input_value() == "<b>forward</b>"
    field.fill("no")
    field.press("Escape")
    expect(word).to_be_focused()
    word.press("Enter")
    field.press("Enter")  # unchanged
    assert page.evaluate("told") == []
    word.click()
    field.fill(" <img src=x onerror=alert(1)> ")
    field.press("Enter")
    ((name, value),) = page.evaluate("told")
    assert (name, value["number"], value["text"]) == ("edited", 1, "<img src=x onerror=alert(1)>")
    expect(word).to_have_text("<img src=x onerror=alert(1)>")
    assert page.locator(".xv-cues img").count() == 0
    page.evaluate("data => show(data)", packed(can_undo=True))  # as Python answers; the word has the focus again
    expect(word).to_be_focused()
    page.locator(".xv-cue-word").nth(0).click()
    field.fill("Walk")
    page.locator(".xv-remark").click()  # beside it
    page.get_by_role("button", name="Undo").click()
    assert [(name, value.get("text")) for name, value in page.evaluate("told")][1:] == [
        ("edited", "Walk"),
        ("undone", None),
    ]
    page.locator(".xv-cue-word").nth(0).press("ControlOrMeta+z")
    assert page.evaluate("told.length") == 4
    page.evaluate("data => show(data)", packed())
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.locator(".xv-cue-word").nth(0).press("ControlOrMeta+z")
    assert page.evaluate("told.length") == 4


def test_the_list_says_how_fast_each_is_to_be_read_and_is_accessible(page: Page) -> None:
    for row, cue in zip(page.locator(".xv-cues li").all(), packed()["cues"], strict=True):
        lines = [
            "".join((word["gap"] if i else "") + word["text"] for i, word in enumerate(line)) for line in cue["lines"]
        ]
        seconds = cue["end"] - cue["start"]
        rate = len(" ".join(lines)) / seconds
        told = row.locator(".xv-rate").inner_text()
        assert told.startswith(f"{seconds:.1f} s · ")
        assert abs(int(told.split(" · ")[1].removesuffix("/s")) - rate) <= 0.5
        assert told.endswith("fast") == (rate > 10.5)
    assert visitor.serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
