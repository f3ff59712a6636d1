"""Step by step: every matrix of one small layer, each number of it open to a click or a change."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import stepper
from xattn_viz.app.layer import given_head, own_layer, parts
from xattn_viz.lessons.steps import Setting, snippet, steps
from xattn_viz.web.stepper import difference, pack_setting, read_setting


@st.fragment
def show() -> None:
    """The layer of the visitor's own, or the head of a real model that was chosen on another page."""
    if given_head.is_there():
        given_head.show()
        return
    parts.claim("Each query asks every key; the answers, as shares of 1, mix the values.")
    setting = own_layer.asked()
    if setting is None:
        return
    stepper.show(pack_setting(setting, own_layer.identity()))
    _compare(setting)
    parts.in_a_notebook(snippet(setting), "steps")


def _compare(setting: Setting) -> None:
    """What the layer itself makes of the setting, beside what the script shows of it."""
    said = stepper.said()
    if not said or said.get("id") != own_layer.identity():
        return
    try:
        apart = difference(steps(read_setting(said, setting)), said.get("results") or {})
    except ValueError:
        return
    same = "gives the same" if apart < 1e-6 else "does not give the same"
    parts.finding(f"CrossAttention on the server {same}: largest difference {power(apart)}")


def power(value: float) -> str:
    """A small number as people write it: 2·10⁻¹⁶."""
    if value == 0:
        return "0"
    digits, exponent = f"{value:.0e}".split("e") if value != float("inf") else ("∞", "0")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{raised}"
