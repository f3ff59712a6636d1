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

from playwright.sync_api import Browser

from benchmarks._browser import EXPLORER, app, browser, cold_page, copy_of_the_app, seconds_to
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio

PAIRS = 9
INSTEAD = '        st.text(trace.output)\n        panels.chosen_head(trace.cross, "2.1")\n'
WITH = f"{EXPLORER}?.dataset.painted"
WITHOUT = "document.querySelector('[data-testid=stText]')?.textContent.trim()"


def first_paint(launched: Browser, folder: Path, ready: str) -> float:
    """Seconds from opening the address of a fresh server to the paint."""
    with app(cwd=folder) as server, cold_page(launched) as page:
        return seconds_to(page, server.url, ready)


def without_explorer(folder: Path) -> Path:
    """The copy of the app that shows the translation as text."""
    page = copy_of_the_app(folder) / "xattn_viz" / "app" / "reading.py"
    source = page.read_text(encoding="utf-8")
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr))
    shows = [node for node in calls if ast.unparse(node).startswith("explorer.show(")]
    if len(shows) != 1 or shows[0].end_lineno is None:
        raise SystemExit("xattn_viz/app/reading.py does not call explorer.show once: bring this benchmark up to date.")
    lines = source.splitlines(keepends=True)
    lines[shows[0].lineno - 1 : shows[0].end_lineno] = [INSTEAD]
    page.write_text("".join(lines), encoding="utf-8")
    return folder


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
