"""Above the map: that a text is in another language than the model reads, and a button for a model that reads it."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import asking, kind, models, turning
from xattn_viz.app.address import Request
from xattn_viz.app.page import literal
from xattn_viz.inputs.language import LANGUAGES, language_note, other_language
from xattn_viz.models import registry
from xattn_viz.models.base import ModelCard


def notice(request: Request) -> str | None:
    """Say it, with a button where a listed model reads that language. Returns what was said; None where nothing was."""
    place = st.empty()  # there or not, what follows stays where it is
    card = models.card_of(request.model)
    if kind.current() != kind.TEXT or card is None or asking.example_of(request) is not None:
        return None
    wanted = card.language("source", dict(request.options))
    if wanted is None or (note := language_note(request.text, wanted, card.title)) is None:
        return None
    found = other_language(request.text, wanted) or ""
    with place.container(horizontal=True, vertical_alignment="center", gap="small", key="language"):
        st.info(literal(note))
        if code := choice(card, found):
            label = f"Read it as {LANGUAGES[found]}"
            st.button(literal(label), on_click=asking.choose_option, args=("source_language", code))
        elif reader := reader_of(found, wanted):
            label = f"Use {models.title(reader.name)}"
            st.button(literal(label), on_click=turning.turn_with_text, args=(reader.name,))
    return note


def reader_of(language: str, wanted: str) -> ModelCard | None:
    """The listed model that reads a language, best into the one `wanted` before, best without a download."""
    readers = [card for card in registry.cards() if kind.TEXT.has(card) and card.source_language == language]
    readers.sort(key=lambda card: (card.target_language != wanted, card.download_mb is not None))
    return readers[0] if readers else None


def choice(card: ModelCard, language: str) -> str | None:
    """The choice by which a model is told that its source is in a language, where it has such an option."""
    option = next((option for option in card.options if option.name == "source_language"), None)
    codes = option.choices if option else ()
    return next((code for code in codes if card.language("source", {"source_language": code}) == language), None)
