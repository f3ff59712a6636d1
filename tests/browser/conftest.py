"""The app in a real Chromium. A page fails its test on any request to a foreign address and on any script error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebSocket, sync_playwright

from scripts import browser as chromium
from tests.models.families import diffusion_folders, seq2seq_folders, whisper_folders
from tests.server import Server, free_port, start, streamlit_command
from xattn_viz.examples import clips
from xattn_viz.inputs import audio

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
LOCAL_SCHEMES = {"data", "blob", "about", "file"}
VIEWPORT = {"width": 1280, "height": 720}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in the browser that fails is run once more; pytest's summary names it and its closing line counts it.

    Server, browser and test are processes of their own here, and on a busy machine any of them may be late. What is
    wrong is wrong twice.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


@dataclass
class Watch:
    """What the pages of one test did that they should not. `allow` names errors that the test provokes itself."""

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Expect script errors or console errors in which this regular expression is found."""
        self.allowed.append(pattern)

    def follow(self, context: BrowserContext) -> Callable[[], None]:
        """Record what every page of the context asks for and complains about; what comes back ends that."""

        def connected(socket: WebSocket) -> None:
            self._asked(socket.url)

        heard: dict[str, Callable[..., None]] = {
            "request": lambda request: self._asked(request.url),
            "console": self._said,
            "weberror": lambda error: self.errors.append(str(error.error)),
            "page": lambda page: Page.on(page, "websocket", connected),
        }
        for name, hear in heard.items():
            context.on(name, hear)  # type: ignore[call-overload]
        for page in context.pages:
            heard["page"](page)

        def unfollow() -> None:
            for name, hear in heard.items():
                context.remove_listener(name, hear)
            for page in context.pages:
                page.remove_listener("websocket", connected)

        return unfollow

    def complaints(self) -> list[str]:
        """Foreign requests, and errors that nobody expected."""
        unexpected = [e for e in self.errors if not any(re.search(pattern, e) for pattern in self.allowed)]
        return [f"foreign request: {url}" for url in self.foreign] + [f"error: {error}" for error in unexpected]

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname not in LOOPBACK:
            self.foreign.append(url)

    def _said(self, message: ConsoleMessage) -> None:
        # Of a page that is not the first, Streamlit asks at two places for its health, and one of them is wrong.
        asked = message.location.get("url", "")
        if message.type == "error" and not asked.endswith(("/_stcore/health", "/_stcore/host-config")):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture(scope="session")
def app(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of the app for all tests, `app.url` and `app.log()`, with a root for folders; no hub answers it."""
    port = free_port()
    said = [f"XATTN_VIZ_ROOT={folders}", f"HF_ENDPOINT=http://127.0.0.1:{free_port()}"]
    said.append(f"HF_HUB_CACHE={tmp_path_factory.mktemp('cache')}")
    server = start(["env", *said, *streamlit_command(port)], port, tmp_path_factory.mktemp("app") / "log.txt")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def app_url(app: Server) -> str:
    """Where the app is."""
    return app.url


@pytest.fixture
def fresh_app(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Call it for a server process that nobody has visited yet."""
    servers: list[Server] = []

    def launch() -> Server:
        port = free_port()
        servers.append(start(streamlit_command(port), port, tmp_path / f"log-{len(servers)}.txt"))
        return servers[-1]

    yield launch
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small checkpoints of several architectures, and one whose weights are in a `.bin` only."""
    root = tmp_path_factory.mktemp("models")
    for kind in ("marian", "t5", "nllb"):
        seq2seq_folders.write(root / kind, kind)
    for kind in ("multilingual", "moonshine"):
        whisper_folders.write(root / kind, kind)
    diffusion_folders.write(root / "drawing", "1")
    seq2seq_folders.write(root / "pickled", "bart", safe=False)
    return root


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The Chromium of this machine, with a microphone that plays a clip over and over."""
    path = chromium.find()
    assert path is not None, "There is no Chromium: `make test` brings one, or run `python scripts/browser.py`."
    spoken = tmp_path_factory.mktemp("microphone") / "forward.wav"
    spoken.write_bytes(audio.wav(clips.sound("forward").samples))
    microphone = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}",
    ]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*chromium.flags(), *microphone])
        yield launched
        launched.close()


class Tabs:
    """Pages in contexts of their own, used again: most of a visit's first second is reading the app's scripts.

    A page comes back with nothing stored. One that a test has changed for good is closed.
    """

    CHANGES = ("add_init_script", "emulate_media", "expose_function", "route", "set_viewport_size")
    CONTEXT_CHANGES = ("add_init_script", "expose_function", "grant_permissions", "route", "set_offline")

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: dict[str, list[Page]] = {}
        self._lent: dict[Page, str] = {}

    def take(self, options: Mapping[str, Any], *, newcomer: bool) -> Page:
        """A blank page of a context with these options, of somebody who has seen the tour or not."""
        key = repr((newcomer, sorted(options.items())))
        page = idle.pop() if (idle := self._idle.setdefault(key, [])) else self._make(options, newcomer)
        self._lent[page] = key
        return page

    def give_back(self, page: Page) -> None:
        """The test is over."""
        key = self._lent.pop(page, None)
        if key is None or page.is_closed() or page.context.pages != [page]:
            page.context.close()
            return
        page.mouse.move(0, 0)
        origin = "/".join(page.url.split("/")[:3])
        page.goto("about:blank")
        page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self._idle[key].append(page)

    def _make(self, options: Mapping[str, Any], newcomer: bool) -> Page:
        context = self._browser.new_context(**options)
        if not newcomer:
            context.add_init_script(chromium.NO_TOUR)
        page = context.new_page()

        def changed_by(act: Callable[..., Any]) -> Callable[..., Any]:
            def changing(*all_: Any, **named: Any) -> Any:
                self._lent.pop(page, None)
                return act(*all_, **named)

            return changing

        for changed, names in ((page, self.CHANGES), (context, self.CONTEXT_CHANGES)):
            for name in names:
                setattr(changed, name, changed_by(getattr(changed, name)))
        return page


@pytest.fixture(scope="session")
def tabs(browser: Browser) -> Tabs:
    """The pages of all tests."""
    return Tabs(browser)


@pytest.fixture
def watch() -> Watch:
    """What the pages of this test may complain about."""
    return Watch()


@pytest.fixture
def open_page(tabs: Tabs, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Call it for a page in a context of its own, 1280 × 720 and dark unless told otherwise (Playwright's options).

    It has seen the tour, unless it is of a `newcomer`.
    """
    opened: list[tuple[Page, Callable[[], None]]] = []

    def launch(*, newcomer: bool = False, **options: Any) -> Page:
        page = tabs.take({"viewport": VIEWPORT, "color_scheme": "dark", **options}, newcomer=newcomer)
        opened.append((page, watch.follow(page.context)))
        return page

    yield launch
    for page, unfollow in opened:
        unfollow()
        tabs.give_back(page)
    assert not watch.complaints(), "\n".join(watch.complaints())


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """One page, 1280 × 720, dark."""
    return open_page()


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[[Page, str], Path]:
    """Call it with a page and a name: a PNG in the test's own folder."""

    def shoot(page: Page, name: str) -> Path:
        path = tmp_path / f"{name}.png"
        page.screenshot(path=path)
        return path

    return shoot
