"""How a visitor uses the page of speech: open it, give it a sound, read and hear what is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser import translate as visitor

# The places of the sound, in seconds, from the moment it plays until it rests.
_LISTEN = """audio => {
  window.heard = new Promise(done => {
    const places = [];
    audio.addEventListener('playing', () => {
      const look = () => { places.push(audio.currentTime); if (!audio.paused) requestAnimationFrame(look); };
      look();
    }, { once: true });
    audio.addEventListener('pause', () => done([...places, audio.currentTime]), { once: true });
  });
}"""


def open_speech(page: Page, url: str, **said: str) -> None:
    """Open the page at an address that says `said`, and wait for the first map."""
    page.goto(f"{url}/speech?{urlencode(said)}")
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)


def give(page: Page, name: str, data: bytes) -> None:
    """Upload a file."""
    visitor.expect_rest(page)
    file: FilePayload = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.locator(".st-key-upload input[type=file]").set_input_files(file)


def tokens(page: Page) -> Locator:
    """The tokens of the transcript."""
    return page.locator(".xv-rows .xv-text")


def expect_transcript(page: Page, text: str) -> None:
    """Wait until a transcript is shown, whatever special tokens stand around it."""
    letters = r"[\s␣]*".join(map(re.escape, re.sub(r"\s", "", text)))
    expect(page.get_by_role("listbox", name="Transcript", exact=True)).to_have_text(
        re.compile(letters), timeout=visitor.PATIENCE
    )


def listen(page: Page, act: Callable[[], Any]) -> list[float]:
    """Do something that plays a stretch; where the sound was, in seconds, until it stopped."""
    page.locator(".xv audio").evaluate(_LISTEN)
    act()
    places: list[float] = page.evaluate("window.heard")
    return places
