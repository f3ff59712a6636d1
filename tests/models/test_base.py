"""What a card says of the languages of its model, and what a trace says of the language of its text."""

from __future__ import annotations

from typing import Any

import pytest

from xattn_viz.inputs import text
from xattn_viz.models import registry
from xattn_viz.models.base import ModelCard, Option

PORTUGUESE = "O meu avô vendeu o barco vermelho antes do inverno."
CODES = ("en", "en_XX", "pt_XX", "eng_Latn", "por_Latn", "fra")


@pytest.mark.parametrize(
    ("default", "options", "wanted"),
    [
        (None, {}, "de"),
        (None, {"source_language": "pt"}, "de"),  # no option of that name
        ("en", {}, "en"),
        ("en_XX", {}, "en"),
        ("en_XX", {"source_language": "pt_XX"}, "pt"),
        ("eng_Latn", {}, "en"),
        ("en", {"source_language": "por_Latn"}, "pt"),
        ("en", {"source_language": "python"}, None),
        ("en", {"source_language": 3}, None),
    ],
)
def test_the_language_of_a_source_is_what_was_chosen_or_the_cards(
    default: str | None, options: dict[str, Any], wanted: str | None
) -> None:
    offered = () if default is None else (Option("source_language", "Source language", default, "", CODES),)
    card = ModelCard("a", "A", "seq2seq", "MIT", "nobody", "de", "fr", options=offered)
    assert card.language("source", options) == wanted
    assert card.language("target", options) == "fr"


def test_a_text_in_another_language_is_told_in_the_notes() -> None:
    model = registry.load("firefox-en-pt")
    note = "This text looks like Portuguese, and English → Portuguese reads English."
    assert note in model.trace(PORTUGUESE).remarks
    assert note in model.trace(PORTUGUESE, target="O meu avô.", kinds=("encoder",)).remarks
    for trace in (model.trace("My grandfather sold the red boat."), registry.load("firefox-pt-en").trace(PORTUGUESE)):
        assert not any("looks like" in said for said in trace.remarks)


def test_a_model_whose_language_nobody_knows_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from xattn_viz.models.families.seq2seq import FAMILY

    monkeypatch.setattr(text, "other_language", None)  # is not asked
    assert FAMILY.example().card.language("source", {}) is None
    FAMILY.example().trace(PORTUGUESE)
