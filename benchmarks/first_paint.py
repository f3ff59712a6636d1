"""The first map on screen against the same page without the explorer, in a cold browser.

Each run: a fresh server process; once it answers, a browser context that has nothing cached opens the app's address.
Ours ends when the explorer has painted its first map. The peer is a copy of the app that differs in one line of its
page, which writes the translation as text where the explorer stood (the panel and the downloads stay); it ends when
that text is painted. 9 pairs in turn, after one of each that does not count. To reach: at most 1.4.
"""

from __future__ import annotations

import ast
import tempfile
from functools import partial
from pathlib import Path
from typing import TypeGuard

from playwright.sync_api import Browser

from benchmarks._browser import EXPLORER, app, browser, cold_page, copy_of_the_app, seconds_to
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio

PAIRS = 9
CALL = "explorer.show(shown)"
INSTEAD = ("st.text(shown.trace.output)", "panels.chosen_head(shown, page_state.current().view)")
WITH = f"{EXPLORER}?.dataset.painted"
WITHOUT = "document.querySelector('[data-testid=stText]')?.textContent.trim()"


def first_paint(launched: Browser, folder: Path, ready: str) -> float:
    """Seconds from opening the address of a fresh server to the paint."""
    with app(cwd=folder) as server, cold_page(launched) as page:
        return seconds_to(page, server.url, ready)


def without_explorer(folder: Path) -> Path:
    """The copy of the app that shows the translation as text."""
    pages = (copy_of_the_app(folder) / "xattn_viz" / "app").glob("*.py")
    found = [(page, node) for page in pages for node in ast.walk(ast.parse(page.read_text("utf-8"))) if _shows(node)]
    if len(found) != 1:
        raise SystemExit(f"{CALL} stands {len(found)} times in the app, not once: bring this benchmark up to date.")
    ((page, node),) = found
    lines = page.read_text("utf-8").splitlines(keepends=True)
    lines[node.lineno - 1 : node.end_lineno] = [f"{' ' * node.col_offset}{line}\n" for line in INSTEAD]
    page.write_text("".join(lines), encoding="utf-8")
    return folder


def _shows(node: ast.AST) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and ast.unparse(node) == CALL


def main() -> None:
    """Measure, and print the figure."""
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as peer, browser() as launched:
        # Ours is a copy too, so that both read their files from the same place.
        folders = copy_of_the_app(Path(ours) / "app"), without_explorer(Path(peer) / "app")
        measures = {
            "with": partial(first_paint, launched, folders[0], WITH),
            "without": partial(first_paint, launched, folders[1], WITHOUT),
        }
        interleaved(measures, 1)
        times = interleaved(measures, PAIRS)
    figure(
        "first map in a cold browser / the page without the explorer",
        paired_ratio(times["with"], times["without"]),
        at_most=1.4,
        details=f"{PAIRS} pairs, medians {milliseconds(times['with'])} and {milliseconds(times['without'])}",
    )


if __name__ == "__main__":
    main()
