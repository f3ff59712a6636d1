"""The explorer on a page, with the panel about the chosen head: only they run again when something is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.app import choosing, comparing, known, packing, panels, timing
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.shapes.naming import Coloured
from xattn_viz.web.explorer import bundle
from xattn_viz.web.explorer.seeing import overall

Names = tuple[str, str]
NAMES: Names = ("A", "B")
_KEY = "explorer"


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_explorer", html='<div class="xv"></div>', css=bundle.css(), js=bundle.script()
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
    maps, name = _chosen(trace, select, said.selected, identity)
    if other and above:
        with above:
            comparing.show(trace, other, name)
    heard = None if isinstance(trace.input, str) or maps.keys.kind != "audio" or maps.kind != "cross" else trace.input
    panels.chosen_head(maps, name, heard)
    if things and maps.kind == "cross":
        known.panel(trace, things, name)
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
    maps = next((maps for maps in overall(trace) if maps.kind == asked.get("kind")), trace.cross)
    layer = asked.get("layer") if asked.get("layer") in maps.layers else None
    options = {"select": dict(select), "layer": layer, "kind": maps.kind, "name": names[0], "beside_name": names[1]}
    hearing = (f"{sound} {timing.chosen(trace)}", timing.hearing(trace, sound)) if sound else None
    packed, identity = packing.packed(trace, beside, {**options, "growing": growing}, hearing)
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


def _chosen(trace: Trace, select: Mapping[str, Any], selected: Any, identity: str) -> tuple[AttentionMaps, str]:
    """The chosen kind of maps and the name of the chosen one among them.

    What the script said last counts only while it speaks of this trace.
    """
    if selected and selected["trace"] == identity:
        kind, head = selected["kind"], str(selected["head"])
    else:
        kind = st.query_params.get("map", select.get("map", "cross"))
        head = str(st.query_params.get("head", select.get("head", "1.1")))
    maps = next((maps for maps in overall(trace) if maps.kind == kind), trace.cross)
    return maps, view_of(maps, head)


def view_of(maps: AttentionMaps, name: str) -> str:
    """The view that the script shows of these maps where it is asked for `name`: the first head if there is none such.

    An address can name a head of another model, or of a kind of attention that this trace does not hold.
    """
    heads = [f"{layer + 1}.{head + 1}" for layer in maps.layers for head in range(maps.n_heads)]
    means = [f"{layer + 1}.mean" for layer in maps.layers]
    return name if name in {*heads, *means, "mean", "max"} else heads[0]


def _nothing() -> None:
    """The fragment runs again by itself; there is nothing else to do."""
