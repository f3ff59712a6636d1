"""The component that shows each step of a layer, and what it tells of the visitor's changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web

_KEY = "stepper"


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_stepper", html='<div class="xv"></div>', css=web.css("stepper"), js=web.script("stepper")
    )


def said() -> Mapping[str, Any] | None:
    """What the script told last of a setting and of the numbers that it made of it, if it is a mapping at all."""
    setting = (st.session_state.get(_KEY) or {}).get("setting")
    return setting if isinstance(setting, Mapping) else None


def show(data: Mapping[str, Any]) -> None:
    """Show a setting or a real head, as `stepper.payload` makes it."""
    _component()(data=dict(data), key=_KEY, on_setting_change=_nothing)


def _nothing() -> None:
    """The fragment runs again by itself."""
