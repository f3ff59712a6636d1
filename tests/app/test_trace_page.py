from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import state, traces
from tests.server import ROOT
from xattn_viz import examples
from xattn_viz.app import page_state, sound_page
from xattn_viz.app.page import literal
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError

APP = ROOT / "app.py"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModelError("The file model.bin is damaged: *install* it again."), r"The file model\.bin is damaged"),
        (InputError("The text is empty."), r"The text is empty\."),
        (RuntimeError("secret detail"), "The server’s log says more"),
    ],
)
def test_whatever_goes_wrong_is_a_sentence_and_no_map_stands_under_another_text(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(name: str, **_: Any) -> Any:
        raise error

    app = AppTest.from_file(APP, default_timeout=30).run()
    assert traces(app)
    monkeypatch.setattr(registry, "load", fail)
    app.text_area(key="text").set_value("A text for which nothing is remembered.")
    app.button[[button.label for button in app.button].index("Translate")].click().run()
    assert len(app.error) == 1
    assert said in app.error[0].value
    assert "secret detail" not in app.error[0].value
    assert not app.exception
    assert traces(app) == ()
    assert not app.expander  # the panels below a map
    assert app.text_area(key="text").value == "A text for which nothing is remembered."


@pytest.mark.parametrize(("page", "action"), [("translate", "Translate"), ("draw", "Draw")])
def test_an_emptied_field_is_told_before_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, page: str, action: str
) -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.switch_page(f"pages/{page}.py").run()
    assert traces(app)
    monkeypatch.setattr(registry, "load", None)
    monkeypatch.setattr(page_state, "_LOADED", {})
    app.text_area(key="text").set_value("")
    app.button[[button.label for button in app.button].index(action)].click().run()
    assert [error.value for error in app.error] == [literal("The text is empty: type at least one word.")]
    assert not app.exception
    assert traces(app) == ()
    assert not app.expander


def test_a_damaged_example_is_traced_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(slug: str) -> Trace:
        raise ValueError("not a trace")

    first = examples.EXAMPLES[0]
    wanted = examples.load(first.slug)
    assert wanted is not None
    monkeypatch.setattr(examples, "load", damaged)
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.error
    assert traces(app)[0].output == wanted.output


def test_what_is_wrong_with_a_model_stands_above_its_map(monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.error
    monkeypatch.setattr(registry.load("firefox-en-pt"), "fault", "It writes *nonsense*.")
    app.text_area(key="text").set_value("A text of a model with a fault.")
    app.button[[button.label for button in app.button].index("Translate")].click().run()
    for _ in range(100):
        if "run" not in app.session_state or state(app).running is None:
            break
        app.run()
    assert [error.value for error in app.error] == [r"It writes \*nonsense\*\."]
    assert traces(app)[0].input == "A text of a model with a fault."
    assert not [caption for caption in app.caption if "nonsense" in caption.value]  # not a second time among notes


def test_the_page_about_the_layer_says_what_is_wrong_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.load("firefox-en-pt"), "fault", "It writes nonsense.")
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["section"] = "self_vs_cross"
    app.switch_page("pages/layer.py").run()
    assert "It writes nonsense\\." in [error.value for error in app.error]


@pytest.mark.parametrize(("page", "library", "extra"), [("speech", "av", "speech"), ("draw", "diffusers", "diffusion")])
def test_a_page_whose_library_is_left_out_says_so(
    monkeypatch: pytest.MonkeyPatch, page: str, library: str, extra: str
) -> None:
    spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == library else spec(name, *more))
    monkeypatch.setattr(registry, "load", lambda name, **more: registry.families()[family(name)].load(name, **more))
    sound_page._clip.cache_clear()
    app = AppTest.from_file(APP, default_timeout=60).run().switch_page(f"pages/{page}.py").run()
    if page == "draw":
        app.text_area(key="text").set_value("a red ring above a small blue star")
        app.button[[button.label for button in app.button].index("Draw")].click().run()
    assert not app.exception
    assert any(literal(f'pip install "xattn-viz[{extra}]"') in error.value for error in app.error)


def family(name: str) -> str:
    return next(card.family for card in registry.cards() if card.name == name)
