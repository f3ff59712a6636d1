"""Planted maps over sound: text by frames, the last of which are padding."""

from __future__ import annotations

import numpy as np

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.inputs.audio import frame_times

START, FRAME = 5.0, 0.02  # seconds
SOUNDING = 8  # frames; those behind are padding


def speech_maps(rows: int = 4, frames: int = 12, sounding: int = SOUNDING, seed: int = 4) -> AttentionMaps:
    """Random cross maps of two layers and three heads."""
    weights = np.random.default_rng(seed).dirichlet(np.ones(frames) * 0.3, (2, 3, rows)).astype(np.float32)
    keys = Axis("audio", times=frame_times(frames, FRAME, START), special=tuple(i >= sounding for i in range(frames)))
    queries = Axis("text", labels=tuple(f"t{i}" for i in range(rows)))
    return AttentionMaps(weights, queries, keys, "cross", (0, 1))


def encoder_maps(frames: int = 12, sounding: int = SOUNDING) -> AttentionMaps:
    """Random self-attention maps between frames."""
    maps = speech_maps(frames, frames, sounding)
    return AttentionMaps(maps.weights, maps.keys, maps.keys, "encoder", maps.layers)
