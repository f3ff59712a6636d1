"""The visitor's own layer: its words, its switches, the numbers that were changed. All is kept through the visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import stepper
from xattn_viz.app.page import literal
from xattn_viz.lessons.steps import INPUTS, KEYS, QUERIES, Setting, from_words
from xattn_viz.web.stepper import read_setting

_HEADS = (1, 2, 4)
_NAMES = ("queries", "keys", "heads", "scale", "padding", "causal")


@dataclass
class Kept:
    """What outlives the widgets: their values, and the setting with the visitor's changes."""

    widgets: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, str] = (QUERIES, KEYS)
    setting: Setting | None = None
    resets: int = 0


def asked() -> Setting | None:
    """Draw the controls; the setting that they and the visitor's changes ask for, if there is one."""
    kept = _kept()
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
    setting = _switched(row, _changed(kept, base, (queries, keys)))
    kept.setting = setting
    row.button("Reset the numbers", on_click=_reset)
    kept.widgets = {_key(name): st.session_state[_key(name)] for name in _NAMES}
    return setting


def identity() -> str:
    """Another one wherever the script is to take its numbers from here."""
    kept = _kept()
    return f"{kept.words} {kept.resets}"


def _switched(row: DeltaGenerator, setting: Setting) -> Setting:
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


def _changed(kept: Kept, base: Setting, words: tuple[str, str]) -> Setting:
    """The setting of the words with the numbers that the visitor changed.

    Of other words, those that were there before keep their vectors, and the weights stay where they fit.
    """
    said, before = stepper.said(), kept.setting
    if words != kept.words:
        origin, kept.words = from_words(*kept.words), words
        return base if before is None else _carried(before, origin, base)
    if said and said.get("id") == identity():
        try:
            return read_setting(said, base)
        except ValueError:
            pass
    return base if before is None else replace(base, **{name: getattr(before, name) for name in INPUTS})


def _carried(before: Setting, origin: Setting, base: Setting) -> Setting:
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
    kept = _kept()
    kept.setting = None
    kept.resets += 1


def _kept() -> Kept:
    kept: Kept = st.session_state.setdefault("steps-kept", Kept())
    return kept


def _key(name: str) -> str:
    return f"steps-{name}"
