"""Two prompts from the same seed: both pictures, and where each word of both went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from xattn_viz.analysis.localization import over_picture
from xattn_viz.app import choosing, counting
from xattn_viz.app.address import Output
from xattn_viz.app.page import literal
from xattn_viz.core.tokens import visible, visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.plots.colours import overlay
from xattn_viz.shapes.sentence import MOST_CHARACTERS

_Words = list[tuple[str, NDArray[np.float64]]]
_PICTURE, _MAP = 192, 84  # pixels


def control(output: Output) -> None:
    """The field for another prompt."""
    key = choosing.output_key("target")
    st.session_state[key] = output.target
    st.text_input(
        "Another prompt, same seed",
        key=key,
        on_change=choosing.take_target,
        args=(key,),
        placeholder="Another prompt, same seed",
        max_chars=MOST_CHARACTERS,
        help="Change a word, the order, or what a word weighs: (blue:2) gives it twice the attention everywhere.",
        label_visibility="collapsed",
        width=320,
    )
    counting.of_prompt(key, st.session_state.request.model, output.target or "")


def show(first: Trace, other: Trace, view: View) -> None:
    """Both drawings, and under each the map of each of its words: the map that the explorer shows.

    The maximum, which is no map of one kind, is shown as the mean.
    """
    mean = view if view.head != "max" else replace(view, head="mean")
    found = [words(trace, mean) for trace in (first, other)]
    largest = max((float(grid.max()) for one in found for _, grid in one), default=0.0)
    for side, trace, named in zip(st.columns(2, gap="medium"), (first, other), found, strict=True):
        with side:
            st.markdown(f"**{literal(str(trace.input))}**")
            _drawing(trace, named, largest)
    step = view.maps(first).step
    steps = "all steps together" if step is None else f"denoising step {step + 1}"
    st.caption(
        f"{mean.title.capitalize()}, {steps}, on one scale: the lightest is {largest:.2f}. "
        "Seed, steps and guidance are the same for both."
    )


def words(trace: Trace, view: View) -> _Words:
    """The words of a prompt that are no special tokens, each with its weights `[row, column]` of the picture."""
    maps = view.on(trace).maps(trace)
    layer, head = view.layer, None if isinstance(view.head, str) else view.head
    groups = maps.keys.word_groups() if maps.keys.words is not None else [[i] for i in range(len(maps.keys))]
    found: _Words = []
    for group in groups:
        if not maps.keys.is_special[group].all():
            axis, values = over_picture(maps, layer, head, group)
            label = "".join(visible(maps.keys.name(i)) for i in group).strip()
            found.append((label, values[axis.patches].reshape(axis.grid or (1, -1))))
    return found


def _drawing(trace: Trace, named: _Words, largest: float) -> None:
    picture = trace.pictures[-1]
    plain = np.asarray(picture).repeat(max(1, _PICTURE // picture.shape[0]), 0)
    with st.container(horizontal=True, gap="small"):
        st.image(
            plain.repeat(max(1, _PICTURE // picture.shape[1]), 1),
            width=_PICTURE,
            alt=visible_text(f"What was drawn for: {trace.input}"),
        )
        with st.container(horizontal=True, gap="small"):
            for label, grid in named:
                drawn = overlay(picture, grid, largest)
                st.image(drawn, caption=literal(label), width=_MAP, alt=f"Where {label} was read")
