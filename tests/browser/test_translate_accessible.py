"""axe-core over the page as it is used, in both themes; and the contrast of tinted words over the whole range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import translate as visitor
from xattn_viz import web


def hover(page: Page) -> None:
    visitor.output(page).get_by_role("option").nth(3).hover()


def play(page: Page) -> None:
    page.get_by_role("button", name="Step through").click()
    expect(page.locator(".xv-choices")).not_to_have_attribute("data-step", "-1")


def check(page: Page) -> None:
    page.locator(".xv-stage").first.click(position={"x": 40, "y": 20})
    expect(page.locator(".xv-check")).to_be_visible()


def fail(page: Page) -> None:
    visitor.translate(page, "  ")
    expect(page.get_by_role("alert")).to_be_visible()


def open_panel(page: Page) -> None:
    page.get_by_text("This head in numbers").click()
    expect(page.get_by_text("bits", exact=False).first).to_be_visible(timeout=visitor.PATIENCE)


def page_through(page: Page) -> None:
    visitor.translate(page, "One bird sings. Two birds listen.")
    expect(page.get_by_text("Sentence 1 of 2")).to_be_visible(timeout=visitor.PATIENCE)


#: One after the other in one visit: what was opened stays open.
STATES: dict[str, Callable[[Page], None]] = {
    "idle": lambda page: None,
    "hovering": hover,
    "playing": play,
    "cell checked": check,
    "panel open": open_panel,
    "long text": page_through,
    "error": fail,
}


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(app_url: str, open_page: Callable[..., Page], scheme: str) -> None:
    found: dict[str, Any] = {}
    page = open_page(color_scheme=scheme)
    visitor.open_app(page, app_url)
    for name, reach in STATES.items():
        reach(page)
        found[name] = visitor.serious(page)
    assert not any(found.values()), "\n".join(f"{name}: {line}" for name, lines in found.items() for line in lines)


def test_axe_sees_into_the_explorer(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    visitor.explorer(page).evaluate(
        """(map) => { const button = document.createElement('button'); button.id = 'nameless'; map.append(button); }"""
    )
    assert any("button-name" in line and "nameless" in line for line in visitor.serious(page))


def test_words_reach_aa_on_every_tint(page: Page) -> None:
    """Contrast of at least 4.5 between ink and tint, for both grounds and every strength of the tint."""
    page.goto("data:text/html,<p>colours</p>")
    lowest = page.evaluate(
        """(script) => {
          const { inkOn, mixed } = new Function(script.replace('export default ', '') + '; return { inkOn, mixed }')();
          const light = (rgb) => {
            const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            const [r, g, b] = rgb.map((v) => linear(v / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          let lowest = 21;
          for (const ground of [[14, 15, 19], [251, 250, 247], [0, 0, 0], [255, 255, 255]]) {
            for (let i = 0; i <= 1000; i++) {
              const tint = mixed(ground, [255, 176, 0], i / 1000);
              const [a, b] = [light(tint), inkOn(tint) === '#000' ? 0 : 1].sort((x, y) => y - x);
              lowest = Math.min(lowest, (a + 0.05) / (b + 0.05));
            }
          }
          return lowest;
        }""",
        web.script(),
    )
    assert 4.5 <= lowest < 8  # the tint passes through a middle grey, where neither ink is far ahead


def test_the_explorer_follows_a_switch_of_the_theme(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    expect(visitor.explorer(page)).to_have_attribute("data-theme", "dark")
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_test_id("stMainMenuItem-theme-Light").click()
    expect(visitor.explorer(page)).to_have_attribute("data-theme", "light")
    tint = visitor.source(page).get_by_role("option").first.evaluate("token => getComputedStyle(token).color")
    assert tint == "rgb(0, 0, 0)"
