"""The switches of the layer's page: what is drawn and said is what the lessons compute."""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Locator, Page, expect

from xattn_viz.lessons import cost, masking
from xattn_viz.lessons.cost import LENGTHS, WAYS
from xattn_viz.lessons.masking import LimitKind, changed, limited, padded
from xattn_viz.lessons.scale import WIDTHS, row, saturation

PATIENCE = 60_000  # the first visitor waits for torch and the model
TEXT, LONGER = "The cat sat on the mat.", "The old man sold his little red boat to my grandfather."

# The arrays that Plotly draws, whether they came as lists or packed.
_DRAWN = """figure => figure._fullData.map(trace => Object.fromEntries(
  ["x", "y", "z"].filter(name => trace[name]).map(name => [
    name, Array.from(trace[name], value => ArrayBuffer.isView(value) ? Array.from(value) : value),
  ])
))"""


def open_section(page: Page, url: str, section: str, **said: str) -> None:
    page.goto(f"{url}/layer?{urlencode({'section': section, **said})}")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def chart(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} .js-plotly-plot")


def drawn(page: Page, key: str) -> list[dict[str, Any]]:
    expect(chart(page, key)).to_have_count(1)  # while it is repainted the old one may stand beside it
    found: list[dict[str, Any]] = chart(page, key).evaluate(_DRAWN)
    return found


def expect_drawn(page: Page, key: str, expected: Any, curve: int = 0, axis: str = "y") -> None:
    """Wait until a figure has exactly these numbers: it is repainted a moment after the words above it."""
    expected, found = np.asarray(expected), np.empty(0)
    for _ in range(100):
        found = np.array(drawn(page, key)[curve][axis])
        if np.array_equal(found.astype(expected.dtype), expected):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{key} draws {found}, not {expected}")


def expect_said(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE)


def toggle(page: Page) -> None:
    page.get_by_test_id("stMainBlockContainer").get_by_text("Mask", exact=True).last.click()


def test_the_scale(page: Page, app_url: str) -> None:
    open_section(page, app_url, "scale", d_k="256", temperature="0.5")
    for curve, scaled in enumerate((True, False)):
        seen = [saturation(d_k, scaled) for d_k in WIDTHS]
        expect_drawn(page, "scale-largest", WIDTHS, curve, "x")
        expect_drawn(page, "scale-largest", [one.largest for one in seen], curve)
        expect_drawn(page, "scale-entropy", [one.entropy for one in seen], curve)
        expect_drawn(page, "scale-gradient", [one.median_gradient for one in seen], curve)
    expect_drawn(page, "scale-row-tempered", row(256, True, 0.5))
    page.get_by_role("slider").first.press("ArrowRight")
    expect_said(page, f"At d_k = 512 the largest of 16 weights is {saturation(512, False).largest:.2f} on average")
    expect_drawn(page, "scale-row-bare", row(512, False))
    expect(page).to_have_url(re.compile("d_k=512"))


def test_padding(page: Page, app_url: str) -> None:
    open_section(page, app_url, "masks")
    leaking, masked = padded(TEXT, 4, False, 0), padded(TEXT, 4, True, 0)
    expect_said(page, f"puts {leaking.leaked[6]:.0%} of its weight on 4 padding positions")
    expect_said(page, f"The output of the layer moves by {leaking.moved:.0%} of its norm.")
    expect_drawn(page, "padding-map", leaking.weights[6], axis="z")
    toggle(page)
    expect_said(page, "puts exactly 0 on 4 padding positions")
    expect_drawn(page, "padding-map", masked.weights[6], axis="z")
    assert (masked.weights[..., -4:] == 0).all()
    field = page.get_by_label("English sentence")
    field.fill("cat " * 60)
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Shorten it.", timeout=PATIENCE)
    field.fill("A *dog* <b>barks</b>")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(chart(page, "padding-map")).to_contain_text("<")  # as text: a tag would not be seen


