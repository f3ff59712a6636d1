"""What a visitor shows the captioner, and what an address or a browser may say of it."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import query, traces
from tests.server import ROOT
from xattn_viz.app import drawing_page, picture_page, sound_page, text_page
from xattn_viz.app.page import literal
from xattn_viz.examples import SCENES, SceneExample
from xattn_viz.models import registry
from xattn_viz.shapes import caption
from xattn_viz.shapes.scene import from_link

LINK = "green-ring-30-50-17"


def opened(**said: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    app.switch_page("pages/images.py")
    for name, value in said.items():
        app.query_params[name] = value
    return app.run()


def shown(app: AppTest) -> tuple[str, str]:
    asked = query(app)
    return (asked.input if asked.source == "picture" else ""), (asked.input if asked.source == "scene" else "")


@pytest.mark.parametrize("example", SCENES, ids=lambda example: example.slug)
def test_a_scene_brings_its_head_and_what_to_notice(example: SceneExample) -> None:
    app = opened()
    app.selectbox(key="picture").select(example.slug).run()
    assert not app.exception
    assert (app.query_params["picture"], app.query_params["head"]) == (
        example.slug,
        f"{example.layer + 1}.{example.head + 1}",
    )
    remark = literal(f"Layer {example.layer + 1}, head {example.head + 1}. {example.notice}")
    assert any(remark in said.value for said in app.caption)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, (SCENES[0].slug, "")),
        ({"picture": "alone"}, ("alone", "")),
        ({"picture": "0123456789abcdef"}, (SCENES[0].slug, "")),  # an upload of another visit
        ({"scene": LINK}, ("", LINK)),
        ({"scene": LINK, "picture": "alone"}, ("", LINK)),
        ({"scene": "<b>", "picture": "alone"}, ("alone", "")),
        ({"scene": "red-circle-30-45-0", "model": "firefox-en-pt"}, (SCENES[0].slug, "")),
        ({"text": "/etc/hostname", "model": "./nowhere"}, (SCENES[0].slug, "")),
    ],
)
def test_the_address_says_which_picture(said: dict[str, str], wanted: tuple[str, str]) -> None:
    app = opened(**said)
    assert not app.exception
    assert shown(app) == wanted


def test_a_sentence_asks_for_its_scene_and_keeps_the_model() -> None:
    app = opened()
    app.toggle(key="own").set_value(True).run()
    app.text_input(key="sentence").set_value("a small red star above a blue ring").run()
    scene = from_link(shown(app)[1])
    assert caption(scene) == "a small red star above a large blue ring"
    assert query(app).model == SCENES[0].model
    app.text_input(key="sentence").set_value("a hexagon").run()
    assert "hexagon" in app.error[0].value
    assert from_link(shown(app)[1]) == scene


def test_each_page_lists_its_own_models() -> None:
    listed = {}
    for page in (text_page.KIND, sound_page.KIND, picture_page.KIND, drawing_page.KIND):
        listed[page.name] = {card.name for card in registry.cards() if page.has(card)}
        assert listed[page.name]
    assert sum(map(len, listed.values())) == len(registry.cards())
    assert "draw-shapes" in listed["prompt"]
    assert "caption-shapes" in listed["image"]


@pytest.mark.parametrize(
    "drawn",
    [
        None,
        [],
        {"things": [], "turn": 1},
        {"things": [{"colour": "red"}], "turn": 1},
        {"things": 3, "turn": 1},
        {"things": [{"colour": "red", "shape": "ring", "x": "nan", "y": 0.5, "radius": 0.1}], "turn": 1},
        {"things": [{"colour": "red", "shape": "ring", "x": 0.5, "y": 0.5, "radius": 0.1}] * 4, "turn": 1},
        {"things": [{"colour": "red", "shape": "ring", "x": 0.5, "y": 0.5, "radius": 0.1}], "turn": float("inf")},
        {"things": [{"colour": {}, "shape": "ring", "x": 0.5, "y": 0.5, "radius": 0.1}], "turn": 1},
    ],
)
def test_what_is_no_scene_of_the_easel_changes_nothing(monkeypatch: pytest.MonkeyPatch, drawn: Any) -> None:
    monkeypatch.setattr(picture_page, "page_state", None)  # any use of it would fail
    monkeypatch.setattr(picture_page, "actions", None)
    picture_page.take_easel(drawn)


def test_a_model_that_reads_a_hint_opens_with_a_grey_picture_and_says_what_each_word_reads() -> None:
    app = opened(model="hint-concatenated")
    assert not app.exception
    assert shown(app)[0] == SCENES[0].slug
    assert app.text_input(key="option_hint").value == "the star is blue, the circle is red"
    assert any(literal("Right to the last word.") in said.value for said in app.caption)
    (table,) = (frame.value for frame in app.dataframe if "word" in frame.value)
    table = table.set_index("word")
    for colour, shape in (("red", "circle"), ("blue", "star")):
        for column in ("weight on the hint", "falls without the hint"):
            assert table[column][colour] > table[column][shape]
        assert table["falls without the picture"][shape] > table["falls without the hint"][shape]
    app.text_input(key="option_hint").set_value("the circle is pink").run()
    assert app.query_params["option.hint"] == "the circle is pink"
    assert traces(app)[0].output == "a small pink circle above a large star"
    app.text_input(key="option_hint").set_value("the moon is red").run()
    assert (
        literal("The hint says “moon” (nearest: “brown”), and this model knows only blue, brown,") in app.error[0].value
    )
