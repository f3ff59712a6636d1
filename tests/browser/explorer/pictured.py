"""Planted traces over pictures: each word looks at a known patch, and a prompt's words are read by known patches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.shapes import Scene, Thing, draw

CAPTION = ("a", "red", "circle", "above", "a", "blue", "square")
#: Row and column of the patch that holds most of each word's weight inside the picture, in the head shown first.
PEAKS = ((7, 0), (1, 2), (2, 2), (4, 4), (7, 7), (5, 5), (6, 5))
#: What each word of the caption, and `</s>` behind them, puts on [CLS].
ON_CLS = (0.6, 0.1, 0.05, 0.3, 0.5, 0.1, 0.05, 0.9)
GRID = (8, 8)
SCENE = Scene((Thing("red", "circle", 0.3, 0.25, 0.17), Thing("blue", "square", 0.68, 0.75, 0.17)))

PROMPT = ("<start>", "a", "red", "circle", "<end>")
STEPS = 4


def bump(peak: tuple[int, int], grid: tuple[int, int], width: float) -> NDArray[np.float64]:
    """Weights `[patch]` that sum to 1 and fall off around one patch."""
    rows, columns = np.indices(grid)
    weights = np.exp(-((rows - peak[0]) ** 2 + (columns - peak[1]) ** 2) / (2 * width**2)) + 1e-3
    shares: NDArray[np.float64] = (weights / weights.sum()).ravel()
    return shares


def captioned() -> Trace:
    """A captioner's trace of two layers of two heads; layer 2, head 1 is planted, the others look elsewhere."""
    chance = np.random.default_rng(5)
    weights = chance.dirichlet(np.full(65, 0.3), (2, 2, 8))
    for row, cls in enumerate(ON_CLS):
        peak = PEAKS[row] if row < len(PEAKS) else (0, 0)
        weights[1, 0, row] = [cls, *(1 - cls) * bump(peak, GRID, 0.8)]
    text = " ".join(CAPTION)
    starts = np.cumsum([0, *(len(word) + 1 for word in CAPTION[:-1])])
    spans = tuple((int(start), int(start) + len(word)) for start, word in zip(starts, CAPTION, strict=True))
    queries = Axis(
        "text",
        labels=(*CAPTION, "</s>"),
        spans=(*spans, (len(text), len(text))),
        words=tuple(range(8)),
        special=(False,) * 7 + (True,),
    )
    keys = Axis.picture(*GRID, special=("[CLS]",))
    maps = AttentionMaps((weights / weights.sum(-1, keepdims=True)).astype(np.float32), queries, keys, "cross", (0, 1))
    own = chance.dirichlet(np.full(65, 0.3), (1, 2, 65))
    own[0, 0] = 0.2 * own[0, 0]
    own[0, 0, np.arange(1, 65), 1 + (np.arange(64) + 9) % 64] += 0.8  # each patch reads the one right below it
    own[0, 0, 0, 0] += 0.8
    encoder = AttentionMaps(own.astype(np.float32), keys, keys, "encoder", (0,))
    return Trace((maps, encoder), draw(SCENE, 96), text)


def drawn() -> Trace:
    """A diffusion trace of four steps: from step to step, the patches that read "circle" move one to the right."""
    chance = np.random.default_rng(6)
    grid = (8, 8)
    words = len(PROMPT)
    spans = ((0, 0), (0, 1), (2, 5), (6, 12), (12, 12))
    keys = Axis("text", labels=PROMPT, spans=spans, words=(0, 1, 2, 3, 4), special=(True, False, False, False, True))
    queries = Axis.picture(*grid)
    steps = []
    for step in range(STEPS):
        weights = chance.dirichlet(np.full(words, 2.0), (2, 2, 64))
        read = bump((3, 2 + step), grid, 1.0)
        weights[1, 0] = (1 - 0.8 * read / read.max())[:, None] * np.array([0.5, 0.2, 0.2, 0.0, 0.1])
        weights[1, 0, :, 3] = 0.8 * read / read.max()
        steps.append(weights)
    whole = np.mean(steps, axis=0)
    maps = [AttentionMaps(whole.astype(np.float32), queries, keys, "cross", (0, 1), altered=("aggregated",))]
    maps += [
        AttentionMaps(weights.astype(np.float32), queries, keys, "cross", (0, 1), step=step)
        for step, weights in enumerate(steps)
    ]
    finished = draw(Scene((Thing("red", "circle", 0.5, 0.45, 0.2),)), 48)
    noise = chance.integers(0, 256, finished.shape)
    shares = np.linspace(0.25, 1, STEPS)
    pictures = tuple((share * finished + (1 - share) * noise).astype(np.uint8) for share in shares)
    return Trace(tuple(maps), "a red circle", "", pictures=pictures)


def moved(trace: Trace, rows: bool) -> Trace:
    """The same with the patches in the opposite order, so that each word looks, or is read, elsewhere."""
    maps = trace.cross
    weights = maps.weights.copy()
    weights = weights[:, :, ::-1] if rows else np.concatenate([weights[..., :1], weights[..., :0:-1]], -1)
    others = tuple(replace(one, weights=weights) if one is maps else one for one in trace.maps)
    read = trace.input if isinstance(trace.input, str) else 255 - np.asarray(trace.input)
    return replace(trace, maps=others, input=read, pictures=tuple(255 - one for one in trace.pictures))
