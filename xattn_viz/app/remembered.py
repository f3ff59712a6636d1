"""Traces that were made before, shared by all visitors within a bound of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

import streamlit as st

from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace

Traces = tuple[Trace, ...]

REMEMBERED_BYTES = 256_000_000


class Remembered:
    """Traces by what asked for them; the least recently used go first. Safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, Traces] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: Hashable) -> Traces | None:
        """The traces of a request, if they are still here."""
        with self._lock:
            if asked in self._kept:
                self._kept.move_to_end(asked)
            return self._kept.get(asked)

    def put(self, asked: Hashable, traces: Traces) -> None:
        """Keep the traces of a request, and drop the oldest beyond the limit."""
        with self._lock:
            self._kept[asked] = traces
            while len(self._kept) > 1 and sum(map(size, self._kept.values())) > self._limit:
                self._kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def remembered() -> Remembered:
    """The one that this process has."""
    return Remembered(REMEMBERED_BYTES)


def size(traces: Traces) -> int:
    """What traces take, in bytes."""
    return sum(_bytes(maps) for trace in traces for maps in trace.maps)


def _bytes(maps: AttentionMaps) -> int:
    kept = maps.projections
    return maps.weights.nbytes + (kept.queries.nbytes + kept.keys.nbytes if kept else 0)
