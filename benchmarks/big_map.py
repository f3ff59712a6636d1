"""How soon the overview of a large trace is on screen: 16 layers × 16 heads × 512 × 512, already traced.

Two planted traces of that size (random rows that sum to 1, float16, as the app keeps them) lie in the cache of a page
of the app that shows one of them in its explorer and nothing else; a button changes to the other. From the click to
the painting of the frame that holds the other's overview. The peer is an empty rerun of the same page: a click on a
button that changes nothing, until Streamlit says that the script has ended and that frame is painted. In turn. To
reach: at most 2.5.

Reported besides: the same the first time each trace is shown, when nothing of it has been packed for the page yet.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from benchmarks._browser import RESTING, app, browser, cold_page, copy_of_the_app
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio
from benchmarks.interaction import NOTES, RERUN, TRACE, click_to_paint
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.store import save
from xattn_viz.core.trace import Trace

LAYERS, HEADS, TOKENS, PAIRS = 16, 16, 512, 10
PAGE = """
import streamlit as st
from xattn_viz.core.store import load_trace
from xattn_viz.app import explorer, page, page_state, text_page

@st.cache_resource
def traces():
    return [load_trace(f"{number}.npz") for number in range(2)]

page.begin(text_page.KIND)
st.session_state.setdefault("number", 0)
st.session_state.number ^= st.button("Other", key="other")
st.button("Nothing", key="nothing")
trace = traces()[st.session_state.number]
explorer.show(page_state.Shown(page_state.current().query, (trace,), trace, trace))
"""


def planted(seed: int) -> Trace:
    """A trace with random maps, a little sharper than even, as those of a real model are."""
    generator = np.random.default_rng(seed)
    weights = np.empty((LAYERS, HEADS, TOKENS, TOKENS), np.float16)
    for layer in weights:
        layer[:] = generator.dirichlet(np.full(TOKENS, 0.1, np.float32), (HEADS, TOKENS))
    source, output = (" ".join(f"{word}{i}" for i in range(TOKENS)) for word in ("in", f"out{seed}x"))
    return Trace((AttentionMaps(weights, _axis(output), _axis(source), "cross", tuple(range(LAYERS))),), source, output)


def _axis(text: str) -> Axis:
    words = text.split(" ")
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    spans = tuple((int(end) - len(word), int(end)) for word, end in zip(words, ends, strict=True))
    return Axis("text", labels=tuple(words), spans=spans, words=tuple(range(len(words))), special=(False,) * len(words))


def serve_and_measure(folder: Path) -> None:
    """Print the figures of the page in that folder."""
    with app(cwd=folder) as server, browser() as launched, cold_page(launched, NOTES) as page:
        page.goto(server.url)
        page.locator(".xv[data-painted]").wait_for(timeout=300_000)
        page.wait_for_function(f"() => {RESTING}")
        first = [click(page, "other", TRACE) for _ in range(2)]
        measures = {"trace": lambda: click(page, "other", TRACE), "empty": lambda: click(page, "nothing", RERUN)}
        interleaved(measures, 2)
        times = interleaved(measures, PAIRS)
    said = f"{PAIRS} pairs, medians {milliseconds(times['trace'])} and {milliseconds(times['empty'])}; "
    said += "the first time " + " and ".join(f"{value * 1000:.0f} ms" for value in first)
    ratio = paired_ratio(times["trace"], times["empty"])
    figure("click to painted overview of a cached large trace / an empty rerun", ratio, at_most=2.5, details=said)


def click(page: Page, key: str, ready: str) -> float:
    """Seconds from a click on the button of that key until `ready` is painted."""
    return click_to_paint(page, f".st-key-{key} button", ready)


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = copy_of_the_app(Path(name))
        (folder / "pages" / "translate.py").write_text(PAGE, encoding="utf-8")
        for number in range(2):
            save(planted(number), folder / f"{number}.npz")
        serve_and_measure(folder)


if __name__ == "__main__":
    main()
