"""The watch over the pages must itself see what it watches for."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.conftest import Watch


def test_a_foreign_request_is_seen(page: Page, watch: Watch) -> None:
    with page.expect_event("requestfailed"):
        page.goto("data:text/html,<link rel=icon href='data:,'><img src='http://foreign.invalid/x.png'>")
    assert watch.complaints()[0] == "foreign request: http://foreign.invalid/x.png"
    watch.foreign.clear()
    watch.allow("ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|Failed to load resource")


def test_a_foreign_websocket_is_seen(page: Page, watch: Watch) -> None:
    with page.expect_websocket():
        page.goto("data:text/html,<script>new WebSocket('ws://foreign.invalid/')</script>")
    assert watch.foreign == ["ws://foreign.invalid/"]
    watch.foreign.clear()
    watch.allow("WebSocket")


def test_a_script_error_and_a_console_error_are_seen(open_page: Callable[..., Page], watch: Watch) -> None:
    page = open_page(color_scheme="light")
    with page.expect_console_message():
        page.goto("data:text/html,<script>console.error('said'); throw new Error('thrown')</script>")
    page.wait_for_timeout(100)
    assert sorted("said" in complaint for complaint in watch.complaints()) == [False, True]
    assert any("thrown" in complaint for complaint in watch.complaints())
    watch.allow("said")
    watch.allow("thrown")
    assert watch.complaints() == []


def test_local_pages_are_no_complaint(page: Page, watch: Watch) -> None:
    page.goto("data:text/html,<p>Hello</p>")
    assert watch.complaints() == []
