from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import query, state, traces
from tests.server import ROOT
from xattn_viz.app import page_state, runner, text_page, trace_page
from xattn_viz.app.page import literal
from xattn_viz.app.runner import Stopped, Task
from xattn_viz.examples import EXAMPLES, Example
from xattn_viz.examples.shelf import SHELF
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError, NeedsConsent, Option


def opened() -> AppTest:
    return AppTest.from_file(ROOT / "app.py", default_timeout=60).run()


@pytest.mark.parametrize("example", [*EXAMPLES[::3], SHELF[2]], ids=lambda example: example.slug)
def test_an_example_brings_its_sentence_its_head_and_what_to_notice(example: Example) -> None:
    app = opened()
    if app.selectbox(key="direction").value != example.model:
        app.selectbox(key="direction").select(example.model).run()
    app.session_state["shelf"] = True
    app.run()
    app.button(key=f"shelf-{example.slug}").click().run()
    assert not [button for button in app.button if (button.key or "").startswith("shelf-")]  # closed behind one
    assert app.text_area(key="text").value == example.text
    assert traces(app)[0].input == example.text
    assert app.query_params["head"] == f"{example.layer + 1}.{example.head + 1}"
    remark = literal(f"Layer {example.layer + 1}, head {example.head + 1}. {example.said}")
    assert remark in [caption.value for caption in app.caption]


def test_the_page_says_what_weights_do_not_show_and_whose_model_it_is() -> None:
    said = " ".join(caption.value for caption in opened().caption)
    assert "do not show why the model chose a word" in said
    assert "Mozilla" in said
    assert "Bergamot" in said


def test_whole_text_says_what_it_risks() -> None:
    app = opened()
    app.text_area(key="text").set_value("One cat. Two dogs.")
    next(button for button in app.button if button.label == "Translate").click().run()
    assert len(traces(app)) == 2
    app.checkbox(key="whole").check().run()
    assert any(literal("it may skip, repeat or merge") in caption.value for caption in app.caption)
    assert len(traces(app)) == 1


def test_stopped_and_asked_again_runs_again() -> None:
    app = opened()
    app.text_area(key="text").set_value("A sentence that is stopped.")
    next(button for button in app.button if button.label == "Translate").click().run()
    # It is stopped before its first sentence is done, and nothing of it is remembered.
    task = Task(query(app))
    runner.keep(task, "", ())
    app.session_state["text-page"] = replace(state(app), outcomes=(Stopped(task, ()),))
    app.run()
    assert [info.value for info in app.info] == ["Stopped. Press Translate to start again."]
    next(button for button in app.button if button.label == "Translate").click().run()
    assert not any(isinstance(outcome, Stopped) for outcome in state(app).outcomes)
    assert not app.info


@pytest.fixture(scope="module")
def model() -> Adapter:
    """A tiny model of transformers, with an option of its own."""
    made = registry.families()["seq2seq"].example()
    made.card = replace(made.card, options=(Option("language", "Language", "en", choices=("en", "pt")),))
    return made


@pytest.mark.parametrize(
    ("chosen", "settings"),
    [
        ((), {}),
        ((("language", "pt"),), {"language": "pt"}),
        ((("allow_pickle", True), ("max_new_tokens", "9"), ("on_step", "x"), ("ablate", "y")), {}),
        ((("num_beams", "4"),), {"num_beams": 4}),
        ((("self_attention", True),), {"kinds": ("cross", "encoder", "decoder")}),
        ((("self_attention", False),), {}),
    ],
)
def test_only_options_that_there_are_reach_the_model(
    model: Adapter, chosen: tuple[tuple[str, str | bool], ...], settings: dict[str, Any]
) -> None:
    found = runner.settings(model, chosen)
    wanted = {"num_beams": 1, "keep_projections": "project" in model.card.can, **settings}
    if "num_beams" not in settings:
        found.setdefault("num_beams", 1)
    assert found == wanted


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("num_beams", "-4", "num_beams is a whole number of at most three digits: got '-4'."),
        ("num_beams", "\u00b2", "got '\u00b2'."),
        ("num_beams", "9" * 4400, "got '99999"),
        ("num_beams", True, "got 'True'."),
        ("self_attention", "true", "self_attention is true or false: got 'true'."),
    ],
)
def test_options_that_cannot_be_are_named(model: Adapter, option: str, value: str | bool, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)):
        runner.settings(model, ((option, value),))


