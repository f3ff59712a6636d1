"""Words that an alignment links, framed on the chosen map and in the files that are saved of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser.explorer.harness import open_harness, show
from tests.browser.explorer.planted import planted
from tests.browser.explorer.test_saving import saved, texts_of
from xattn_viz.core.evidence import Alignment, AlignmentHead, AlignmentLink, Word
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.export.shown import shown
from xattn_viz.plots.svg import LINKED
from xattn_viz.web.explorer import pack


def linked() -> Trace:
    """The planted trace with "cats" linked to "gatos", and the cat to what sleeps."""
    trace = planted()
    source = tuple(Word(text, (at, at + len(text))) for text, at in _found(str(trace.input), ("<b>", "cats", "🐈")))
    target = tuple(Word(text, (at, at + len(text))) for text, at in _found(trace.output, ("Os", "gatos", "*dormem*")))
    links = (AlignmentLink(1, 1, 0.75), AlignmentLink(2, 2, 0.5))
    heads = (AlignmentHead(1, 2),)
    return trace.with_evidence(Alignment(source, target, links, np.eye(3) / 2, heads, (), "given", "threshold", 0.37))


def _found(text: str, words: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(word, text.index(word)) for word in words]


def framed(page: Page) -> set[tuple[int, int]]:
    """The cells of the chosen map in whose upper edge the colour of a frame stands."""
    found = (
        page.get_by_label("Chosen map", exact=True)
        .locator(".xv-cells")
        .evaluate(
            """(canvas, ink) => {
          const stage = canvas.closest(".xv-stage");
          const [wide, high] = [Number(stage.dataset.cellWidth), Number(stage.dataset.cellHeight)];
          const ratio = canvas.width / canvas.clientWidth;
          const context = canvas.getContext("2d");
          const cells = [];
          for (let row = 0; (row + 0.5) * high < canvas.clientHeight; row++)
            for (let column = 0; (column + 0.5) * wide < canvas.clientWidth; column++) {
              const x = Math.round((column + 0.3) * wide * ratio);
              const edge = context.getImageData(x, Math.round(row * high * ratio), 1, Math.ceil(5 * ratio)).data;
              for (let at = 0; at < edge.length; at += 4)
                if (ink.every((value, i) => Math.abs(edge[at + i] - value) < 24)) { cells.push([row, column]); break; }
            }
          return cells;
        }""",
            [int(LINKED[at : at + 2], 16) for at in (1, 3, 5)],
        )
    )
    return {(row, column) for row, column in found}


def test_linked_words_are_framed_and_said_wherever_the_map_is(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_harness(open_page(viewport={"width": 1280, "height": 800}), tmp_path)
    trace = linked()
    show(page, pack(trace, select={"head": "2.3"}))
    page.locator(".xv-cells").first.wait_for()
    for press, view in (
        ("Pieces", View(layer=1, head=2, query=0)),
        ("Words", View(layer=1, head=2, units="words", query=0)),
        ("Read", View(layer=1, head=2, units="words", rows="input", query=0)),
    ):
        page.get_by_role("button", name=press, exact=True).click()
        wanted = shown(trace, view)
        assert wanted.linked, view
        assert framed(page) == set(wanted.linked), view
    expect(page.locator(".xv-legend")).to_contain_text("linked words")

    file = saved(page, "SVG", tmp_path)
    assert file.read_text(encoding="utf-8").count(LINKED) == len(wanted.linked)
    said = " ".join(texts_of(file))
    assert "In a frame: words that are linked, by head 2.3." in said

    page.get_by_label("Linked words").uncheck()
    assert framed(page) == set()
    expect(page.locator(".xv-legend")).not_to_contain_text("linked words")
    show(page, pack(planted(), select={"head": "2.3"}))  # of other words nothing is known
    expect(page.get_by_label("Linked words")).to_be_hidden()
