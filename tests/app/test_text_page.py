"""A text in another language than the model reads: said above the map, with a model that reads it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import press, traces
from tests.server import ROOT
from xattn_viz.app import text_page
from xattn_viz.app.page import literal
from xattn_viz.models import registry
from xattn_viz.models.base import ModelCard, Option

PORTUGUESE = "O meu avô vendeu o barco vermelho antes do inverno."
NOTE = "This text looks like Portuguese, and English → Portuguese reads English."


def test_the_other_model_takes_over_with_the_text() -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    app.query_params["text"] = PORTUGUESE
    app.run()
    assert not app.exception
    assert [said.value for said in app.info] == [literal(NOTE)]
    assert not any(literal(NOTE) == said.value for said in app.caption)  # once is enough
    (button,) = (button for button in app.button if "Portuguese → English" in button.label)
    button.click().run()
    assert not app.exception
    assert app.query_params["model"] == "firefox-pt-en"
    assert app.text_area(key="text").value == PORTUGUESE
    assert traces(app)[0].output.startswith("My grandfather sold")
    assert list(app.info) == []


def test_where_no_model_reads_it_there_is_no_button() -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    app.query_params["text"] = "Le petit chat dort sur la chaise de la cuisine."
    app.run()
    assert [said.value for said in app.info] == [literal(NOTE.replace("Portuguese,", "French,"))]
    assert not any(button.label.startswith(("Use", "Read")) for button in app.button)


def test_languages_are_swapped_with_the_translation_as_the_text() -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).run()
    written = traces(app)[0].output
    app.button(key="swap").click().run()
    assert not app.exception
    assert app.query_params["model"] == "firefox-pt-en"
    assert app.text_area(key="text").value == written == traces(app)[0].input
    # Of a text that was never read, the text itself goes along.
    app.text_area(key="text").set_value("")
    press(app, "Translate")
    assert [said.value for said in app.error] == [literal("The text is empty: type at least one word.")]
    app.button(key="swap").click().run()
    assert app.query_params["model"] == "firefox-en-pt"


def card(name: str, source: str, target: str, megabytes: int | None = None) -> ModelCard:
    return ModelCard(name, name, "seq2seq", "MIT", "nobody", source, target, download_mb=megabytes)


@pytest.mark.parametrize(
    ("language_of_text", "wanted", "name"),
    [("pt", "en", "pt-en"), ("pt", "de", "pt-fr"), ("fr", "en", "fr-en"), ("es", "en", None)],
)
def test_the_reader_goes_into_the_language_wanted_and_is_best_there_already(
    monkeypatch: pytest.MonkeyPatch, language_of_text: str, wanted: str, name: str | None
) -> None:
    cards = (
        card("pt-it", "pt", "it", 9),
        card("pt-fr", "pt", "fr"),
        card("pt-en", "pt", "en", 9),
        card("fr-en", "fr", "en"),
    )
    monkeypatch.setattr(registry, "cards", lambda: cards)
    found = text_page.reader_of(language_of_text, wanted)
    assert (found and found.name) == name


def test_a_model_that_is_told_its_source_is_told_another() -> None:
    option = Option("source_language", "Source language", "en_XX", "", ("de_DE", "en_XX", "pt_XX", "por_Latn"))
    many = ModelCard("many", "Many", "seq2seq", "MIT", "nobody", options=(option,))
    assert text_page.choice(many, "pt") == "pt_XX"
    assert text_page.choice(many, "fr") is None
    assert text_page.choice(card("pt-en", "pt", "en"), "pt") is None
