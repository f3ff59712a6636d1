"""Traces packed for the explorer, shared by all visitors: packing a large one takes longer than sending it."""

from __future__ import annotations

import json
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from xattn_viz.core.trace import Trace
from xattn_viz.web import explorer
from xattn_viz.web.explorer.sound import Playback

PACKED_BYTES = 128_000_000

_Kept = tuple[tuple[weakref.ref[Trace], ...], bytes, str]
_kept: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()  # the least recently used first
_guard = threading.Lock()


def packed(
    trace: Trace,
    beside: Trace | None,
    options: Mapping[str, Any],
    playback: tuple[str, Callable[[], Playback]] | None = None,
) -> tuple[bytes, str]:
    """The payload of a trace and its identity; `options` are the other arguments of `explorer.pack`, as JSON values.

    `playback` is a name for the sound to play, and what makes it where it is not packed yet.
    The very same bytes come back for the very same traces, so that they are not sent again.
    """
    shown = (trace,) if beside is None else (trace, beside)
    key = (*map(id, shown), json.dumps(options, sort_keys=True), playback and playback[0])
    with _guard:
        kept = _kept.get(key)
        if kept is not None and all(ref() is one for ref, one in zip(kept[0], shown, strict=True)):
            _kept.move_to_end(key)
            return kept[1:]
    sound = playback[1]() if playback else None
    data, identity = explorer.pack(trace, beside=beside, playback=sound, **options), explorer.identity(trace)
    with _guard:
        _kept[key] = (tuple(map(weakref.ref, shown)), data, identity)
        while len(_kept) > 1 and sum(len(one) for _, one, _ in _kept.values()) > PACKED_BYTES:
            _kept.popitem(last=False)
    return data, identity
