"""The page of translation: a sentence, and what to know of it, such as that it is in another language."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import actions, controls, explorer, page_state
from xattn_viz.app.controls import Shelved
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.examples import EXAMPLES, Example
from xattn_viz.examples.shelf import PHENOMENA, SHELF
from xattn_viz.inputs.text import LANGUAGES, other_language, prepare_languages
from xattn_viz.models import registry
from xattn_viz.models.base import ModelCard

_WHOLE_RISK = (
    "Whole text: where a model was trained on single sentences, it may skip, repeat or merge some of a longer text."
)


def remark(shown: Shown) -> str:
    """What most needs to be said: that this text came out short or in part, or that any whole text may."""
    return shown.best.note("omission") or (_WHOLE_RISK if shown.query.whole else "")


def notice(shown: Shown) -> str | None:
    """Say that a text is in another language than the model reads, with a button where a listed model reads that one.

    Returns what was said; None where nothing was.
    """
    place, asked = st.empty(), shown.query  # there or not, what follows stays where it is
    note, card = shown.best.note("language"), page_state.card_of(asked.model)
    if note is None or card is None or asked.source == "file" or page_state.example_of(asked) is not None:
        return None
    wanted = card.language("source", dict(asked.options)) or ""
    found = other_language(str(shown.best.input), wanted) or ""
    with place.container(horizontal=True, vertical_alignment="center", gap="small", key="language"):
        st.info(literal(note))
        if code := choice(card, found):
            label = f"Read it as {LANGUAGES[found]}"
            st.button(literal(label), on_click=actions.choose_option, args=("source_language", code))
        elif reader := reader_of(found, wanted):
            label = f"Use {page_state.title(reader.name)}"
            st.button(literal(label), on_click=actions.choose_reader, args=(reader.name,))
    return note


def _shelved() -> list[Shelved]:
    """The examples of the model in view by phenomenon; where it has none, those of all, which bring their own model."""
    model = page_state.current().query.model
    mine = [one for one in KIND.examples if isinstance(one, Example) and one.model == model]
    examples = mine or [one for one in KIND.examples if isinstance(one, Example)]
    examples.sort(key=lambda one: PHENOMENA.index(one.phenomenon))
    return [Shelved(one.slug, one.phenomenon, one.text, one.said) for one in examples]


def reader_of(language: str, wanted: str) -> ModelCard | None:
    """The listed model that reads a language, best into the one `wanted` before, best without a download."""
    readers = [card for card in registry.cards() if KIND.has(card) and card.source_language == language]
    readers.sort(key=lambda card: (card.target_language != wanted, card.download_mb is not None))
    return readers[0] if readers else None


def choice(card: ModelCard, language: str) -> str | None:
    """The choice by which a model is told that its source is in a language, where it has such an option."""
    option = next((option for option in card.options if option.name == "source_language"), None)
    codes = option.choices if option else ()
    return next((code for code in codes if card.language("source", {"source_language": code}) == language), None)


KIND = Kind(
    "text",
    reads="text",
    makes="text",
    segment="sentence",
    action="Translate",
    own="An output of your own",
    refusal="does not read text and write text: this page is for models that do.",
    examples=(*EXAMPLES, *SHELF),
    choice=controls.shelf("Examples", _shelved, actions.take_shelved),
    inputs=controls.text_field,
    text_field=("Sentence", "Type a sentence and press Enter"),
    input_title=lambda asked: asked.input,
    remark=remark,
    notice=notice,
    prepare=prepare_languages,
    panels=(explorer.chosen_head, explorer.downloads),
)
