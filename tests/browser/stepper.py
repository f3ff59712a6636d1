"""What the section "Step by step" shows, read off the page, and what it should show."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from xattn_viz.lessons.steps import Setting, Steps, steps

INPUTS = ("x", "context", "w_q", "w_k", "w_v", "w_o")
PATIENCE = 60_000
NUMBER = r"−?(?:∞|\d+(?:\.\d+)?(?:e−?\d+)?)"


def open_section(page: Page, url: str, said: str = "") -> None:
    """Open the section, and wait until it has painted and the server has answered."""
    page.goto(f"{url}/layer?section=steps{said}")
    page.locator(".xv[data-painted]").wait_for(timeout=PATIENCE)
    agreed(page)


def agreed(page: Page) -> float:
    """Wait for what the server says of the numbers in view: the largest difference."""
    found = page.get_by_text("CrossAttention on the server gives the same", exact=False)
    expect(found).to_be_visible(timeout=PATIENCE)
    text = found.inner_text().split("difference ")[1]
    if text == "0":
        return 0.0
    digits, exponent = text.split("·10")
    return float(digits) * 10.0 ** int(exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))


def cell(page: Page, plate: str, row: int, column: int) -> Locator:
    """One cell of a matrix."""
    return page.locator(f'[data-plate="{plate}"] tbody tr').nth(row).locator("td").nth(column)


def all_texts(page: Page) -> dict[str, list[list[str]]]:
    """The numbers of every matrix as they are written."""
    read: dict[str, list[list[str]]] = page.locator(".xv").evaluate(
        """root => Object.fromEntries([...root.querySelectorAll('figure')].map(plate => [plate.dataset.plate,
          [...plate.querySelectorAll('tbody tr')].map(row =>
            [...row.querySelectorAll('td')].map(cell => cell.textContent))]))"""
    )
    return read


def texts(page: Page, plate: str) -> list[list[str]]:
    """The numbers of a matrix as they are written."""
    return all_texts(page)[plate]


def number(text: str) -> float:
    """A written number."""
    return float(text.replace("−", "-").replace("∞", "inf"))


def half_a_digit(text: str) -> float:
    """How far a written number may be from what it stands for: half of its last digit."""
    if "e" in text:
        return float(0.5001 * 10.0 ** int(text.split("e")[1].replace("−", "-")))
    return float(0.5001 * 10.0 ** -len(text.partition(".")[2]))


def matrices(setting: Setting, shown: Steps, head: int) -> dict[str, NDArray[np.float64]]:
    """What each matrix of the page should hold when a head is shown."""
    part = slice(head * setting.d_k, (head + 1) * setting.d_k)
    of_head = {name: getattr(shown, name)[head] for name in ("q", "k", "v", "scores", "scaled", "masked", "weights")}
    weights = {name: getattr(setting, name)[:, part] for name in ("w_q", "w_k", "w_v")}
    joined = np.concatenate(list(shown.heads), axis=1)
    whole = {"x": setting.x, "context": setting.context, "w_o": setting.w_o, "heads": joined, "output": shown.output}
    return {**of_head, **weights, **whole}


def hold(page: Page, setting: Setting, head: int = 0) -> None:
    """Hold every number in view against the layer."""
    every = all_texts(page)
    wanted_of = matrices(setting, steps(setting), head)
    assert set(every) == set(wanted_of)
    for name, values in wanted_of.items():
        written = every[name]
        assert (len(written), len(written[0])) == values.shape, name
        for row, wanted in zip(written, values, strict=True):
            for text, value in zip(row, wanted.tolist(), strict=True):
                if math.isinf(value):
                    assert text == "−∞", name
                else:
                    assert abs(number(text) - value) <= half_a_digit(text), f"{name}: {text} for {value}"


def hold_arithmetic(page: Page, plate: str, row: int, column: int) -> None:
    """Hold the arithmetic of the chosen cell: its result is the cell's, and its left side comes to that.

    Every written number is off by half a digit at most; what that does to a sum of products or to a softmax is the
    tolerance.
    """
    left, _, result = page.locator(".xv-sum").inner_text().rpartition(" = ")
    assert result == cell(page, plate, row, column).inner_text()
    if not left:
        return
    value, slack = _value(left)
    assert abs(value - number(result)) <= slack + half_a_digit(result), f"{plate}: {left} = {result}"


def _value(left: str) -> tuple[float, float]:
    """What the left side of an arithmetic comes to, and by how much its roundings may move that."""
    if left.startswith("e^"):
        above, below = left.split(" ÷ ")
        scores = [number(text) for text in re.findall(rf"e\^({NUMBER})", below)]
        top = max(scores)
        powers = [math.exp(score - top) for score in scores]
        share = math.exp(number(above.removeprefix("e^")) - top) / sum(powers)
        slack = 2 * max(half_a_digit(text) for text in re.findall(rf"e\^({NUMBER})", left))
        return share, min(1.0, math.expm1(slack)) * max(share * (1 - share), 0.0) + 1e-9
    if "√" in left:
        score, width = left.split(" ÷ √")
        return number(score) / math.sqrt(float(width)), half_a_digit(score)
    terms = [term.split("·") for term in left.split(" + ")]
    value = sum(math.prod(number(factor) for factor in term) for term in terms)
    return value, sum(_slack(term) for term in terms)


def _slack(term: list[str]) -> float:
    if len(term) == 1:
        return half_a_digit(term[0])
    (a, b), (da, db) = (abs(number(text)) for text in term), (half_a_digit(text) for text in term)
    return a * db + b * da + da * db
