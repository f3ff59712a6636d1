"""The explorer on a page, with what follows the view: only this runs again when something else is looked at."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import streamlit as st
from cachetools import LRUCache
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.app import actions, page_state
from xattn_viz.app.page_state import NAMES, Shown
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.web import explorer
from xattn_viz.web.explorer.sound import Playback

#: Traces are packed for all visitors, as packing a large one takes longer than sending it. They take so many bytes.
PACKED_BYTES = 128_000_000
#: What is heard with a trace: a name for it, and what makes it.
Sound = tuple[str, Callable[[], Playback]]
_KEY = "explorer"
_guard = threading.Lock()


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_explorer", html='<div class="xv"></div>', css=web.css(), js=web.script()
    )


@st.fragment
def show(shown: Shown) -> None:
    """Show what is on screen, and the panels that follow the view of it."""
    kind = page_state.kind()
    above = st.container() if shown.other is not None else None
    said, identity = draw(shown.trace, page_state.current().first, beside=shown.beside, playback=kind.playback(shown))
    view = _looked_at(shown.trace)
    if above is not None:
        with above:
            for panel in kind.above:
                panel(shown, view)
    for panel in kind.panels:
        panel(shown, view)
    if isinstance(said.opened, Mapping) and said.opened.get("trace") == identity:
        from xattn_viz.app import open_in_layer  # which knows every page, and they know this module

        open_in_layer.show(shown.trace, said.opened)
    if said.continued:
        st.rerun()  # another output was asked for: all of the page is about to change


def _looked_at(trace: Trace) -> View:
    """The view of a trace. Where no row or column of a map between texts is chosen, its first row is."""
    view = page_state.current().view.on(trace)
    maps = view.maps(trace)
    is_text = maps.queries.kind == maps.keys.kind == "text"
    return replace(view, query=0) if is_text and view.query is None and view.key is None else view


def draw(
    trace: Trace,
    first: View,
    *,
    beside: Trace | None = None,
    growing: bool = False,
    playback: Sound | None = None,
) -> tuple[Any, str]:
    """Only the explorer: what its script says, and the identity of what it shows, which `first` is the first view of.

    `growing` as in `explorer.pack`.
    """
    # The script asks for a layer by kind and number where the trace is too large to be sent whole.
    asked = (st.session_state.get(_KEY) or {}).get("layer") or {}
    maps = View.parse({"map": asked.get("kind")}).maps(trace)
    layer = asked.get("layer") if asked.get("layer") in maps.layers else None
    state = page_state.current()
    counts = {name: count for name, count in (("turn", state.turn), ("choices", state.first_choices)) if count}
    options = {"select": first.format() | counts, "layer": layer, "kind": maps.kind, "growing": growing}
    options["unlinked"] = state.unlinked
    packed, identity = pack(trace, beside, {**options, "name": NAMES[0], "beside_name": NAMES[1]}, playback)
    said = _component()(
        data=packed,
        key=_KEY,
        on_selected_change=lambda: _looked(identity),
        on_layer_change=_nothing,
        on_continued_change=lambda: actions.continue_with((st.session_state.get(_KEY) or {}).get("continued")),
        on_opened_change=_nothing,
    )
    return said, identity


def pack(
    trace: Trace, beside: Trace | None, options: Mapping[str, Any], playback: Sound | None = None
) -> tuple[bytes, str]:
    """The payload of a trace and its identity; `options` are the other arguments of `explorer.pack`, as JSON values.

    The very same bytes come back for the very same traces, so that they are not sent again.
    """
    whose = tuple(map(weakref.ref, (trace,) if beside is None else (trace, beside)))
    key = (whose, json.dumps(options, sort_keys=True), playback and playback[0])
    with _guard:
        if (kept := _packed.get(key)) is not None:
            return kept
    sound = playback[1]() if playback else None
    made = explorer.pack(trace, beside=beside, playback=sound, **options), explorer.identity(trace)
    with _guard:
        _packed[key] = made
    return made


def _size(packed: tuple[bytes, str]) -> int:
    return min(len(packed[0]), PACKED_BYTES)  # one that is larger than all is kept alone


_packed: LRUCache[Any, tuple[bytes, str]] = LRUCache(PACKED_BYTES, _size)


def _looked(identity: str) -> None:
    """Something else is looked at; what the script said of a trace that is shown no more does not count."""
    told = (st.session_state.get(_KEY) or {}).get("selected")
    if isinstance(told, Mapping) and told.get("trace") == identity:
        actions.look(told)


def _nothing() -> None:
    """The fragment runs again by itself; there is nothing else to do."""
