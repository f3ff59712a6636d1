"""The page of drawings: a prompt, a seed, and another prompt beside, with where each word of both went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from xattn_viz.analysis.localization import over_picture
from xattn_viz.app import actions, controls, explorer, ground_truth, page_state
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.picture_page import two_ways
from xattn_viz.app.runner import Query
from xattn_viz.core.tokens import visible, visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.examples import PROMPTS
from xattn_viz.inputs import InputError
from xattn_viz.models.base import Option
from xattn_viz.plots.colours import overlay
from xattn_viz.shapes.sentence import MOST_CHARACTERS

_Words = list[tuple[str, NDArray[np.float64]]]
_PICTURE, _MAP = 192, 84  # pixels
_LAST_SEED = 2**31 - 1


def _inputs(asked: Query) -> None:
    controls.text_field(asked, most=MOST_CHARACTERS)
    controls.of_prompt("text", asked.model, asked.input)
    for text in filter(controls.is_text, page_state.options_of(asked.model)):
        controls.text_option(text, asked)
    option = next((option for option in page_state.options_of(asked.model) if option.name == controls.SEED), None)
    if option is not None:
        _seed(option, asked)


def _seed(option: Option, asked: Query) -> None:
    """Which noise a drawing begins as."""
    key, said = actions.option_key(option.name), str(dict(asked.options).get(option.name, option.default))
    st.session_state[key] = int(said) if said.isascii() and said.isdigit() and int(said[:12]) <= _LAST_SEED else 0
    st.markdown("Seed", width="content")
    st.number_input(
        literal(option.title),
        min_value=0,
        max_value=_LAST_SEED,
        step=1,
        key=key,
        help=literal(option.help),
        on_change=actions.take_option,
        args=(option.name,),
        label_visibility="collapsed",
        width=130,
    )


def _other_prompt(asked: Query, best: Trace) -> None:
    """The field for another prompt."""
    key, target = page_state.output_key("target"), asked.output.target
    st.session_state[key] = target
    st.text_input(
        "Another prompt, same seed",
        key=key,
        on_change=actions.take_target,
        args=(key,),
        placeholder="Another prompt, same seed",
        max_chars=MOST_CHARACTERS,
        help="Change a word, the order, or what a word weighs: (blue:2) gives it twice the attention everywhere.",
        label_visibility="collapsed",
        width=320,
    )
    controls.of_prompt(key, asked.model, target)


def begun(shown: Shown, view: View) -> None:
    """The picture that a drawing began as, and the mask over it: what is pale stayed as it was."""
    start, mask = (shown.trace.settings.get(name) for name in ("start", "mask"))
    if not isinstance(start, str):
        return
    from xattn_viz.models.families.diffusion.start import is_anew, read  # nobody else waits for it

    try:
        pixels, anew = read(start), None if not isinstance(mask, str) else is_anew(read(mask))
    except InputError as error:
        st.caption(literal(str(error)))
        return
    with st.container(horizontal=True, gap="small"):
        st.image(_larger(pixels), caption="The drawing began as this", width=_PICTURE, alt="What the drawing began as")
        if anew is not None:
            pale = np.where(anew[..., None], pixels, 255 - (255 - pixels) // 4).astype(np.uint8)
            st.image(_larger(pale), caption="Drawn anew where it is not pale", width=_PICTURE, alt="The mask")


def compare(shown: Shown, view: View) -> None:
    """Both drawings, and under each the map of each of its words: the map that the explorer shows.

    The maximum, which is no map of one kind, is shown as the mean.
    """
    if (other := shown.other) is None:
        return
    first = shown.trace
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
    with st.container(horizontal=True, gap="small"):
        st.image(
            _larger(np.asarray(picture)),
            width=_PICTURE,
            alt=visible_text(f"What was drawn for: {trace.input}"),
        )
        with st.container(horizontal=True, gap="small"):
            for label, grid in named:
                drawn = overlay(picture, grid, largest)
                st.image(drawn, caption=literal(label), width=_MAP, alt=f"Where {label} was read")


def _larger(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture with each pixel as a square, so that it stays sharp."""
    rows, columns = (max(1, _PICTURE // side) for side in picture.shape[:2])
    return picture.repeat(rows, 0).repeat(columns, 1)


KIND = Kind(
    "prompt",
    reads="text",
    makes="image",
    segment="prompt",
    action="Draw",
    own="",
    refusal="does not draw pictures: this page is for models that do.",
    examples=PROMPTS,
    view=View(layer=None, head="mean"),
    before=two_ways,
    choice=controls.choose_example,
    inputs=_inputs,
    text_field=("Prompt", "Say what to draw and press Enter"),
    input_title=lambda asked: asked.input,
    mark=ground_truth.mark_drawing,
    remark=lambda shown: "",
    control=_other_prompt,
    above=(compare,),
    panels=(begun, explorer.chosen_head, ground_truth.panel, explorer.downloads),
)