def test_a_model_that_cannot_keep_projections_is_not_asked_to(model: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "card", replace(model.card, can=model.card.can - {"project"}))
    assert runner.settings(model, ())["keep_projections"] is False


def test_the_options_are_those_of_the_card_and_what_its_search_and_kinds_allow(
    model: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered(**changes: Any) -> dict[str, tuple[str, ...]]:
        card = replace(model.card, **changes)
        monkeypatch.setattr(page_state, "card_of", lambda name: card)
        return {option.name: option.choices for option in page_state.options_of("any")}

    assert offered(most_beams=1, kinds=("cross",)) == {"language": ("en", "pt")}
    everything = offered(most_beams=4)
    assert list(everything) == ["language", "num_beams", "self_attention"]
    assert everything["num_beams"] == ("1", "2", "3", "4")
    assert offered(most_beams=16)["num_beams"][-1] == "16"


def test_a_model_of_which_nothing_is_known_has_no_options() -> None:
    assert page_state.options_of("./nowhere") == ()


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  facebook/m2m100_418M ", "facebook/m2m100_418M"),
        ('"/home/me/my model"', "/home/me/my model"),
        ("'C:\\models\\mine'", "C:\\models\\mine"),
        ("https://example.org/google-t5/t5-small/", "google-t5/t5-small"),
        ("https://example.org/google-t5/t5-small?library=transformers#files", "google-t5/t5-small"),
        ("t5-small", "t5-small"),
        ("firefox-pt-en", "firefox-pt-en"),
        ("checkpoint", "./checkpoint"),
        ("   ", ""),
    ],
)
def test_a_name_is_taken_as_it_is_typed_or_pasted(typed: str, name: str) -> None:
    assert page_state.cleaned(typed) == name


def test_consent_is_asked_for_by_the_kind_of_error_and_never_by_its_words() -> None:
    assert trace_page.wants_consent(NeedsConsent("Its weights are a pickle."))
    for error in (ModelError("Load it with allow_pickle=True."), InputError("allow_pickle=True")):
        assert not trace_page.wants_consent(error)


def test_a_model_of_ones_own_with_the_same_text_leaves_the_field_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that Python sets replaces what is typed in the browser, so it is set only where it changes."""
    tiny = registry.families()["seq2seq"].example()
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).run()
    monkeypatch.setattr(registry, "load", lambda name, **_: tiny)
    app.selectbox(key="direction").select(page_state.OTHER).run()
    app.text_input(key="other").set_value("my/model").run()
    assert query(app).model == "my/model"
    assert traces(app)[0].provenance["model"] == tiny.card.name
    field = app.text_area(key="text")
    assert field.value == traces(app)[0].input
    assert not field.proto.set_value
    app.selectbox(key="direction").select("firefox-pt-en").run()
    assert app.text_area(key="text").proto.set_value  # it brings a text of its own


def test_a_model_that_hears_gets_no_text_to_open_as_a_file() -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).run()
    app.text_area(key="text").set_value("/etc/hostname")
    app.selectbox(key="direction").select(page_state.OTHER).run()
    app.text_input(key="other").set_value("./whisper-tiny-en").run()
    assert not app.exception
    assert len(app.error) == 1
    with pytest.raises(ModelError, match="does not read text"):
        trace_page.load("whisper-tiny-en", text_page.KIND, lambda *_: None)
