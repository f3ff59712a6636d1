"""What a query is compared with: said by the address, typed in place, wrong in a sentence while the first stays."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.app.visitor import query
from tests.server import ROOT
from xattn_viz.app import page_state
from xattn_viz.app.page_state import PageState, Shown
from xattn_viz.app.runner import Output, Query, compared_address, parse_compared

FIRST, SECOND, MODEL = "The old bridge creaks.", "The new bridge creaks loudly.", "firefox-en-pt"


def opened(**said: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for name, value in {"model": MODEL, "text": FIRST, **said}.items():
        app.query_params[name] = value
    return app.run()


def state(app: AppTest) -> PageState:
    found: PageState = app.session_state["text-page"]
    return found


def shown(app: AppTest) -> Shown:
    found = state(app).shown
    assert found is not None
    return found


def test_an_address_says_what_a_query_is_compared_with() -> None:
    asked = Query("one", "A cat.", options=(("beams", "2"),), output=Output(target="x"))
    for other in (
        Query("one", "A dog.", options=asked.options),
        Query("two", "A cat."),
        Query("two", "A dog.", options=(("quick", True),)),
        Query("one", "A cat.", options=asked.options),
    ):
        said = compared_address(asked, other)
        assert parse_compared(said, asked, lambda name: name == "two") == other
    heard, names = Query("one", "first", "sound"), {"sound": lambda name: name != "gone"}
    for other in (heard.reading("sound", "second"), Query("two", "second", "sound")):
        said = compared_address(heard, other)
        assert parse_compared(said, heard, lambda name: name == "two", names) == other  # type: ignore[arg-type]
    assert parse_compared({"compare-sound": "gone"}, heard, lambda name: True, names) is None  # type: ignore[arg-type]
    assert parse_compared({"compare-model": "unknown"}, asked, lambda name: False) is None
    assert parse_compared({}, asked, lambda name: True) is None


def test_a_second_sentence_stands_beside_the_first_until_it_is_taken_away() -> None:
    app = opened(compare=SECOND)
    assert not app.exception
    assert (shown(app).trace.input, getattr(shown(app).beside, "input", None)) == (FIRST, SECOND)
    assert shown(app).names == page_state.COMPARED
    assert not app.error
    app.session_state["compare"] = True  # which opens the popover
    app.run()
    (field,) = (field for field in app.text_input if (field.key or "").startswith("compare-text"))
    assert field.value == SECOND
    field.set_value("Five old bridges creak.").run()
    assert (query(app).input, app.query_params["compare"]) == (FIRST, "Five old bridges creak.")
    assert getattr(shown(app).beside, "input", None) == "Five old bridges creak."
    app.text_area(key="text").set_value("The old bridge sings.")
    next(button for button in app.button if button.label == "Translate").click().run()
    assert (shown(app).trace.input, app.query_params["compare"]) == ("The old bridge sings.", "Five old bridges creak.")
    next(button for button in app.button if button.label == "Stop comparing").click().run()
    assert "compare" not in app.query_params
    assert shown(app).beside is None
    assert not app.exception


def test_what_is_wrong_with_the_second_is_said_and_the_first_stays() -> None:
    app = opened(compare=SECOND)
    app.session_state["compare"] = True
    app.run()
    (field,) = (field for field in app.text_input if (field.key or "").startswith("compare-text"))
    field.set_value(f"a{' ' * 1001}b").run()
    assert not app.exception
    assert (shown(app).trace.input, shown(app).beside) == (FIRST, None)
    assert [error.value.replace("\\", "") for error in app.error] == [
        "The text holds 1,001 blanks in a row: at most 1,000 are read. Take them out."
    ]
    app = opened(**{"compare-model": "firefox-pt-en"})
    assert not app.exception
    assert getattr(shown(app).beside, "model", None) == "firefox-pt-en"
    assert app.query_params["compare-model"] == "firefox-pt-en"
