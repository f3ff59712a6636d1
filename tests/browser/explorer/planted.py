"""A trace whose every weight is planted, together with the queries and keys that give exactly these weights."""

from __future__ import annotations

import math

import numpy as np

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, Projections
from xattn_viz.core.trace import Alternative, Step, Trace

#: Labels that must be shown as they are: tags, the end of a script, a formula, right-to-left letters, an emoji.
SOURCE = ("<b>", "ca", "ts", "$x$", "שלום", "🐈", "</script>")
SOURCE_TEXT = "<b> cats $x$ שלום 🐈 </script>"
OUTPUT = ("Os", "gat", "os", "*dormem*", ".")
OUTPUT_TEXT = "Os gatos *dormem*."
CHOSEN = (0.9, 0.35, 0.8, 0.6, 0.99, 0.97)


def planted() -> Trace:
    """Two layers of three heads. The head shown first (layer 2, head 3) is known cell by cell, the others are drawn."""
    keys = _axis(SOURCE, SOURCE_TEXT, (0, 1, 1, 2, 3, 4, 5))
    queries = _axis(OUTPUT, OUTPUT_TEXT, (0, 1, 1, 2, 3))
    read = Axis(
        "text",
        labels=("<s>", *OUTPUT),
        spans=((0, 0), *(queries.spans or ())[:-1]),
        words=(0, 1, 2, 2, 3, 4),
        special=(True,) + (False,) * 5,
    )
    wanted = np.random.default_rng(7).dirichlet(np.full(8, 0.5), (2, 3, 6)) + 1e-6
    wanted[1, 2] = [
        [0.83, 0.02, 0.02, 0.02, 0.01, 0.05, 0.02, 0.03],
        [0.02, 0.51, 0.32, 0.02, 0.01, 0.05, 0.04, 0.03],
        [0.02, 0.21, 0.62, 0.02, 0.01, 0.05, 0.04, 0.03],
        [0.02, 0.02, 0.02, 0.71, 0.01, 0.11, 0.08, 0.03],
        [0.02, 0.02, 0.02, 0.02, 0.01, 0.01, 0.02, 0.88],  # rests on </s>
        [0.02, 0.02, 0.02, 0.02, 0.01, 0.26, 0.62, 0.03],
    ]
    wanted /= wanted.sum(-1, keepdims=True)
    # Keys that are unit vectors make each query's components its scores: the weights then are whatever is wanted.
    d_k = wanted.shape[-1]
    q = (np.log(wanted) * math.sqrt(d_k)).astype(np.float32)
    k = np.broadcast_to(np.eye(d_k, dtype=np.float32), (2, 3, d_k, d_k)).copy()
    maps = AttentionMaps(
        wanted.astype(np.float32),
        queries,
        keys,
        "cross",
        (0, 1),
        read=read,
        projections=Projections(q, k, 1 / math.sqrt(d_k)),
    )
    steps = tuple(_step(i, label, p) for i, (label, p) in enumerate(zip((*OUTPUT, "</s>"), CHOSEN, strict=True)))
    return Trace((maps,), SOURCE_TEXT, OUTPUT_TEXT, steps=steps, provenance={"model": "<i>planted</i>"})


def _axis(labels: tuple[str, ...], text: str, words: tuple[int, ...]) -> Axis:
    spans, end = [], 0
    for label in labels:
        start = text.index(label, end)
        end = start + len(label)
        spans.append((start, end))
    return Axis(
        "text",
        labels=(*labels, "</s>"),
        spans=(*spans, (len(text), len(text))),
        words=(*words, words[-1] + 1),
        special=(False,) * len(labels) + (True,),
    )


def _step(number: int, label: str, p: float) -> Step:
    others = (Alternative(label, number, math.log(p)), Alternative("<u>other</u>", 90, math.log((1 - p) / 2)))
    return Step(label, number, math.log(p), others)
