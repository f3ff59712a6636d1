"""The explorer on a page, with the panel about the chosen head: only they run again when something is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.app import choosing, comparing, known, packing, panels, timing
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View, all_steps
from xattn_viz.shapes.caption import Coloured

Names = tuple[str, str]
NAMES: Names = ("A", "B")
_KEY = "explorer"


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_explorer", html='<div class="xv"></div>', css=web.css(), js=web.script()
    )


@st.fragment
def show(
    trace: Trace,
    select: Mapping[str, Any],
    *,
    beside: Trace | None = None,
    names: Names = NAMES,
    sound: str = "",
    things: Sequence[Coloured] = (),
    other: Trace | None = None,
) -> None:
    """Show a trace with the panel about its chosen head. `select` is what to show of it at first (`payload.pack`).

    `beside` is another output of the same source; `names` are what the two are called, this one first. `sound` is the
    name of the sound that the trace is of, to be played, `things` what its picture is known to show, `other` what
    another prompt drew from the same seed: both stand above.
    """
    above = st.container() if other else None
    said, identity = draw(trace, select, beside=beside, names=names, sound=sound)
    view = _view(trace, select, said.selected, identity)
    if other and above:
        with above:
            comparing.show(trace, other, view)
    panels.chosen_head(trace, view)
    if things and view.kind == "cross":
        known.panel(trace, things, view)
    if isinstance(said.opened, Mapping) and said.opened.get("trace") == identity:
        from xattn_viz.app import opening  # PyTorch is slow to load: only for who goes on to that page

        opening.show(trace, said.opened)
    if said.continued:
        st.rerun()  # another output was asked for: all of the page is about to change


def draw(
    trace: Trace,
    select: Mapping[str, Any],
    *,
    beside: Trace | None = None,
    names: Names = NAMES,
    growing: bool = False,
    sound: str = "",
) -> tuple[Any, str]:
    """Only the explorer: what its script says, and the identity of what it shows. `growing` as in `payload.pack`."""
    # The script asks for a layer by kind and number where the trace is too large to be sent whole.
    asked = (st.session_state.get(_KEY) or {}).get("layer") or {}
    maps = next((maps for maps in all_steps(trace) if maps.kind == asked.get("kind")), trace.cross)
    layer = asked.get("layer") if asked.get("layer") in maps.layers else None
    options = {"select": dict(select), "layer": layer, "kind": maps.kind, "name": names[0], "beside_name": names[1]}
    playback = (f"{sound} {timing.chosen(trace)}", timing.playback(trace, sound)) if sound else None
    packed, identity = packing.packed(trace, beside, {**options, "growing": growing}, playback)
    said = _component()(
        data=packed,
        key=_KEY,
        on_selected_change=_nothing,
        on_layer_change=_nothing,
        on_continued_change=_proceed,
        on_opened_change=_nothing,
    )
    return said, identity


def _proceed() -> None:
    """The visitor chose another token; what comes from a browser may be anything."""
    prefix = (st.session_state.get(_KEY) or {}).get("continued")
    if isinstance(prefix, list) and prefix and all(type(token) is int for token in prefix):
        choosing.proceed(prefix)


def _view(trace: Trace, select: Mapping[str, Any], selected: Any, identity: str) -> View:
    """What the script shows of this trace: what it said last, or before it said anything what it was asked to show."""
    if isinstance(selected, Mapping) and selected.get("trace") == identity:
        return View.parse(selected).on(trace)
    return View.parse({**st.query_params, **select}).on(trace)


def _nothing() -> None:
    """The fragment runs again by itself; there is nothing else to do."""
