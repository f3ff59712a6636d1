"""What a newcomer is told of a map: what its axes are, what to see in it, and what is surprising, each a click away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.explorer.clip import spoken
from tests.browser.explorer.harness import open_harness, show
from tests.browser.explorer.pictured import captioned, drawn
from tests.browser.explorer.planted import planted
from tests.web.explorer.packed import texts
from xattn_viz.analysis.head_measures import surprises
from xattn_viz.core.trace import Step, Trace
from xattn_viz.web.explorer import pack
from xattn_viz.web.explorer.sound import Playback

LANGUAGES = ("English", "Portuguese")


def axes(page: Page) -> list[str]:
    said: list[str] = page.locator('[aria-label="Chosen map"] .xv-axes span').all_inner_texts()
    return said


def what(page: Page) -> Locator:
    return page.locator(".xv-what")


def test_axes_and_first_sentence_follow_what_is_shown(harness: Page) -> None:
    show(harness, pack(texts(), languages=LANGUAGES))
    assert axes(harness) == ["↓ word being written", "source word being read →"]
    expect(what(harness)).to_contain_text("Each row is a Portuguese token being written. Bright = where it looked.")
    harness.get_by_role("button", name="Read", exact=True).click()
    assert axes(harness)[0] == "↓ word just written"
    harness.get_by_role("button", name="Sentences", exact=True).click()
    assert axes(harness) == ["↓ sentence just written", "source sentence being read →"]
    expect(what(harness)).to_contain_text("Each row is a Portuguese sentence just written.")
    harness.get_by_role("button", name="Words", exact=True).click()
    harness.get_by_role("button", name="Encoder", exact=True).click()
    expect(what(harness)).to_contain_text("Each row is an English word being represented.")
    harness.get_by_role("button", name="Decoder", exact=True).click()
    assert axes(harness)[1] == "earlier word being read →"
    harness.evaluate("document.documentElement.style.colorScheme = 'light'")
    harness.evaluate("dispatchEvent(new Event('popstate'))")
    expect(what(harness)).to_contain_text("Dark = where it looked.")
    show(harness, pack(replace(texts(), output="O gato sentou. Era novo.")))  # of no known language
    expect(what(harness)).to_contain_text("Each row is a ")


def test_over_sound_and_pictures_other_words_are_right(harness: Page) -> None:
    trace, _ = spoken()
    told = {"playback": Playback(b"RIFF", (), None), "languages": ("English", "English")}
    show(harness, pack(trace, full_limit=None, **told))  # type: ignore[arg-type]
    assert axes(harness) == ["↓ word being written", "sound being heard, in seconds →"]
    expect(what(harness)).to_contain_text("Each row is an English token being written. Bright = when it listened.")
    harness.get_by_role("button", name="Encoder", exact=True).click()
    assert axes(harness)[0] == "↓ sound being represented, in seconds"
    expect(what(harness)).to_contain_text("Each row is a moment of the sound being represented.")
    harness.get_by_role("button", name="Cross", exact=True).click()
    for made, axis, said in (
        (captioned(), "patch being read, 8 × 8 of them", "Choose a token being written. Bright = where it looked"),
        (drawn(), "patch being drawn, 8 × 8 of them", "Choose a prompt token being read. Bright = where in"),
    ):
        show(harness, pack(made))
        expect(harness.locator('[aria-label="Chosen map"] .xv-axes')).to_have_text(axis)
        expect(what(harness)).to_contain_text(said)


@pytest.mark.parametrize("make", [planted, captioned, drawn], ids=["text", "picture", "drawing"])
def test_each_surprise_is_one_click_and_says_itself(make: Callable[[], Trace], harness: Page) -> None:
    trace = make()
    show(harness, pack(trace))
    buttons = harness.get_by_role("group", name="Surprises in this very input").get_by_role("button")
    found = surprises(trace)
    assert buttons.all_inner_texts() == [one.title for one in found]
    root = harness.locator(".xv")
    for number, one in enumerate(found):
        buttons.nth(number).click()
        expect(buttons.nth(number)).to_have_attribute("aria-pressed", "true")
        expect(what(harness)).to_contain_text(one.says)
        if one.layer is not None and one.head is not None:
            expect(root).to_have_attribute("data-head", f"{one.layer + 1}.{one.head + 1}")
        if one.query is not None:
            expect(root).to_have_attribute("data-row", str(one.query))


def test_a_surprise_is_found_whatever_rows_stand_for(page: Page, tmp_path: Path) -> None:
    """Named for the token read, in words and without special tokens, its row is another one; a tag stays text."""
    trace = planted()
    steps = [replace(step, log_prob=-0.1) for step in trace.steps]
    steps[3] = Step("<b>dormem</b>", 9, -3.0)
    harness = open_harness(page, tmp_path)
    show(harness, pack(replace(trace, steps=tuple(steps))))
    for name in ("Read", "Words"):
        harness.get_by_role("button", name=name, exact=True).click()
    harness.get_by_label("Special tokens").uncheck()
    button = harness.get_by_role("button", name="least certain: <b>dormem</b>")
    button.click()
    expect(harness.locator(".xv-row-labels .xv-focus")).to_have_text("*dormem*")
    expect(what(harness)).to_contain_text("least certain of “<b>dormem</b>”: it gave it a probability of 0.05.")
    harness.get_by_role("button", name="Common").click()
    harness.locator('[data-view="2.3"]').click()
    expect(button).to_have_attribute("aria-pressed", "true")  # it is of a token, whatever head one looks at
    harness.locator(".xv-rows .xv-text:visible").first.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    # A head without a name is told by what its weights have in common.
    harness.locator('[data-view="2.mean"]').click()
    expect(what(harness)).to_contain_text(re.compile("rows look most at|A row looks mostly|Rows look at several"))
