from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Dialog, Page, expect

from xattn_viz import export, plots
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Alignment, AlignmentLink, Deletion, DeletionCurve, Word
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View

# Nothing of this may act: not as markup, not as a formula, not as a change of direction.
WORDS = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "$x^2$", "\u202egato", "**fat**", "</s>")


def made(seed: int = 0) -> Trace:
    spans, end = [], 0
    for word in WORDS:
        spans.append((end, end + len(word)))
        end += len(word) + 1
    axis = Axis("text", labels=WORDS, spans=tuple(spans), words=tuple(range(6)), special=(False,) * 5 + (True,))
    weights = np.random.default_rng(seed).dirichlet(np.full(6, 0.4), (2, 3, 6)).astype(np.float32)
    text = " ".join(WORDS)
    return Trace((AttentionMaps(weights, axis, axis, "cross", (0, 1)),), text, text, provenance={"model": WORDS[0]})


def measured() -> Trace:
    """The same with words linked, and curves of deletion with names that must stay text."""
    words = tuple(Word(word, None) for word in WORDS[:3])
    links = (AlignmentLink(0, 1, 0.75), AlignmentLink(2, 2, 0.5))
    found = Alignment(words, words, links, np.eye(3) / 2, (), (), "given", "threshold", 0.37)
    curves = tuple(
        DeletionCurve(name, (0, 1), np.array([0.0, 0.5, 1.0]), np.array([-0.5, low, -4.0]))
        for name, low in ((WORDS[1], -3.0), ("random 1", -1.0))
    )
    return made().with_evidence(found, Deletion(curves[:1], curves[1:], ((0,), (1,))))


def literal(label: str) -> str:
    return label.replace("\u202e", "\\u202e")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_exported_page_shows_its_tokens_literally_and_asks_nobody(
    open_page: Callable[..., Page], tmp_path: Path, scheme: str
) -> None:
    """The fixture fails the test on any foreign request, any script error and anything that the policy stops."""
    file = tmp_path / "page.html"
    file.write_text(export.html(measured(), View(layer=1, head=2)), encoding="utf-8")
    page = open_page(color_scheme=scheme)
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(file.as_uri())
    page.locator(".xv-cells").first.wait_for()
    shown = page.locator("main .xv").inner_text()
    for word in WORDS:
        assert literal(word) in shown, word
    assert not dialogs
    assert page.locator(".xv img, .xv script").count() == 0
    assert page.locator(".xv-links path").count() == 2
    assert page.locator(".xv-curves .xv-point").count() == 1 + 3  # one in the legend, and one at each point
    expect(page.locator(".xv-curve-name").first).to_contain_text(WORDS[1])
    curves = page.locator(".xv-curves svg[role=img]").bounding_box()
    assert curves is not None
    assert curves["width"] > 600
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == {"dark": "rgb(14, 15, 19)", "light": "rgb(251, 250, 247)"}[scheme]
    assert page.evaluate("getComputedStyle(document.querySelector('.xv')).backgroundColor") == ground


def test_everything_on_a_page_without_seldom_parts_can_be_pressed(page: Page, tmp_path: Path) -> None:
    """Without steps, sound, picture, another trace: what was left out is asked for by nothing (no script error)."""
    file = tmp_path / "page.html"
    file.write_text(export.html(made()), encoding="utf-8")
    page.goto(file.as_uri())
    page.locator(".xv-cells").first.wait_for()
    assert "This page was saved without" in page.content()
    pressed = page.evaluate(
        """async () => {
          const all = () => [...document.querySelectorAll(".xv :is(button, summary, input, .xv-text)")];
          let count = 0;
          for (const each of all()) {
            if (!each.checkVisibility() || each.textContent.includes("Talk")) continue;
            for (const type of ["pointerover", "pointermove", "pointerdown", "pointerup"])
              each.dispatchEvent(new PointerEvent(type, { bubbles: true }));
            each.click();
            for (const key of ["ArrowDown", "ArrowRight", " ", "Escape", "p", "."])
              each.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            count++;
            await new Promise(requestAnimationFrame);
          }
          for (const list of document.querySelectorAll(".xv select"))
            for (const option of list.options) {
              list.value = option.value;
              list.dispatchEvent(new Event("change", { bubbles: true }));
            }
          return count;
        }"""
    )
    assert pressed > 30
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.locator(".xv").get_attribute("data-head")


def test_the_policy_stops_what_is_not_the_pages_own(page: Page, tmp_path: Path, watch: Any) -> None:
    file = tmp_path / "page.html"
    text = export.html(made()).replace("<footer>", "<script>document.title = 'owned'</script><footer>")
    file.write_text(text, encoding="utf-8")
    watch.allow("Content Security Policy")
    page.goto(file.as_uri())
    page.locator(".xv-cells").first.wait_for()
    assert page.title() != "owned"


def test_the_theme_follows_the_reader_while_the_page_is_open(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(export.html(made()), encoding="utf-8")
    page.goto(file.as_uri())
    page.locator(".xv[data-theme=dark]").wait_for()
    page.emulate_media(color_scheme="light")
    page.locator(".xv[data-theme=light]").wait_for()


def test_a_plotly_figure_draws_its_labels_literally(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "figure.html"
    plots.heatmap(made().cross).write_html(file, include_plotlyjs=True)
    page.goto(file.as_uri())
    page.locator(".xtick text").first.wait_for()
    for axis in (".xtick", ".ytick"):
        drawn = [(text or "").strip("\u2068\u2069") for text in page.locator(f"{axis} text").all_text_contents()]
        wanted = [literal(word) for word in WORDS]
        assert drawn == [word if len(word) <= 24 else word[:23] + "…" for word in wanted]
    assert page.locator(".main-svg a, .main-svg b, .main-svg img, .main-svg script").count() == 0


def test_a_picture_draws_cells_in_the_colours_of_the_colour_map(page: Page, tmp_path: Path) -> None:
    """A planted weight of 1 and one of 0: what Chromium paints there, against the two ends of the map."""
    weights = np.zeros((1, 1, 2, 2), np.float32)
    weights[0, 0] = np.eye(2)
    axis = Axis("text", labels=("a", "b"))
    picture = export.svg(Trace((AttentionMaps(weights, axis, axis, "cross", (0,)),), "", ""), View(colours="viridis"))
    file = tmp_path / "picture.html"
    file.write_text(f"<!doctype html><body style='margin:0'>{picture}", encoding="utf-8")
    page.goto(file.as_uri())
    box = page.locator("svg g").first.bounding_box()
    assert box is not None
    colours = [
        page.evaluate(
            """([x, y]) => getComputedStyle(document.elementFromPoint(x, y)).fill""",
            [box["x"] + box["width"] * (0.25 + 0.5 * column), box["y"] + box["height"] * (0.25 + 0.5 * row)],
        )
        for row in (0, 1)
        for column in (0, 1)
    ]
    most, least = "rgb(68, 1, 84)", "rgb(253, 231, 37)"  # viridis runs the other way on a light ground
    assert colours == [most, least, least, most]
