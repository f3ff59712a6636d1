"""A small model is trained through the page: it starts, stops, goes on, is replayed and put back to its beginning."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser import translate as visitor

PATIENCE = 60_000

# What each figure draws, as Plotly has decoded it.
_DRAWN = """() => [...document.querySelectorAll(".js-plotly-plot")].map((figure) => ({
    title: figure.layout.title?.text ?? "",
    rows: figure.layout.yaxis.ticktext ?? [],
    columns: figure.layout.xaxis.ticktext ?? [],
    traces: figure._fullData.map((trace, i) => ({
        type: trace.type,
        name: trace.name,
        x: Array.from(trace.x ?? []),
        y: Array.from(trace.y ?? []),
        z: trace.type === "heatmap" ? Array.from(figure.calcdata[i][0].z, (row) => Array.from(row)) : [],
    })),
}))"""


def open_section(page: Page, app_url: str, **said: str) -> None:
    page.goto(f"{app_url}/layer?{urlencode({'section': 'learning', **said})}")
    expect(button(page, "Start")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def stop(page: Page) -> None:
    """Press Stop, and wait until the page shows where it stopped."""
    button(page, "Stop").click()
    expect(button(page, "Resume")).to_be_visible()
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script has ended and Plotly has drawn what it sent."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(400)


def said(page: Page) -> str:
    """The sentence about what is in view."""
    return page.get_by_text(re.compile(r"^Update \d+ of \d+\.")).inner_text()


def update(page: Page) -> int:
    return int(re.findall(r"\d+", said(page))[0])


def wait_for_update(page: Page, least: int) -> None:
    page.wait_for_function(
        r"""(least) => [...document.querySelectorAll("[data-testid=stMarkdown] p")].some(
            (p) => Number(/^Update (\d+) of/.exec(p.textContent)?.[1] ?? -1) >= least)""",
        arg=least,
        timeout=PATIENCE,
    )


def maps(page: Page) -> list[dict[str, Any]]:
    return [figure for figure in page.evaluate(_DRAWN) if figure["traces"][0]["type"] == "heatmap"]


def anti_diagonal(z: list[list[float]]) -> float:
    return sum(row[-1 - i] for i, row in enumerate(z)) / len(z)


def test_reverse_is_learned_stopped_resumed_replayed_and_reset(app_url: str, page: Page) -> None:
    open_section(page, app_url)
    assert update(page) == 0
    (first,) = maps(page)
    assert anti_diagonal(first["traces"][0]["z"]) == pytest.approx(1 / 8, abs=0.05)
    button(page, "Start").click()
    wait_for_update(page, 5)
    stop(page)
    stopped = update(page)
    page.wait_for_timeout(1200)  # more than twice the time between two looks
    assert update(page) == stopped
    button(page, "Resume").click()
    wait_for_update(page, max(90, stopped + 1))
    stop(page)

    share = float(re.findall(r"Weight on the anti-diagonal: (\d\.\d\d)\.", said(page))[0])
    assert share > 0.9
    (learned,) = maps(page)
    z = learned["traces"][0]["z"]
    assert anti_diagonal(z) == pytest.approx(share, abs=0.005 + 1e-6)
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in z)
    assert learned["rows"] == learned["columns"][::-1]
    (loss,) = (figure["traces"][0] for figure in page.evaluate(_DRAWN) if figure["traces"][0]["type"] == "scatter")
    assert loss["x"][0] == 0
    assert loss["x"][-1] == update(page)
    assert loss["y"][-1] < 0.5 < loss["y"][0]

    page.get_by_role("slider").press("Home")
    expect(page.get_by_text(re.compile(r"^Update 0 of 400\."))).to_be_visible()
    settle(page)
    assert maps(page)[0]["traces"][0]["z"] == first["traces"][0]["z"]

    button(page, "Reset").click()
    expect(button(page, "Start")).to_be_visible()
    settle(page)
    assert update(page) == 0
    assert maps(page)[0]["traces"][0]["z"] == first["traces"][0]["z"]


def test_models_stand_beside_each_other(app_url: str, page: Page) -> None:
    open_section(page, app_url, **{"learning-view": "Both orders", "learning-task": "Copy", "learning-layers": "2"})
    button(page, "Start").click()
    wait_for_update(page, 10)
    stop(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    settle(page)
    shares = re.findall(r"(\d\.\d\d) in layer 1, (\d\.\d\d) in layer 2", said(page))
    drawn = [figure["traces"][0]["z"] for figure in maps(page)]
    assert len(drawn) == 4
    diagonals = [sum(row[i] for i, row in enumerate(z)) / len(z) for z in drawn]
    # A column of the page is an order, its rows are the layers.
    said_in_order = [float(share) for layers in shares for share in layers]
    assert diagonals == pytest.approx(said_in_order, abs=0.005 + 1e-6)

    page.get_by_role("radio", name="Beside one fixed vector").click()
    expect(button(page, "Start")).to_be_visible()
    button(page, "Start").click()
    wait_for_update(page, 5)
    stop(page)
    loss, lengths = page.evaluate(_DRAWN)
    assert [len(trace["x"]) for trace in loss["traces"]] == [len(loss["traces"][0]["x"])] * 2
    assert [trace["x"] for trace in lengths["traces"]] == [[4, 8, 12, 16, 20]] * 2
    numbers = re.findall(
        r"Outputs of 20 letters that are right: cross-attention (\S+), one fixed vector (\S+)\.", said(page)
    )
    assert [trace["y"][-1] for trace in lengths["traces"]] == pytest.approx([float(n) for n in numbers[0]], abs=0.005)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_on_a_phone_each_choice_is_whole_and_each_matrix_fits(app_url: str, open_page: Callable[..., Page]) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme="light")
    open_section(page, app_url)
    right_edges = "all => all.map(each => each.getBoundingClientRect().right)"
    choices = page.locator(".st-key-learning-view button")
    expect(choices).to_have_text(["One model", "Beside one fixed vector", "Both orders"])
    assert max(choices.evaluate_all(right_edges)) <= 390
    choices.last.click()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    settle(page)
    assert not visitor.serious(page)
    page.goto(f"{app_url}/layer")
    expect(page.locator(".xv-stepper[data-painted]")).to_be_visible(timeout=PATIENCE)
    assert max(page.locator(".xv-plate").evaluate_all(right_edges)) <= 390
    assert page.locator(".xv-ground").evaluate("ground => ground.scrollWidth <= ground.clientWidth")
    page.goto(f"{app_url}/layer?section=shapes")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    settle(page)
    assert page.locator(".st-key-shapes-place").evaluate("place => place.scrollWidth > place.clientWidth")
    assert not visitor.serious(page)
