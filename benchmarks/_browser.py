"""Chromium, servers of the app, and clocks that run inside the page.

A time ends when the first frame that holds what was waited for has been laid out and painted: an animation frame sees
it in the document, and a message posted from that frame arrives after its painting. What the GPU process still does
then is not counted, for ours or the peer.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from scripts import browser as chromium
from tests.server import ROOT, Server, free_port, start, streamlit_command

VIEWPORT: ViewportSize = {"width": 1280, "height": 720}
#: The explorer's element. In a page of the app it stands in a shadow root, in an exported one in the document.
EXPLORER = (
    "[document, ...Array.from(document.querySelectorAll('[data-testid=stBidiComponentIsolated]'), (e) => e.shadowRoot)]"
    ".map((root) => root?.querySelector('.xv')).find(Boolean)"
)
#: Streamlit's own word for whether the script of the page runs.
RESTING = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"

# painted(ready) resolves with the time at which the first frame for which ready() holds has been painted.
_CLOCK = """
window.painted = (ready) => new Promise((resolve) => {
  const look = () => {
    if (!ready()) return requestAnimationFrame(look);
    const after = new MessageChannel();
    after.port1.onmessage = () => resolve(performance.now());
    after.port2.postMessage(null);
  };
  requestAnimationFrame(look);
});
"""


@contextmanager
def browser() -> Iterator[Browser]:
    """The Chromium of this machine."""
    path = chromium.find()
    if path is None:
        raise SystemExit("There is no Chromium: run `python scripts/browser.py`.")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=chromium.flags())
        yield launched
        launched.close()


@contextmanager
def cold_page(launched: Browser, *scripts: str) -> Iterator[Page]:
    """A page in a context of its own, with nothing cached and the clock in it; `scripts` run before the page's own."""
    context: BrowserContext = launched.new_context(viewport=VIEWPORT, color_scheme="dark")
    context.add_init_script(chromium.NO_TOUR)
    for script in (_CLOCK, *scripts):
        context.add_init_script(script)
    yield context.new_page()
    context.close()


def seconds_to(page: Page, url: str, ready: str) -> float:
    """Seconds from the start of the navigation until the JavaScript expression `ready` holds and is painted."""
    page.add_init_script(f"window.first = window.painted(() => {ready})")
    page.goto(url, wait_until="commit", timeout=120_000)
    return float(page.evaluate("() => window.first")) / 1000


@contextmanager
def app(*, cwd: Path = ROOT) -> Iterator[Server]:
    """A fresh server process of the app in that folder."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = start(streamlit_command(port), port, Path(folder) / "log.txt", cwd)
        try:
            yield server
        finally:
            server.stop()


def copy_of_the_app(folder: Path) -> Path:
    """The app's files in a new folder, to alter one of them."""
    shutil.copytree(ROOT / "pages", folder / "pages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "xattn_viz", folder / "xattn_viz", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    shutil.copy(ROOT / "app.py", folder)
    return folder
