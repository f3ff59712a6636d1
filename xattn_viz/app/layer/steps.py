"""Step by step: every matrix of one small layer, each number of it open to a click or a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2.types import ComponentRenderer
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import web
from xattn_viz.app import open_in_layer, page, page_state
from xattn_viz.app.layer import parts
from xattn_viz.app.open_in_layer import OpenedHead
from xattn_viz.app.page import literal
from xattn_viz.core.view import head_title
from xattn_viz.inputs import InputError
from xattn_viz.lessons.steps import INPUTS, KEYS, QUERIES, Setting, from_words, snippet, steps
from xattn_viz.models.base import ModelError
from xattn_viz.web.stepper import difference, pack_head, pack_setting, read_setting

_CLAIM = "Each query is scored against every key; softmax turns the scores into weights that average the values."
_ATTEMPT = (
    "click any number for its arithmetic, type over one of x or the context, and see which weights move. Then switch "
    "÷ √d_k off, or make the last key padding."
)
_KINDS = {"cross": "cross-attention", "encoder": "encoder self-attention", "decoder": "decoder self-attention"}
_HEADS = (1, 2, 4)
_NAMES = ("queries", "keys", "heads", "scale", "padding", "causal")


@st.fragment
def show() -> None:
    """The layer of the visitor's own, or the head of a real model that was chosen on another page."""
    try:
        opened = open_in_layer.opened_head()
    except (InputError, ModelError) as error:
        _head_buttons()
        st.error(literal(str(error)))
        return
    if opened is not None:
        _show_head(opened)
        return
    parts.claim(_CLAIM, _ATTEMPT)
    setting = _edited_setting()
    if setting is None:
        return
    show_stepper(pack_setting(setting, _identity()))
    _say_seen(setting)
    _compare(setting)
    parts.in_a_notebook(snippet(setting), "steps")


def _say_seen(setting: Setting) -> None:
    """The largest weight of all heads, whose it is, and how spread out a row is."""
    said = told()
    if said and said.get("id") == _identity():
        try:
            setting = read_setting(said, setting)
        except ValueError:
            return
    weights = np.nan_to_num(steps(setting).weights)  # [head, query, key]; a row without keys has none
    _, query, key = np.unravel_index(weights.argmax(), weights.shape)
    bits = -(weights * np.log2(np.where(weights > 0, weights, 1))).sum(-1).mean()
    parts.seen(
        "steps",
        {
            "queries": " ".join(setting.queries),
            "keys": " ".join(setting.keys),
            "heads": str(setting.n_heads),
            "÷ √d_k": parts.switched(setting.scaled),
            "padding": parts.switched(setting.padding[-1]),
            "causal": parts.switched(setting.causal),
        },
        {
            "the largest weight": f"{weights.max():.3f}",
            "it is that of": f"“{setting.queries[query]}” on “{setting.keys[key]}”",
            "mean entropy of a row": f"{bits + 0:.2f} bits",
        },
    )


def _compare(setting: Setting) -> None:
    """What the layer itself makes of the setting, beside what the script shows of it."""
    said = told()
    if not said or said.get("id") != _identity():
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


@dataclass
class _Edits:
    """What outlives the widgets: their values, and the setting with the visitor's changes."""

    widgets: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, str] = (QUERIES, KEYS)
    setting: Setting | None = None
    resets: int = 0


def _edited_setting() -> Setting | None:
    """Draw the controls; the setting that they and the visitor's changes ask for, if there is one."""
    kept = _edits()
    for key, value in kept.widgets.items():
        if key not in st.session_state:  # the widgets come back to the page
            st.session_state[key] = value
    row = st.container(horizontal=True, vertical_alignment="bottom")
    queries = row.text_input("Queries: words, or 1 0 0 0; 0 1 0 0", QUERIES, key=_key("queries"), bind="query-params")
    keys = row.text_input("Keys and values", KEYS, key=_key("keys"), bind="query-params")
    try:
        base = from_words(queries, keys)
    except ValueError as error:
        st.error(literal(str(error)))
        return None
    setting = _with_switches(row, _with_edits(kept, base, (queries, keys)))
    kept.setting = setting
    row.button("Reset the numbers", key="steps_reset", on_click=_reset)
    kept.widgets = {_key(name): st.session_state[_key(name)] for name in _NAMES}
    return setting


def _identity() -> str:
    """Another one wherever the script is to take its numbers from here."""
    kept = _edits()
    return f"{kept.words} {kept.resets}"


