"""Runs that take long, and several visitors at once: progress, stop, another request, and each their own sentence."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import translate as visitor


def sentence_of(animal: str, number: int) -> str:
    """A sentence of `hundred`."""
    return (
        f"The {animal} walked {number} miles to the old town on the hill, and in the evening it came all the way back."
    )


def hundred(animal: str) -> str:
    """A text of a hundred sentences that no other test asks for, because traces are remembered."""
    return " ".join(sentence_of(animal, number) for number in range(1, 101))


def test_a_long_run_tells_its_progress_and_can_be_stopped(
    app_url: str, page: Page, open_page: Callable[..., Page]
) -> None:
    visitor.open_app(page, app_url)
    text = hundred("donkey")
    visitor.translate(page, text)
    progress = page.get_by_role("progressbar")
    expect(page.get_by_text(re.compile(r"Sentence [2-9]: \d+ tokens written"))).to_be_visible(timeout=visitor.PATIENCE)
    expect(progress).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    stopped = page.get_by_text(re.compile(r"^Stopped after \d+ sentences?\. Press Translate to start again\.$"))
    expect(stopped).to_be_visible()
    expect(progress).to_have_count(0)
    expect(visitor.field(page)).to_have_value(text)
    # What was traced before the stop is there to be looked at, to the last sentence.
    made = int(re.findall(r"\d+", stopped.inner_text())[0])
    visitor.expect_source(page, sentence_of("donkey", 1))
    if made > 1:
        expect(page.get_by_text(f"Sentence 1 of {made}", exact=True)).to_be_visible()
        page.get_by_role("button", name="Next ▶").click()
        visitor.expect_source(page, sentence_of("donkey", 2))
        expect(stopped).to_be_visible()

    other = open_page()
    visitor.open_app(other, app_url)
    visitor.translate(other, "The next visitor is let in.")
    visitor.expect_source(other, "The next visitor is let in.")

    page.get_by_role("button", name="Translate").click()
    expect(progress).to_be_visible()
    visitor.translate(page, "Something shorter.")
    visitor.expect_source(page, "Something shorter.")


def test_another_request_replaces_the_one_that_runs(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    visitor.translate(page, hundred("horse"))
    expect(page.get_by_text(re.compile(r"Sentence \d+: \d+ tokens written"))).to_be_visible(timeout=visitor.PATIENCE)
    visitor.translate(page, "This one is wanted now.")
    visitor.expect_source(page, "This one is wanted now.")
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_two_visitors_keep_their_own_sentences(app_url: str, open_page: Callable[..., Page]) -> None:
    pages = open_page(), open_page()
    texts = "The left visitor reads this.", "The right visitor reads that."
    for page in pages:
        visitor.open_app(page, app_url)
    for page, text in zip(pages, texts, strict=True):
        visitor.translate(page, text)
    for page, text in zip(pages, texts, strict=True):
        visitor.expect_source(page, text)
        expect(visitor.field(page)).to_have_value(text)
    pages[0].get_by_role("radio", name="Layer 1, head 5").click()
    expect(visitor.explorer(pages[0])).to_have_attribute("data-head", "1.5")
    expect(visitor.explorer(pages[1])).not_to_have_attribute("data-head", "1.5")
    assert texts[1].split()[1] in (visitor.source(pages[1]).text_content() or "")
