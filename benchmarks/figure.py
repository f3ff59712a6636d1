"""How long a figure of 40 tokens takes as PDF: at most 1 s, the second time and from then on.

The first figure of a process loads Typst and the fonts of the machine besides, which is printed apart. A text of
40 tokens on each side, random weights, 8.5 cm wide: what is drawn does not depend on the model.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.export import figures

TOKENS, RUNS, MOST = 40, 7, 1.0


def main() -> int:
    """Print the times. The exit code is 1 where the median is above `MOST` seconds."""
    weights = np.random.default_rng(0).dirichlet(np.full(TOKENS, 0.1), (1, 1, TOKENS)).astype(np.float32)
    axis = Axis("text", labels=tuple(f"token{i}" for i in range(TOKENS)))
    trace = Trace((AttentionMaps(weights, axis, axis, "cross", (0,)),), "a source", "a target")
    seconds = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        made = figures.draw(trace).pdf()
        seconds.append(time.perf_counter() - begin)
    first, *rest = seconds
    median = statistics.median(rest)
    print(f"first figure of a process\t{first:.2f} s")
    print(f"{TOKENS} tokens as PDF\t{median:.2f} s ({min(rest):.2f} to {max(rest):.2f})\tat most {MOST:g} s")
    print(f"size\t{len(made) / 1000:.0f} kB")
    return int(median > MOST)


if __name__ == "__main__":
    sys.exit(main())
