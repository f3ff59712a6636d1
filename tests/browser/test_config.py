"""The configuration as a visitor meets it: both themes, by preference and by address, and one address to open."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.server import ROOT, Server

THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]


@pytest.mark.parametrize(
    ("prefers", "query", "shown"),
    [
        ("dark", "", "dark"),
        ("light", "", "light"),
        ("light", "?embed_options=dark_theme", "dark"),
        ("dark", "?embed_options=light_theme", "light"),
    ],
)
def test_the_theme_follows_the_visitor_or_the_address(
    app_url: str, open_page: Callable[..., Page], prefers: str, query: str, shown: str
) -> None:
    page = open_page(color_scheme=prefers)
    page.goto(f"{app_url}/{query}")
    page.wait_for_selector("[data-testid=stMainBlockContainer]")
    page.wait_for_function(
        "wanted => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor === wanted",
        arg=rgb(THEME[shown]["backgroundColor"]),
    )


def test_the_menu_offers_the_themes(app_url: str, page: Page) -> None:
    page.goto(app_url)
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_test_id("stMainMenuItem-theme-Light").click()
    page.wait_for_function(
        "wanted => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor === wanted",
        arg=rgb(THEME["light"]["backgroundColor"]),
    )


def test_the_server_prints_one_address_and_asks_nobody_for_more(app: Server) -> None:
    port = app.url.rpartition(":")[2]
    assert f"  URL: http://localhost:{port}" in app.log()
    assert "External URL" not in app.log()
    assert "external IP" not in app.log()


def rgb(colour: str) -> str:
    """A colour like #0e0f13 as browsers compute it."""
    return "rgb({}, {}, {})".format(*bytes.fromhex(colour.removeprefix("#")))
