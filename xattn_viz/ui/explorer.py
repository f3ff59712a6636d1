"""The explorer on a page, with the panel about the chosen head: only they run again when something is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.explorer import bundle, payload
from xattn_viz.trace import Trace
from xattn_viz.ui import panels


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_explorer", html='<div class="xv"></div>', css=bundle.css(), js=bundle.script()
    )


@st.fragment
def show(trace: Trace, select: Mapping[str, Any]) -> None:
    """Show a trace. `select` is what the explorer shows of it at first (`payload.pack`)."""
    # The script asks for a layer by number where the trace is too large to be sent whole.
    asked = (st.session_state.get("explorer") or {}).get("layer")
    layer = asked if asked in trace.cross.layers else None
    result = _component()(
        data=_packed(trace, select, layer),
        key="explorer",
        on_selected_change=_nothing,
        on_layer_change=_nothing,
    )
    panels.chosen_head(trace, _chosen(trace, select, result.selected))


def _packed(trace: Trace, select: Mapping[str, Any], layer: int | None) -> bytes:
    """The payload, kept while it is the same: the very same bytes are not sent again."""
    kept = st.session_state.get("packed")
    if kept is None or kept[0] is not trace or kept[1:3] != (select, layer):
        kept = (trace, select, layer, payload.pack(trace, select=select, layer=layer))
        st.session_state.packed = kept
    packed: bytes = kept[3]
    return packed


def _chosen(trace: Trace, select: Mapping[str, Any], selected: Any) -> str:
    """The name of the chosen map. What the script said last counts only while it speaks of this trace."""
    if selected and selected["trace"] == payload.identity(trace):
        return str(selected["head"])
    return str(st.query_params.get("head", select.get("head", "1.1")))


def _nothing() -> None:
    """The fragment runs again by itself; there is nothing else to do."""
