from __future__ import annotations

from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import opened, press, query, state, traces
from xattn_viz.app.query import LONGEST_TEXT
from xattn_viz.examples import EXAMPLES

FIRST = EXAMPLES[0]
OTHER = next(example for example in EXAMPLES if example.model != FIRST.model)


def shown(app: AppTest) -> tuple[str, str]:
    return query(app).model, query(app).input


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, (FIRST.model, FIRST.text)),
        ({"model": "no-such-model"}, (FIRST.model, FIRST.text)),
        ({"model": OTHER.model}, (OTHER.model, OTHER.text)),
        ({"model": OTHER.model, "text": "   "}, (OTHER.model, OTHER.text)),
        ({"text": "Good night."}, (FIRST.model, "Good night.")),
        ({"model": OTHER.model, "text": "Boa noite."}, (OTHER.model, "Boa noite.")),
    ],
)
def test_the_address_says_what_is_shown(said: dict[str, str], wanted: tuple[str, str]) -> None:
    app = opened(**said)
    assert shown(app) == wanted
    assert app.text_input(key="text").value == wanted[1]
    assert app.selectbox(key="direction").value == wanted[0]
    assert traces(app)[0].input == wanted[1]


@pytest.mark.parametrize(("said", "number"), [("2", 2), ("9", 3), ("0", 1), ("x", 1), ("²", 1), ("-1", 1)])
def test_the_address_names_a_sentence(said: str, number: int) -> None:
    app = opened(text="One cat. Two dogs. Three birds.", sentence=said)
    assert state(app).segment + 1 == number


def test_paging_and_whole_text_reach_the_address() -> None:
    app = opened(text="One cat. Two dogs. Three birds.", row="2", units="words")
    press(app, "Next ▶")
    assert dict(app.query_params) == {
        "model": FIRST.model,
        "text": "One cat. Two dogs. Three birds.",
        "sentence": "2",
        "units": "words",
        "head": f"{FIRST.layer + 1}.{FIRST.head + 1}",
    }
    app.checkbox(key="whole").check().run()
    assert app.query_params["whole"] == "true"
    assert "sentence" not in app.query_params
    assert len(traces(app)) == 1
    app.text_input(key="text").set_value("One cow. Two pigs.")
    press(app, "Translate")
    assert (app.query_params["text"], app.query_params["whole"]) == ("One cow. Two pigs.", "true")


def test_a_long_text_stays_out_of_the_address() -> None:
    app = opened()
    text = "word " * (LONGEST_TEXT // 5)
    app.text_input(key="text").set_value(text.strip() + "x" * (LONGEST_TEXT - 1 - len(text.strip())))
    press(app, "Translate")
    assert len(app.query_params["text"]) == LONGEST_TEXT - 1
    app.text_input(key="text").set_value(app.query_params["text"] + "x")
    press(app, "Translate")
    assert "text" not in app.query_params
    assert len(urlencode(dict(app.query_params))) < 100


def test_each_direction_keeps_its_text_and_its_view() -> None:
    app = opened()
    app.text_input(key="text").set_value("My friend sings.")
    press(app, "Translate")
    app.selectbox(key="direction").select(OTHER.model).run()
    assert shown(app) == (OTHER.model, OTHER.text)
    assert app.query_params["head"] == f"{OTHER.layer + 1}.{OTHER.head + 1}"
    app.selectbox(key="direction").select(FIRST.model).run()
    assert shown(app) == (FIRST.model, "My friend sings.")
    assert app.text_input(key="text").value == "My friend sings."
