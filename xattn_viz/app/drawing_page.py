"""The page of drawings: a prompt, a seed, the picture, and where each word of the prompt went."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from xattn_viz.app import controls, explorer, ground_truth, page_state
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.picture_page import two_ways
from xattn_viz.app.runner import Query
from xattn_viz.core.view import View
from xattn_viz.examples import PROMPTS
from xattn_viz.inputs import InputError
from xattn_viz.shapes.sentence import MOST_CHARACTERS

_PICTURE = 192  # pixels


def _inputs(asked: Query) -> None:
    controls.text_field(asked, most=MOST_CHARACTERS)
    controls.of_prompt("text", asked.model, asked.input)
    for text in filter(controls.is_text, page_state.options_of(asked.model)):
        controls.text_option(text, asked)
    option = next((option for option in page_state.options_of(asked.model) if option.name == controls.SEED), None)
    if option is not None:
        st.markdown("Seed", width="content")
        controls.choose_seed(option, asked)


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
    mark=ground_truth.mark_drawing,
    remark=lambda shown: "",
    panels=(begun, explorer.chosen_head, ground_truth.panel, explorer.downloads),
)
