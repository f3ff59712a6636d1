"""The two sentences: tints, lines, marks, and what is selected in words, against what Python computes."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.explorer.conftest import PACKED, PRINTED, Explorer, weights_of, written
from xattn_viz.core.tokens import visible

FAINTEST = 0.03  # of the lines of the token in focus


@pytest.fixture
def explorer(same_explorer: Explorer) -> Explorer:
    """Shared: a test that presses a switch opens one of its own."""
    return same_explorer


def test_hovering_an_output_token_tints_the_source(explorer: Explorer) -> None:
    for view in ("2.3", "mean"):
        explorer.choose(view)
        weights = weights_of(explorer.maps, view)
        for row in (0, len(weights) - 2):
            explorer.token("output", row).hover()
            expect(explorer.root).to_have_attribute("data-row", str(row))
            top = float(weights.max())
            np.testing.assert_allclose(explorer.tints("source"), weights[row] / top, atol=(PACKED + 0.0005) / top)
            assert not explorer.tints("output").any()
            tinted = explorer.token("source", int(weights[row].argmax()))
            assert tinted.evaluate("token => getComputedStyle(token).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_hovering_a_source_token_tints_the_output(explorer: Explorer) -> None:
    explorer.choose("2.3")
    weights = weights_of(explorer.maps, "2.3")
    for column in (0, 2):
        explorer.token("source", column).hover()
        expect(explorer.root).to_have_attribute("data-column", str(column))
        top = float(weights.max())
        np.testing.assert_allclose(explorer.tints("output"), weights[:, column] / top, atol=(PACKED + 0.0005) / top)
        assert not explorer.tints("source").any()


def test_lines_follow_the_hovered_token(explorer: Explorer) -> None:
    explorer.choose("2.2")
    weights = weights_of(explorer.maps, "2.2")
    lines = explorer.page.locator(".xv-lines path")
    for side, index, drawn in (("output", 1, weights[1]), ("source", 3, weights[:, 3])):
        explorer.token(side, index).hover()
        expect(explorer.page.locator(f".xv-{'row' if side == 'output' else 'column'}s .xv-focus")).to_have_count(1)
        fewest, most = (int((drawn >= FAINTEST + slack).sum()) for slack in (PACKED, -PACKED))
        assert fewest <= lines.count() <= most
        assert lines.count() == explorer.page.locator(".xv-line-focus").count()
    # The strongest line of a row begins under its source token and ends above its output token.
    explorer.token("output", 1).hover()
    expect(explorer.root).to_have_attribute("data-row", "1")
    ends = explorer.page.locator(".xv-lines").evaluate(
        """svg => {
          const path = [...svg.querySelectorAll('path')].sort((a, b) =>
            b.getAttribute('stroke-width') - a.getAttribute('stroke-width'))[0];
          const box = svg.parentElement.getBoundingClientRect(), length = path.getTotalLength();
          return [0, length].map(at => {
            const point = path.getPointAtLength(at);
            return [point.x + box.left, point.y + box.top];
          });
        }"""
    )
    for (x, y), token, edge in (
        (ends[0], explorer.token("source", int(weights[1].argmax())), "bottom"),
        (ends[1], explorer.token("output", 1), "top"),
    ):
        box = token.bounding_box()
        assert box is not None
        assert abs(x - (box["x"] + box["width"] / 2)) < 3
        assert abs(y - (box["y"] + (box["height"] if edge == "bottom" else 0))) < 3


def test_all_lines_above_a_threshold_on_demand(open_explorer: Callable[..., Explorer]) -> None:
    explorer = open_explorer()
    explorer.choose("1.1")
    weights = weights_of(explorer.maps, "1.1")
    lines = explorer.page.locator(".xv-lines path")
    few = lines.count()
    threshold = explorer.page.get_by_label("Lines above this weight")
    for value in (0.3, 0.1):
        threshold.fill(str(value))
        expect(explorer.page.locator(".xv-threshold")).to_have_text(f"{value:.2f}")
        assert explorer.page.get_by_label("All lines above").is_checked()
        least, most = (_lines(weights, value, slack) for slack in (PACKED, -PACKED))
        assert least <= lines.count() <= most
    assert lines.count() > few
    explorer.page.get_by_label("All lines above").uncheck()
    expect(lines).to_have_count(few)


def _lines(weights: np.ndarray, threshold: float, slack: float) -> int:
    """Those above the threshold, and those of the chosen row: the first."""
    wanted = weights >= threshold + slack
    wanted[0] |= weights[0] >= FAINTEST + slack
    return int(wanted.sum())


def test_what_is_selected_is_read_out(explorer: Explorer) -> None:
    """The exact sentence for every row, its numbers apart, which may be off by their rounding."""
    explorer.choose("2.3")
    weights = weights_of(explorer.maps, "2.3")
    queries = [visible(explorer.maps.queries.name(i)) for i in range(len(explorer.maps.queries))]
    keys = [visible(explorer.maps.keys.name(i)) for i in range(len(explorer.maps.keys))]
    compared = 0
    for row, label in enumerate(queries):
        order = np.argsort(-weights[row], kind="stable")
        first, second, third = weights[row][order[:3]]
        parked = float(weights[row][explorer.maps.keys.is_special].sum())
        p = float(np.exp(explorer.trace.steps[row].log_prob))
        near = (first - second, second - third, second - 0.05, parked - 0.5, p - 0.5)
        if min(map(abs, near)) < 2 * PACKED:
            continue  # which of two comes first, or on which side of a limit it lies, is then a matter of rounding
        said = [f"Predicting {label}, this head put {first:.2f} on {keys[order[0]]}"]
        if second >= 0.05:
            said.append(f", {second:.2f} on {keys[order[1]]}")
        said.append(".")
        if parked >= 0.5:
            said.append(f" {parked:.2f} merely rests on special tokens: it says little about the sentence.")
        if p < 0.5:
            said.append(f" The model was unsure of this token: p = {p:.2f}.")
        explorer.token("output", row).click()
        expect(explorer.root).to_have_attribute("data-row", str(row))
        _same_sentence(explorer.said(), "".join(said))
        compared += 1
    assert compared >= 4
    explorer.choose("2.mean")
    assert ", the layer 2, mean over heads is " in explorer.said()


def test_the_source_reads_out_who_read_it(explorer: Explorer) -> None:
    explorer.choose("2.3")
    weights = weights_of(explorer.maps, "2.3")
    for column in range(len(explorer.maps.keys)):
        explorer.token("source", column).hover()
        expect(explorer.root).to_have_attribute("data-column", str(column))
        key, most = visible(explorer.maps.keys.name(column)), float(weights[:, column].max())
        reader = visible(explorer.maps.queries.name(int(weights[:, column].argmax())))
        if most < 0.1 - PACKED:
            assert explorer.said() == f"No token attends to {key} here: no row puts 0.10 or more on it."
        elif np.sort(weights[:, column])[-2] < most - 2 * PACKED and most > 0.1 + PACKED:
            _same_sentence(explorer.said(), f"{key} was read most when predicting {reader}: {most:.2f}.")


def _same_sentence(said: str, wanted: str) -> None:
    number = re.compile(r"\d\.\d\d")
    assert number.sub("#", said) == number.sub("#", wanted)
    np.testing.assert_allclose(
        [float(n) for n in number.findall(said)], [float(n) for n in number.findall(wanted)], atol=2 * PRINTED
    )


def test_unsure_unattended_and_resting_tokens_are_marked(explorer: Explorer) -> None:
    """What lies within rounding of a limit may be marked or not; the rest must agree."""
    special = explorer.maps.keys.is_special
    for view in ("2.3", "1.1", "1.mean"):
        explorer.choose(view)
        weights = weights_of(explorer.maps, view)
        p = np.exp([step.log_prob for step in explorer.trace.steps])
        parked = weights[:, special].sum(-1)
        maxima = np.where(special, 1, weights.max(0))
        for side, mark, values, limit, below in (
            ("output", "unsure", p, 0.5, True),
            ("output", "parked", parked, 0.5, False),
            ("source", "unattended", maxima, 0.1, True),
        ):
            marked = np.array(explorer.marked(side, mark))
            wanted = values < limit if below else values >= limit
            clear = np.abs(values - limit) > 2 * PACKED
            assert (marked == wanted)[clear].all(), (view, mark)


def test_labels_are_text_everywhere(open_explorer: Callable[..., Explorer]) -> None:
    """No token became markup: not in the sentences, the map, the steps, the check or the table."""
    explorer = open_explorer()
    explorer.choose("2.3")
    explorer.click_cell(1, 1)
    explorer.table()
    assert explorer.page.locator(".xv :is(b, u, i, img, script, a)").count() == 0
    trace = explorer.trace
    for side, axis, own in (
        ("source", explorer.maps.keys, trace.input),
        ("output", explorer.maps.queries, trace.output),
    ):
        labels = [visible(axis.name(i)) for i in range(len(axis))]
        expect(explorer.tokens(side)).to_have_text(written(axis, own))
        names = {"source": "column", "output": "row"}[side]
        expect(explorer.page.locator(f'[aria-label="Chosen map"] .xv-{names}-labels .xv-label')).to_have_text(labels)
    text = explorer.page.locator(".xv-columns").evaluate("box => box.textContent")
    assert text.replace("</s>", "").strip() == str(trace.input)
