"""The page of drawings: a prompt, a seed, the picture, and where each word of the prompt went."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from xattn_viz.app import actions, controls, explorer, ground_truth, page_state, pictures
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.picture_page import FILES, two_ways
from xattn_viz.app.runner import MASK, START, STRENGTH, Query
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.view import View
from xattn_viz.examples import PROMPTS
from xattn_viz.inputs import InputError
from xattn_viz.shapes.sentence import MOST_CHARACTERS

_PICTURE, _THUMBNAIL = 192, 72  # pixels
_STRENGTHS, _USUAL = tuple(f"{tenths / 10:g}" for tenths in range(1, 11)), "0.6"


def _inputs(asked: Query) -> None:
    controls.text_field(asked, most=MOST_CHARACTERS)
    controls.of_prompt("text", asked.model, asked.input)
    for text in filter(controls.is_text, page_state.options_of(asked.model)):
        controls.text_option(text, asked)
    option = next((option for option in page_state.options_of(asked.model) if option.name == controls.SEED), None)
    if option is not None:
        st.markdown("Seed", width="content")
        controls.choose_seed(option, asked)
    card = page_state.card_of(asked.model)
    if card is not None and "begin" in card.can:
        _begin(asked)


def _begin(asked: Query) -> None:
    """What a drawing begins as instead of noise: a picture, of which a mask may say what is drawn anew."""
    options = dict(asked.options)
    place = st.popover("Begin as a picture", key="begin", on_change="rerun")
    if not place.open:
        return
    with place:
        _give(START, "A picture to begin as", asked)
        if START not in options:
            return
        _give(MASK, "A mask: light where it is drawn anew", asked)
        key, strength = actions.option_key(STRENGTH), str(options.get(STRENGTH, ""))
        st.session_state[key] = strength if strength in _STRENGTHS else _USUAL
        st.select_slider(
            "How much of it is drawn over",
            _STRENGTHS,
            key=key,
            help="How much noise is put on it, and which share of the steps is taken.",
            on_change=actions.take_option,
            args=(STRENGTH,),
        )
        st.button("Begin as noise", key="begin-anew", on_click=actions.leave_out, args=((START, MASK, STRENGTH),))


def _give(name: str, title: str, asked: Query) -> None:
    """A place for the file of a picture, and what is there."""
    given = str(dict(asked.options).get(name, ""))
    key = page_state.output_key(f"begin-{name}-{given}")
    with st.container(key=f"begin-{name}"):
        st.file_uploader(title, type=FILES, key=key, on_change=_take, args=(name, key))
    if given:
        with suppress(InputError):  # what is wrong with it is said in place of the drawing
            shown = pictures.picture(Query(asked.model, given, "picture"))
            st.image(shown.pixels, width=_THUMBNAIL, alt=visible_text(pictures.title(given)))


@page_state.while_here
def _take(name: str, key: str) -> None:
    """A file was uploaded to begin as, or as its mask."""
    if (file := st.session_state[key]) is not None:
        actions.choose_option(name, pictures.give(file.getvalue(), file.name))


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
    named=pictures.begun,
    mark=ground_truth.mark_drawing,
    remark=lambda shown: "",
    panels=(begun, explorer.chosen_head, ground_truth.panel, explorer.downloads),
)
