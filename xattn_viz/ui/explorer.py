"""The explorer on a page, with the panel about the chosen head: only they run again when something is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.explorer import bundle, payload
from xattn_viz.maps import AttentionMaps
from xattn_viz.trace import Trace
from xattn_viz.ui import panels


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
    name: str = "A",
    beside_name: str = "B",
    growing: bool = False,
) -> None:
    """Show a trace; the other arguments are those of `payload.pack`. `select` is what to show of it at first."""
    # The script asks for a layer by kind and number where the trace is too large to be sent whole.
    asked = (st.session_state.get("explorer") or {}).get("layer") or {}
    maps = next((maps for maps in trace.maps if maps.kind == asked.get("kind")), trace.cross)
    layer = asked.get("layer") if asked.get("layer") in maps.layers else None
    options = {"select": select, "beside": beside, "name": name, "beside_name": beside_name, "growing": growing}
    packed, identity = _packed(trace, {**options, "layer": layer, "kind": maps.kind})
    result = _component()(
        data=packed,
        key="explorer",
        on_selected_change=_nothing,
        on_layer_change=_nothing,
    )
    panels.chosen_head(*_chosen(trace, select, result.selected, identity))


def _packed(trace: Trace, options: Mapping[str, Any]) -> tuple[bytes, str]:
    """The payload and the trace's identity, kept while they are the same: the very same bytes are not sent again."""
    kept = st.session_state.get("packed")
    if kept is None or kept[0] is not trace or not _same(kept[1], options):
        kept = (trace, options, payload.pack(trace, **options), payload.identity(trace))
        st.session_state.packed = kept
    packed: tuple[bytes, str] = kept[2:]
    return packed


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sets of options are equal; traces are large, so that one counts as equal to itself alone."""
    return one["beside"] is other["beside"] and all(one[key] == other[key] for key in one if key != "beside")


def _chosen(trace: Trace, select: Mapping[str, Any], selected: Any, identity: str) -> tuple[AttentionMaps, str]:
    """The chosen kind of maps and the name of the chosen one among them.

    What the script said last counts only while it speaks of this trace.
    """
    if selected and selected["trace"] == identity:
        kind, head = selected["kind"], str(selected["head"])
    else:
        kind = st.query_params.get("map", select.get("map", "cross"))
        head = str(st.query_params.get("head", select.get("head", "1.1")))
    maps = next((maps for maps in trace.maps if maps.kind == kind), trace.cross)
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
