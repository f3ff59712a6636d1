"""Bad input, typed in the browser: shown literally, answered with a map, and nothing of it acts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import translate as visitor

# Typed text, and how the page shows it where that differs: characters that cannot be seen are shown as escapes.
STRANGE = {
    "script": "<script>alert(1)</script>",
    "script end": "</script>",
    "end mark": "</s>",
    "image": "<img src=http://foreign.invalid/x.png onerror=alert(2)>",
    "Markdown and LaTeX": "**b** $x^2$ :smile: [a](http://x) # h",
    "more Markdown": "_it_ `code` ~~no~~",
    "emoji": "I like 😀 and 🎉 and 🇧🇷.",
    "Chinese": "你好世界",
    "Arabic": "مرحبا بالعالم",
    "Hindi": "नमस्ते दुनिया",
}


@pytest.fixture
def dialogs(page: Page) -> list[str]:
    """The dialogs that the page opened; there should be none."""
    opened: list[str] = []

    def dismiss(dialog: object) -> None:
        opened.append(str(dialog))
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", dismiss)
    return opened


def test_strange_text_is_shown_literally_and_answered(app_url: str, page: Page, dialogs: list[str]) -> None:
    visitor.open_app(page, app_url)
    for name, text in STRANGE.items():
        before = visitor.explorer(page).get_attribute("data-trace")
        visitor.translate(page, text)
        expect(visitor.explorer(page)).not_to_have_attribute("data-trace", before or "", timeout=visitor.PATIENCE)
        assert visitor.sentence(visitor.source(page)).replace(" ", "") == text.replace(" ", ""), name
        assert visitor.output(page).text_content(), name
        expect(visitor.field(page)).to_have_value(text)
        assert page.locator(".xv img, .xv script, .xv a, [data-testid=stMain] a[href*='http://']").count() == 0, name
        expect(page.get_by_role("alert")).to_have_count(0)
        assert dialogs == [], name
        visitor.expect_rest(page)


def test_a_text_in_another_language_is_told_and_one_button_turns_the_model(app_url: str, page: Page) -> None:
    text = "O meu avô vendeu o barco vermelho antes do inverno."
    visitor.open_app(page, app_url)
    visitor.translate(page, text)
    visitor.expect_source(page, text)
    expect(page.get_by_test_id("stAlert")).to_have_text(
        "This text looks like Portuguese, and English → Portuguese reads English."
    )
    page.get_by_role("button", name="Use Portuguese → English").click()
    expect(visitor.output(page)).to_contain_text("winter")
    expect(visitor.field(page)).to_have_value(text)
    visitor.expect_said(page, model="firefox-pt-en", text=text)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_control_and_bidi_characters_are_shown_as_escapes(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url, text="abc \u202eevil\u202c \x07bell.")
    shown = visitor.source(page).text_content() or ""
    assert "\u202e" not in shown
    assert "\\u202e" in shown
    assert "evil" in shown


def test_nothing_to_translate_is_said_and_the_last_map_goes(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    for text in ("", "    ", "\u3000\u00a0"):
        expect(visitor.source(page)).to_have_count(1)
        visitor.translate(page, text)
        expect(page.get_by_role("alert")).to_have_text("The text is empty: type at least one word.")
        expect(visitor.source(page)).to_have_count(0)
        visitor.expect_rest(page)
        visitor.translate(page, "And now a word.")
        visitor.expect_source(page, "And now a word.")
        expect(page.get_by_role("alert")).to_have_count(0)
        visitor.expect_rest(page)


def test_a_very_long_text_is_cut_and_the_page_says_so(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    for text, cut in (
        ("Donaudampfschiff" * 313, r"Only the first 511 of [\d,]+ tokens were read\."),
        ("你好 " * 10_000, r"Only the first 510 of [\d,]+ tokens were read\."),  # 30,000 characters
    ):
        visitor.translate(page, text)
        expect(page.get_by_text(re.compile(cut))).to_be_visible(timeout=2 * visitor.PATIENCE)
        # The note can be there a moment before the map.
        expect(visitor.source(page)).to_contain_text(text.split()[0][:16])
        assert visitor.sentence(visitor.source(page)).replace(" ", "").startswith(text.replace(" ", "")[:400])
        assert "text=" not in page.url
        visitor.expect_rest(page)
