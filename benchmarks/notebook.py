"""What a trace shows in a notebook against BertViz's head view there: bytes, and time until drawn.

Each output stands alone on a page, as nbconvert leaves it, and opens from a file in the same Chromium, a new context
each time, in turn. The traces are those of `benchmarks.export_size`: a real one of 44 tokens, and random maps of 40,
[6 layers, 8 heads, 40, 40]. Ours is a frame without an origin, which holds the saved page; BertViz's libraries lie
beside its page, so it never waits for a network. Drawn is what `benchmarks.export_size` calls so; a frame tells it to
the page around it, whose clock counts.

To reach: at most 150 kB for each, and none drawn later than BertViz.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks import _bertviz
from benchmarks._browser import browser, cold_page
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio
from benchmarks.export_size import drawn, random_trace, real_trace
from xattn_viz.core.trace import Trace

PAIRS, MOST_BYTES = 11, 150_000
# The clock of `benchmarks._browser` is in every frame; the page around counts from its own navigation.
_TOLD = """
if (window === top) {
  window.shown = new Promise((done) =>
    addEventListener("message", ({ data }) => data === "drawn" && done(performance.now())));
} else {
  window.painted(() => document.querySelector(".xv")?.dataset.painted).then(() => top.postMessage("drawn", "*"));
}
"""


def drawn_in_its_frame(launched: Browser, file: Path) -> float:
    """Seconds from opening the file until what is in its frame is drawn."""
    with cold_page(launched, _TOLD) as page:
        page.goto(file.as_uri(), wait_until="commit")
        return float(page.evaluate("() => window.shown")) / 1000


def compare(launched: Browser, name: str, trace: Trace) -> None:
    """Print how large the output of a trace is, and how much later BertViz's is drawn."""
    theirs, ours = _bertviz.head_view(trace), trace._repr_mimebundle_()["text/html"]
    sizes = len(theirs.encode()), len(ours.encode())
    said = f"BertViz {sizes[0] / 1e6:.2f} MB, ours {sizes[1] / 1e3:.0f} kB"
    figure(f"{name} in a notebook, ours / 150 kB", sizes[1] / MOST_BYTES, at_most=1, details=said)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "bertviz.html"), Path(folder, "ours.html")
        _bertviz.write(theirs, files[0])
        files[1].write_text(f"<!doctype html><meta charset=utf-8>{ours}", encoding="utf-8")
        measures = {
            "bertviz": partial(drawn, launched, files[0], _bertviz.DRAWN),
            "ours": partial(drawn_in_its_frame, launched, files[1]),
        }
        interleaved(measures, 1)
        times = interleaved(measures, PAIRS)
    said = f"{PAIRS} pairs, medians {milliseconds(times['bertviz'])} and {milliseconds(times['ours'])}"
    ratio = paired_ratio(times["bertviz"], times["ours"])
    figure(f"{name} in a notebook, BertViz / ours, time to drawn", ratio, at_least=1, details=said)


def main() -> None:
    """Measure, and print the figures."""
    _bertviz.install()
    real, random = real_trace(), random_trace(40)
    real = replace(real, maps=(replace(real.cross, projections=None),))
    with browser() as launched:
        compare(launched, f"firefox-en-pt {list(real.cross.weights.shape)}", real)
        compare(launched, f"random maps {list(random.cross.weights.shape)}", random)


if __name__ == "__main__":
    main()