def test_the_causal_mask(page: Page, app_url: str) -> None:
    open_section(page, app_url, "masks", mask="Causal")
    expect_said(page, "Token 6, “mat”, becomes “boat”. With the mask 2 of 7 outputs move, 0 of them before that token.")
    expect_drawn(page, "causal-map", changed(TEXT, 5, True).weights[3], axis="z")
    toggle(page)
    expect_said(page, "Without the mask 7 of 7 outputs move, 5 of them before that token.")
    expect_drawn(page, "causal-moved", changed(TEXT, 5, False).moved)
    page.get_by_text("In a notebook").click()
    code = page.get_by_test_id("stCode")
    expect(code).to_contain_text("mask = None")
    assert (code.locator("code").text_content() or "").strip() == masking.causal_snippet(TEXT, 5, False).strip()
    page.get_by_role("slider").press("ArrowRight")
    expect_said(page, "7 of 7 outputs move, 6 of them before that token.")
    field = page.get_by_label("English sentence")
    for text, said in (("A dog", "2 of 2 outputs move"), ("Dog", "1 of 1 outputs move")):  # shorter than the choice
        field.fill(text)
        field.press("Enter")
        expect_said(page, said)


def test_limits(page: Page, app_url: str) -> None:
    open_section(page, app_url, "limits")
    for shown, kind, amount in (("Window", "window", 1), ("Top k", "top k", 1), ("Top k", "top k", 2)):
        seen = limited(LONGER, cast(LimitKind, kind), amount, 1, 0)
        page.get_by_role("radio", name=shown).click()
        if amount > 1:
            page.get_by_role("slider").press("ArrowRight")
        expect_said(page, f"keeps {seen.kept} of {seen.pairs} pairs of query and key. It cuts off {seen.lost:.0%}")
        expect_said(page, f"needs {seen.multiplications:,} multiplications for this head instead of 14,400")
        expect_drawn(page, "limits-full", seen.full, axis="z")
        expect_drawn(page, "limits-limited", seen.limited, axis="z")
    expected = [limited(LONGER, "window", reach, 1, 0) for reach in range(9)]
    expect_drawn(page, "limits-lost", [one.lost for one in expected])
    expect_drawn(page, "limits-lost", [one.kept / one.pairs for one in expected], axis="x")


def test_the_cost_is_measured_when_asked_and_ends_when_the_visitor_leaves(page: Page, app_url: str) -> None:
    open_section(page, app_url, "cost")
    record = cost.shipped()
    expect_said(page, f"Measured on {record.machine} with PyTorch {record.torch}")
    count = len(LENGTHS) * len(WAYS)
    for curve, way in enumerate(WAYS):
        ours = [one for one in record.measured if one.way == way]
        expect_drawn(page, f"cost-time-{count}", [one.seconds * 1e3 for one in ours], curve)
        expect_drawn(page, f"cost-memory-{count}", [one.bytes / 1e6 for one in ours], curve)
    page.get_by_role("button", name="Measure on this machine").click()
    expect(page.get_by_text(re.compile(r"^Length \d+ …$"))).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Scale", exact=True).click()
    expect(chart(page, "scale-largest")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Cost", exact=True).click()
    expect_said(page, f"Measured on {record.machine}")  # it was not finished behind the visitor's back
    page.get_by_role("button", name="Measure on this machine").click()
    expect_said(page, f"machine {record.machine} → this one: ")
    times, memory = drawn(page, f"cost-time-{count}"), drawn(page, f"cost-memory-{count}")
    assert [len(curve["y"]) for curve in times] == [len(LENGTHS)] * 4
    assert all(value > 0 for curve in times for value in curve["y"])
    explicit, _, square, linear = (curve["y"] for curve in memory)
    assert explicit[3] == cost.peak_bytes(cost.WAYS[cost.EXPLICIT], *cost.inputs(512)) / 1e6
    assert np.allclose(np.array(square) / square[0], [(n / 64) ** 2 for n in LENGTHS], rtol=1e-12)
    assert np.allclose(np.array(linear) / linear[0], [n / 64 for n in LENGTHS], rtol=1e-12)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
