"""Stepping through the decoding: forth, back, play, pause, all."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import PRINTED, Explorer, weights_of
from tests.browser.explorer.harness import show
from tests.browser.explorer.planted import planted
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Hypothesis
from xattn_viz.web.explorer import pack

#: The decoder's p goes to the page unrounded and is printed with two decimals.
TWO_DECIMALS = 0.005 + 1e-9
#: A bar is laid out in steps of 1/64 pixel, and is over 60 pixels long.
BAR = 2 / 64 / 60


def written(explorer: Explorer) -> list[bool]:
    states: list[bool] = explorer.tokens("output").evaluate_all(
        "all => all.map(token => getComputedStyle(token).visibility === 'visible')"
    )
    return states


def choices(explorer: Explorer) -> list[tuple[str, float, float]]:
    """What is offered at a step: each token, its number, and how much of its bar is filled."""
    found: list[list[str | float]] = explorer.page.locator(".xv-choice").evaluate_all(
        """all => all.map(choice => {
          const [bar, filled] = [".xv-p", ".xv-filled"].map(name => choice.querySelector(name).getBoundingClientRect());
          const number = Number(choice.querySelector(".xv-number").textContent);
          return [choice.firstElementChild.textContent, number, filled.width / bar.width];
        })"""
    )
    return [(str(token), float(p), float(bar)) for token, p, bar in found]


def assert_step(explorer: Explorer, step: int) -> None:
    count = len(explorer.trace.steps)
    expect(explorer.page.locator(".xv-choices")).to_have_attribute("data-step", str(step))
    assert written(explorer) == [position <= step for position in range(count)]
    assert explorer.data("row") == str(step)
    assert_rows_to_come(explorer, step + 1)
    assert explorer.page.locator(".xv-count").inner_text() == f"{step + 1} of {count}"
    said = explorer.trace.steps[step]
    others = [(visible(a.token), float(np.exp(a.log_prob))) for a in said.alternatives if a.id != said.id][:4]
    wanted = [(visible(said.token), float(np.exp(said.log_prob))), *others]
    rest = 1 - sum(p for _, p in wanted)
    assert rest > -1e-5
    if rest >= TWO_DECIMALS:
        wanted.append(("others", rest))
    found = choices(explorer)
    if len(found) == len(wanted) + 1:  # just at the edge of what is worth showing
        assert found.pop()[0] == "others"
    assert [token for token, *_ in found] == [token for token, _ in wanted]
    # The model may be run anew by the page: its probabilities may differ in the last bits.
    np.testing.assert_allclose([p for _, p, _ in found], [p for _, p in wanted], atol=TWO_DECIMALS + 1e-5)
    np.testing.assert_allclose([bar for *_, bar in found], [p for _, p in wanted], atol=BAR + 1e-5)
    if explorer.page.get_by_label("Special tokens").is_checked():
        assert_looked(explorer, step)


def assert_looked(explorer: Explorer, step: int) -> None:
    """The line of a step names the source token that its row looked at most, or what it rested on."""
    weights, keys = weights_of(explorer.maps, explorer.data("head"))[step], explorer.maps.keys
    first = int(weights.argmax())
    start = f"Writing {visible(explorer.maps.queries.name(step))}, this head "
    does = "rested on" if keys.is_special[first] else "looked most at"
    label, number = re.escape(visible(keys.name(first))), r"\((\d\.\d\d)\)"
    found = re.match(f"{re.escape(start + does)} {label} {number}", explorer.said())
    assert found, explorer.said()
    assert float(found[1]) == pytest.approx(weights[first], abs=PRINTED)
    own = np.where(keys.is_special, -1, weights)
    if keys.is_special[first] and own.max() >= 0.02:
        assert f"; of the rest it looked most at {visible(keys.name(int(own.argmax())))} (" in explorer.said()


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
    for step, key in ((count - 2, ","), (count - 3, "ArrowLeft"), (count - 2, "ArrowRight"), (count - 1, ".")):
        explorer.page.keyboard.press(key)
        assert_step(explorer, step)
    explorer.press("Back")
    assert_step(explorer, count - 2)
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
    shown = explorer.page.locator(".xv-choices")
    expect(shown).to_have_attribute("data-step", "0")
    explorer.page.get_by_label("Speed").select_option("4")
    expect(shown).to_have_attribute("data-step", "3", timeout=2000)  # three steps at the usual speed take 2.7 s
    play.click()
    expect(play).to_have_text("▶ Step through")
    explorer.page.get_by_label("Speed").select_option("1")
    at = int(shown.get_attribute("data-step") or -1)
    explorer.page.wait_for_timeout(1100)  # longer than one step takes
    assert_step(explorer, at)
    play.click()
    expect(shown).to_have_attribute("data-step", str(at + 1))
    explorer.click_cell(0, 0)
    expect(play).to_have_text("▶ Step through")
    explorer.page.wait_for_timeout(1100)  # no step closes what the click opened
    expect(explorer.page.locator(".xv-check")).to_be_visible()
    assert all(written(explorer))


def test_special_tokens_hidden_do_not_stop_the_steps(explorer: Explorer) -> None:
    explorer.page.get_by_label("Special tokens").uncheck()
    count = len(explorer.trace.steps)
    for _ in range(count):
        explorer.press("Next")
    expect(explorer.page.locator(".xv-choices")).to_have_attribute("data-step", str(count - 1))
    assert choices(explorer)[0][0] == "</s>"
    assert explorer.said() == "This step wrote </s>, which is hidden."


def test_the_outputs_of_a_search_are_a_tree(harness: Page) -> None:
    trace = planted()
    own = [(step.token, step.id) for step in trace.steps]

    def beam(log_prob: float, *tokens: tuple[str, int]) -> Hypothesis:
        return Hypothesis("", log_prob, *(tuple(column) for column in zip(*tokens, strict=True)))

    others = (
        beam(-2.0, own[0], ("<i>cães</i>", 50), *own[2:]),
        beam(-2.5, *own[:2], *own[3:]),
        beam(-3.25, *own[:2]),  # cut off where others go on
        beam(-4.0, ("Gatos", 60), own[-1]),
    )
    asked = {"settings": {"hypothesis": 1, "num_beams": 5}}  # the trace is the second of them
    show(harness, pack(replace(trace, hypotheses=others, provenance={**trace.provenance, **asked})))

    def limb(item: dict[str, object]) -> object:
        return item["said"], [limb(one) for one in item["limbs"]]  # type: ignore[attr-defined]

    found = harness.locator(".xv-tree").evaluate(
        """tree => {
          const limbs = ul => [...ul.children].map(li => ({
            said: [...li.children].filter(one => one.tagName === "SPAN").map(one => one.textContent).join(" | "),
            limbs: [...li.children].filter(one => one.tagName === "UL").flatMap(limbs),
          }));
          return limbs(tree.firstElementChild);
        }"""
    )
    total = sum(step.log_prob for step in trace.steps)
    assert [limb(item) for item in found] == [
        (
            "Os",
            [
                ("<i>cães</i> os *dormem* . </s> | 1: −2.00", []),
                (
                    "gat",
                    [
                        (f"os *dormem* . </s> | 2: {total:.2f}".replace("-", "−"), []),
                        ("*dormem* . </s> | 3: −2.50", []),
                        ("4: −3.25", []),
                    ],
                ),
            ],
        ),
        ("Gatos </s> | 5: −4.00", []),
    ]
    assert harness.locator(".xv-shown-beam").inner_text().startswith("2: ")
    assert harness.locator(".xv-beams button").count() == 0  # no model is behind the page
