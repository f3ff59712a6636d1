"""The exported HTML page against BertViz's head view of the same cross-attention: bytes, and time until drawn.

Maps: softmax over random scores, [6 layers, 8 heads, n, n] at n = 40 and 256, flatter and so harder to compress than a
model's own, and one real trace of firefox-en-pt (2 layers, 8 heads). Both pages get the same weights and labels. Ours
is `xv.export.html`, in which every head, its overview, all labels and lines can be seen; BertViz 1.4.1 shows the first
layer. Size is the page's own file; BertViz's three libraries (about 0.4 MB) are not counted, though it cannot do
without them and ours needs nothing.

Drawn: ours when the explorer says that it painted, BertViz when the lines of the first layer stand in its svg, each
plus the painting of that frame. Both open from a file in the same Chromium, a new context each time, in turn; the
libraries lie beside BertViz's page, so it never waits for a network.

To reach: 15 times smaller and 2.5 times sooner at 40 tokens, 25 and 10 times at 256. Queries and keys, which let a
reader recompute each weight, are reported for the real trace.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser

from benchmarks import _bertviz
from benchmarks._browser import EXPLORER, browser, cold_page, seconds_to
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio
from xattn_viz import export
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry

SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
LAYERS, HEADS = 6, 8
#: Tokens, pairs of runs, and how many times smaller and sooner ours is to be.
SIZES = ((40, 11, 15, 2.5), (256, 5, 25, 10))


def random_trace(n: int) -> Trace:
    """Softmax over standard normal scores, `[layer, head, query, key]`; the labels are words of real sentences."""
    scores = np.random.default_rng(n).standard_normal((LAYERS, HEADS, n, n))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    words = SENTENCES.read_text(encoding="utf-8").split()[:n]
    ends = np.cumsum([len(word) + 1 for word in words])
    spans = tuple((int(end) - len(word) - 1, int(end) - 1) for word, end in zip(words, ends, strict=True))
    axis = Axis("text", labels=tuple(words), spans=spans, words=tuple(range(n)), special=(False,) * n)
    maps = AttentionMaps(weights.astype(np.float32), axis, axis, "cross", tuple(range(LAYERS)))
    return Trace((maps,), " ".join(words), " ".join(words))


def real_trace() -> Trace:
    """The longest sentence of the tests, with queries and keys."""
    sentence = max(SENTENCES.read_text(encoding="utf-8").splitlines(), key=len)
    return registry.load("firefox-en-pt").trace(sentence, keep_projections=True)


def drawn(launched: Browser, file: Path, ready: str) -> float:
    """Seconds from opening the file to the drawn page."""
    with cold_page(launched) as page:
        return seconds_to(page, file.as_uri(), ready)


def compare(
    launched: Browser, name: str, trace: Trace, pairs: int, smaller: float | None = None, sooner: float | None = None
) -> None:
    """Print how many times larger and slower BertViz's page of this trace is."""
    theirs, ours = _bertviz.head_view(trace), export.html(trace)
    sizes = len(theirs.encode()), len(ours.encode())
    bytes_said = f"BertViz {sizes[0] / 1e6:.2f} MB, ours {sizes[1] / 1e6:.3f} MB"
    figure(f"{name}, BertViz / ours, bytes", sizes[0] / sizes[1], at_least=smaller, details=bytes_said)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "bertviz.html"), Path(folder, "ours.html")
        _bertviz.write(theirs, files[0])
        files[1].write_text(ours, encoding="utf-8")
        measures = {
            "bertviz": partial(drawn, launched, files[0], _bertviz.DRAWN),
            "ours": partial(drawn, launched, files[1], f"{EXPLORER}?.dataset.painted"),
        }
        interleaved(measures, 1)
        times = interleaved(measures, pairs)
    said = f"{pairs} pairs, medians {milliseconds(times['bertviz'])} and {milliseconds(times['ours'])}"
    ratio = paired_ratio(times["bertviz"], times["ours"])
    figure(f"{name}, BertViz / ours, time to drawn", ratio, at_least=sooner, details=said)


def main() -> None:
    """Measure, and print the figures."""
    _bertviz.install()
    with browser() as launched:
        for n, pairs, smaller, sooner in SIZES:
            compare(launched, f"[{LAYERS}, {HEADS}, {n}, {n}]", random_trace(n), pairs, smaller, sooner)
        real = real_trace()
        shape = list(real.cross.weights.shape)
        plain = replace(real, maps=(replace(real.cross, projections=None),))
        compare(launched, f"firefox-en-pt {shape}", plain, 7)
        compare(launched, f"firefox-en-pt {shape} with queries and keys", real, 7)


if __name__ == "__main__":
    main()
