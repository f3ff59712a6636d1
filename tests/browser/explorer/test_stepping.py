"""Stepping through the decoding: forth, back, play, pause, all."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.explorer.conftest import Explorer
from xattn_viz.core.tokens import visible

#: The decoder's p goes to the page unrounded and is printed with two decimals.
TWO_DECIMALS = 0.005 + 1e-9


def written(explorer: Explorer) -> list[bool]:
    states: list[bool] = explorer.tokens("output").evaluate_all(
        "all => all.map(token => getComputedStyle(token).visibility === 'visible')"
    )
    return states


def assert_step(explorer: Explorer, step: int) -> None:
    count = len(explorer.trace.steps)
    choices = explorer.page.locator(".xv-choices")
    expect(choices).to_have_attribute("data-step", str(step))
    assert written(explorer) == [position <= step for position in range(count)]
    assert explorer.data("row") == str(step)
    assert_rows_to_come(explorer, step + 1)
    said = explorer.trace.steps[step]
    others = [(visible(a.token), float(np.exp(a.log_prob))) for a in said.alternatives if a.token != said.token][:4]
    wanted = f"{step + 1} of {count}: {visible(said.token)} p #"
    wanted += "".join(f"{', ' if i else ' · or '}{token} #" for i, (token, _) in enumerate(others))
    text = choices.evaluate("choices => choices.textContent")
    head = f"{step + 1} of {count}: "
    assert text.startswith(head)
    assert head + re.sub(r"\d\.\d\d(?=$|,| ·)", "#", text.removeprefix(head)) == wanted
    numbers = [float(n) for n in re.findall(r"(\d\.\d\d)(?=$|,| ·)", text)]
    # The model may be run anew by the page: its probabilities may differ in the last bits.
    np.testing.assert_allclose(
        numbers, [float(np.exp(said.log_prob)), *(p for _, p in others)], atol=TWO_DECIMALS + 1e-5
    )


def assert_rows_to_come(explorer: Explorer, written: int) -> None:
    """The map, its labels and its table hold the rows up to a step; the rest is to come."""
    count = len(explorer.trace.steps)
    stage = explorer.stage()
    expect(stage).to_have_attribute("data-written", str(written))
    coming = stage.locator(".xv-coming")
    if written < count:
        expect(coming).to_be_visible()
        high = float(stage.get_attribute("data-cell-height") or 0)
        top = coming.evaluate("coming => coming.offsetTop")
        assert top == pytest.approx(written * high, abs=1)
    else:
        expect(coming).to_be_hidden()
    labels = explorer.page.locator('[aria-label="Chosen map"] .xv-row-labels .xv-label')
    shown = labels.evaluate_all("all => all.map(label => getComputedStyle(label).visibility === 'visible')")
    assert shown == [row < written for row in range(count)]
    assert len(explorer.table()[0]) == written


def test_next_and_back_write_and_take_back_one_token(explorer: Explorer) -> None:
    explorer.choose("2.1")
    count = len(explorer.trace.steps)
    assert all(written(explorer))
    for step in range(count):
        explorer.press("Next")
        assert_step(explorer, step)
    expect(explorer.page.get_by_role("button", name="Next", exact=True)).to_be_disabled()
    for step in (count - 2, count - 3):
        explorer.press("Back")
        assert_step(explorer, step)
    # No line leads to a token that is not written yet.
    explorer.page.get_by_label("Lines above this weight").fill("0.05")
    drawn = explorer.page.locator(".xv-lines path").count()
    explorer.press("Show all")
    assert all(written(explorer))
    assert_rows_to_come(explorer, count)
    assert explorer.page.locator(".xv-lines path").count() > drawn


def test_play_and_pause(explorer: Explorer) -> None:
    play = explorer.page.locator(".xv-play")
    play.click()
    expect(play).to_have_text("❚❚ Pause")
    choices = explorer.page.locator(".xv-choices")
    expect(choices).to_have_attribute("data-step", "0")
    expect(choices).to_have_attribute("data-step", "1")
    play.click()
    expect(play).to_have_text("▶ Step through")
    at = int(choices.get_attribute("data-step") or -1)
    explorer.page.wait_for_timeout(1100)  # longer than one step takes
    assert_step(explorer, at)
    play.click()
    expect(choices).to_have_attribute("data-step", str(at + 1))
    explorer.press("Show all")
    expect(play).to_have_text("▶ Step through")
    assert all(written(explorer))


def test_special_tokens_hidden_do_not_stop_the_steps(explorer: Explorer) -> None:
    explorer.page.get_by_label("Special tokens").uncheck()
    count = len(explorer.trace.steps)
    for _ in range(count):
        explorer.press("Next")
    expect(explorer.page.locator(".xv-choices")).to_have_attribute("data-step", str(count - 1))
    assert explorer.page.locator(".xv-choices").inner_text().startswith(f"{count} of {count}: </s>")
