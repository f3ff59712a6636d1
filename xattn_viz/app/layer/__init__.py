"""The page about the layer itself: one module a section, each with a `show()` that draws it."""

from __future__ import annotations

import importlib
from types import ModuleType

import streamlit as st

from xattn_viz.app import runner

#: The modules of this folder that are sections and their titles, in order; the first is shown at first.
SECTIONS: dict[str, str] = {
    "steps": "Step by step",
    "scale": "Scale",
    "masks": "Masks",
    "shapes": "Shapes",
    "self_vs_cross": "Self or cross",
    "additive": "Additive",
    "two_sources": "Two sources",
    "limits": "Limits",
    "learning": "Learning",
    "cost": "Cost",
}
_KEY = "section"
# A lecturer projects this page: the names of its controls are as large as its text.
_CSS = """<style>[data-testid="stWidgetLabel"] p, [data-baseweb="tab"] { font-size: 1rem; }</style>"""


def show() -> None:
    """The choice of sections, and the chosen one."""
    st.html(_CSS)
    if _KEY not in st.session_state:
        named = st.query_params.get(_KEY)
        st.session_state[_KEY] = named if named in SECTIONS else next(iter(SECTIONS))
    chosen = st.segmented_control(
        "Section",
        list(SECTIONS),
        format_func=SECTIONS.__getitem__,
        key=_KEY,
        required=True,
        on_change=_follow,
        label_visibility="collapsed",
    )
    _module(str(chosen)).show()
    runner.settle()


def _follow() -> None:
    """Name the section in the address; a widget bound to it would write its title there."""
    st.query_params[_KEY] = st.session_state[_KEY]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"xattn_viz.app.layer.{name}")