def _with_switches(row: DeltaGenerator, setting: Setting) -> Setting:
    heads = [count for count in _HEADS if setting.d_model % count == 0]
    if st.session_state.get(_key("heads")) not in heads:
        st.session_state.pop(_key("heads"), None)
    bound: dict[str, Any] = {"bind": "query-params"}
    n_heads = row.segmented_control("Heads", heads, key=_key("heads"), default=1, required=True, **bound)
    scaled = row.toggle("÷ √d_k", True, key=_key("scale"), **bound)
    padded = row.toggle("Last key is padding", key=_key("padding"), **bound)
    causal = row.toggle("Causal", key=_key("causal"), **bound)
    padding = (*(False,) * (len(setting.keys) - 1), padded)
    return replace(setting, n_heads=n_heads, scaled=scaled, padding=padding, causal=causal)


def _with_edits(kept: _Edits, base: Setting, words: tuple[str, str]) -> Setting:
    """The setting of the words with the numbers that the visitor changed.

    Of other words, those that were there before keep their vectors, and the weights stay where they fit.
    """
    said, before = told(), kept.setting
    if words != kept.words:
        origin, kept.words = from_words(*kept.words), words
        return base if before is None else _carry_over(before, origin, base)
    if said and said.get("id") == _identity():
        try:
            return read_setting(said, base)
        except ValueError:
            pass
    return base if before is None else replace(base, **{name: getattr(before, name) for name in INPUTS})


def _carry_over(before: Setting, origin: Setting, base: Setting) -> Setting:
    """`base` with what the visitor had made of `origin`; a row of numbers that was typed anew is as it was typed."""
    numbers: dict[str, Any] = {name: getattr(base, name).copy() for name in INPUTS}
    for name in ("w_q", "w_k", "w_v", "w_o"):
        if getattr(before, name).shape == numbers[name].shape:
            numbers[name] = getattr(before, name)
    for name, old, new in (("x", origin.queries, base.queries), ("context", origin.keys, base.keys)):
        places = {word: place for place, word in enumerate(_counted(old))}
        for position, word in enumerate(_counted(new)):
            place = places.get(word)
            if place is not None and np.array_equal(getattr(origin, name)[place], numbers[name][position]):
                numbers[name][position] = getattr(before, name)[place]
    return replace(base, **numbers)


def _counted(words: Sequence[str]) -> list[tuple[str, int]]:
    """Each word with how often it stood before, so that a repeated one is found again."""
    return [(word, words[:place].count(word)) for place, word in enumerate(words)]


def _reset() -> None:
    kept = _edits()
    kept.setting = None
    kept.resets += 1


def _edits() -> _Edits:
    kept: _Edits = page_state.visit().layer.setdefault("edits", _Edits())
    return kept


def _key(name: str) -> str:
    return f"steps-{name}"


def _show_head(opened: OpenedHead) -> None:
    """The head, what it is of, how far the weight computed here is from the captured one, and the way back."""
    head = opened.head
    where = f"{head_title(head.layer, head.head)}, {_KINDS[head.kind]}"
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.claim(f"{head.queries[head.row]} → {head.keys[head.column]}: {where}")
        _head_buttons()
    st.caption(literal(opened.source))
    page.tell_fault(opened.fault)
    show_stepper(pack_head(head))
    ours, recorded = head.weight(), float(head.captured[head.row, head.column])
    parts.finding(
        f"Recomputed from q and k, the weight is {ours:.4f}; captured while the model ran, it was {recorded:.4f}: "
        f"{abs(ours - recorded):.1e} apart."
    )


def _head_buttons() -> None:
    """The ways on from a head: to the page that it comes from, as it was there, or to a layer of the visitor's own."""
    if (back := open_in_layer.back()) is not None:
        title, script, said = back
        st.page_link(script, label=f"Back to {title}", query_params=said)
    st.button("Back to a layer of your own", on_click=open_in_layer.close)


_KEY = "stepper"


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_stepper", html='<div class="xv"></div>', css=web.css("stepper"), js=web.script("stepper")
    )


def told() -> Mapping[str, Any] | None:
    """What the script told last of a setting and of the numbers that it made of it, if it is a mapping at all."""
    setting = (st.session_state.get(_KEY) or {}).get("setting")
    return setting if isinstance(setting, Mapping) else None


def show_stepper(data: Mapping[str, Any]) -> None:
    """Show a setting or a real head, as `stepper.payload` makes it."""
    _component()(data=dict(data), key=_KEY, on_setting_change=_nothing)


def _nothing() -> None:
    """The fragment runs again by itself."""
