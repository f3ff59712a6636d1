"""The page about the layer itself: one module a section, each with a `show()` that draws it."""

from __future__ import annotations

import importlib
from types import ModuleType

import streamlit as st

from xattn_viz.app import runner
from xattn_viz.app.page import literal

#: The modules of this folder that are sections and their titles, in order; the first is shown at first.
SECTIONS: dict[str, str] = {
    "steps": "Step by step",
    "shapes": "Shapes",
    "scale": "Scale",
    "masks": "Masks",
    "self_vs_cross": "Self or cross",
    "two_sources": "Two sources",
    "limits": "Limits",
    "additive": "Additive",
    "learning": "Learning",
    "cost": "Cost",
}
_KEY = "section"
# A lecturer projects this page: the names of its controls are as large as its text. On a phone a figure of boxes
# scrolls; numbers in cells, which would lie over each other there, are shown where a finger touches one.
_CSS = """<style>
[data-testid="stWidgetLabel"] p, [data-baseweb="tab"] { font-size: 1rem; }
[class*="st-key-seen-"] { border-inline-start: 3px solid light-dark(#a34a00, #ffb454); padding-inline-start: 0.75rem; }
@media (max-width: 48rem) {
  [data-testid="stMarkdownContainer"] h3 { font-size: 1.25rem; line-height: 1.3; padding: 0.25rem 0 0.75rem; }
  .heatmap-label { display: none; }
  .st-key-shapes-place { overflow-x: auto; }
  .st-key-shapes { min-width: 50rem; }
}
@media (min-width: 48.01rem) {
  .st-key-shapes-place [data-testid="stHtml"] { display: none; }
}
</style>"""


def show() -> None:
    """The choice of sections, the chosen one, and the ways to the one before it and the next."""
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
    _ways(str(chosen))
    runner.settle()


def _ways(chosen: str) -> None:
    """Back and next, in the order in which each section needs only what those before it showed."""
    names = list(SECTIONS)
    at = names.index(chosen)
    with st.container(horizontal=True, vertical_alignment="center", key="ways"):
        if at:
            st.button(
                literal(f"◀ Back: {SECTIONS[names[at - 1]]}"), key="section-back", on_click=_go, args=(names[at - 1],)
            )
        st.markdown(literal(f"{at + 1} of {len(names)}"), width="content")
        if at < len(names) - 1:
            name = names[at + 1]
            st.button(
                literal(f"Next: {SECTIONS[name]} ▶"), key="section-next", type="primary", on_click=_go, args=(name,)
            )


def _go(name: str) -> None:
    st.session_state[_KEY] = name
    _follow()


def _follow() -> None:
    """Name the section in the address; a widget bound to it would write its title there."""
    st.query_params[_KEY] = st.session_state[_KEY]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"xattn_viz.app.layer.{name}")
