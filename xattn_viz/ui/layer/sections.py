"""Which sections the layer's page has, and the one that is shown: it is named in the address."""

from __future__ import annotations

import importlib
from types import ModuleType

import streamlit as st

#: The modules of this folder that are sections and their titles, in order; the first is shown at first.
SECTIONS: dict[str, str] = {"learning": "Learning"}


def show() -> None:
    """The choice of sections, and the chosen one."""
    chosen = st.segmented_control(
        "Section",
        list(SECTIONS),
        format_func=SECTIONS.__getitem__,
        key="section",
        default=next(iter(SECTIONS)),
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    _module(chosen).show()


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"xattn_viz.ui.layer.{name}")
