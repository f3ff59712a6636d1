"""The address follows what is looked at, a step in the history for each choice of a map, and brings it back."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import Explorer, assert_painted, weights_of, written


def said(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def test_an_address_shows_the_same_view(explorer: Explorer, open_page: Callable[..., Page]) -> None:
    page = explorer.page
    # Counted as they are made: a browser keeps 50 steps, and other tests walked on this page before.
    page.evaluate(
        "() => { const push = history.pushState; window.stepsMade = 0;"
        " history.pushState = (...step) => { window.stepsMade += 1; push.apply(history, step); }; }"
    )
    explorer.choose("1.2")
    explorer.press("Pin")
    explorer.choose("2.mean")
    explorer.press("Words")
    explorer.press("Read")
    explorer.press("Common")
    page.get_by_label("Colour map").select_option("cividis")
    page.get_by_label("Special tokens").uncheck()
    page.get_by_label("Colour the overview by").select_option("entropy")
    page.get_by_label("Sort", exact=True).check()
    words = explorer.maps.by_input_token().to_words().without_special()
    explorer.page.locator(".xv-rows .xv-text:not([hidden])").nth(1).click()
    row = int(explorer.data("row"))
    wanted = {
        "head": "2.mean",
        "units": "words",
        "rows": "input",
        "special": "false",
        "scale": "common",
        "colours": "cividis",
        "pinned": "1.2",
        "by": "entropy",
        "sorted": "true",
    } | ({"row": str(row)} if row else {})
    # The address follows a moment after the last choice.
    page.wait_for_url(lambda address: wanted.items() <= said(address).items(), timeout=5_000)
    made = page.evaluate("() => { delete history.pushState; return window.stepsMade; }")
    assert 0 < made <= 10  # one for each choice that was rested on
    if explorer.where == "app":
        assert said(page.url)["text"] == explorer.trace.input

    other = open_page()
    other.goto(page.url)
    again = Explorer(other, explorer.trace, explorer.where)
    labels = written(explorer.maps.keys, explorer.trace.input)
    expect(other.locator(".xv-columns .xv-text")).to_have_text(labels, timeout=30_000)
    assert (again.data("head"), again.data("row")) == ("2.mean", str(row))
    expect(other.locator('[aria-label="Pinned map"] h3')).to_have_text("Layer 1, head 2")
    for value in ("words", "input", "common"):
        expect(other.locator(f'[data-value="{value}"]')).to_have_attribute("aria-pressed", "true")
    expect(other.get_by_label("Colour map")).to_have_value("cividis")
    expect(other.get_by_label("Special tokens")).not_to_be_checked()
    expect(other.get_by_label("Colour the overview by")).to_have_value("entropy")
    expect(other.get_by_label("Sort", exact=True)).to_be_checked()
    top = float(again.stage().get_attribute("data-top") or 0)
    assert_painted(again.pixels(), weights_of(words, "2.mean"), top, colour_map="cividis", off=3)


def test_a_step_back_undoes_one_choice_and_a_step_forth_repeats_it(explorer: Explorer) -> None:
    page = explorer.page
    first = explorer.data("head")
    chosen = [view for view in ("1.2", "2.1", "2.mean") if view != first]
    for view in chosen:
        explorer.choose(view)
        page.wait_for_url(re.compile(rf"[?&]head={re.escape(view)}(&|$)"), timeout=5_000)
    explorer.token("output", 1).click()  # no step of its own: the row belongs to the map
    page.wait_for_url(lambda address: said(address).get("row") == "1", timeout=5_000)
    for view in (*chosen[-2::-1], first):
        page.evaluate("history.back()")
        expect(explorer.root).to_have_attribute("data-head", view)
        expect(page.locator(".xv h3").first).not_to_be_empty()
    for view in chosen:
        page.evaluate("history.forward()")
        expect(explorer.root).to_have_attribute("data-head", view)
    assert explorer.data("row") == "1"


def test_nonsense_in_the_address_is_ignored(explorer: Explorer, open_page: Callable[..., Page]) -> None:
    explorer.choose("1.1")
    page = open_page()
    nonsense = "head=9.99&units=<b>&rows=0&special=maybe&scale=huge&colours=jet&pinned=7.7&row=99999"
    base, _, query = explorer.page.url.partition("?")
    kept = "&".join(part for part in query.split("&") if part.startswith(("text=", "model=")))
    page.goto(f"{base}?{kept}&{nonsense}")
    other = Explorer(page, explorer.trace, explorer.where)
    labels = written(explorer.maps.keys, explorer.trace.input)
    expect(page.locator(".xv-columns .xv-text")).to_have_text(labels, timeout=30_000)
    assert other.data("head") == "1.1"
    assert other.said() == "Hover or choose a token to read its weights here."
    weights = weights_of(explorer.maps, "1.1")
    assert_painted(other.pixels(), weights, float(weights.max()))
