"""What stays and what goes when a visitor turns from page to page, and what an address makes of a page."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import opened, press, query, state, traces
from xattn_viz.app import page_state, runner
from xattn_viz.app.page_state import Kind, PageState
from xattn_viz.app.runner import LONGEST_TEXT, Failed, Output, Query, Stopped, Task
from xattn_viz.app.sound_page import KIND as AUDIO
from xattn_viz.app.text_page import KIND as TEXT
from xattn_viz.core.view import View
from xattn_viz.examples import EXAMPLES, SPEECH

FIRST = EXAMPLES[0]


class State(dict[str, Any]):
    """A session's state: the same by attribute and by key."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Browser:
    """The address of a browser, and what its page has."""

    def __init__(self, session: State) -> None:
        self.session, self.said, self.path = session, dict[str, str](), ""

    def turn(self, kind: Kind | None, path: str = "", **said: str) -> PageState:
        self.said, self.path = said, path
        page_state.enter(kind)
        return page_state.current()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    made = Browser(State())

    class Context:
        @property
        def url(self) -> str:
            return made.path

    monkeypatch.setattr(page_state, "st", SimpleNamespace(session_state=made.session, context=Context()))
    monkeypatch.setattr(page_state, "read_address", lambda: made.said)
    return made


def asks(text: str) -> PageState:
    """Ask for a text, as an action does."""
    state = page_state.current()
    return page_state.put(state.begin(replace(state.query, input=text), View(layer=2, units="words")))


def test_each_kind_finds_its_own_again(browser: Browser) -> None:
    assert browser.turn(TEXT).query == Query(FIRST.model, FIRST.text)
    assert page_state.visit().address is None
    sentence = asks("a sentence")
    assert browser.turn(AUDIO).query == Query(SPEECH[0].model, SPEECH[0].slug, "sound")
    again = browser.turn(TEXT)
    assert (again.query, again.view, again.first) == (sentence.query, sentence.view, sentence.view)
    assert page_state.visit().address == again.address()  # which the browser's says from now on
    browser.turn(TEXT)
    assert page_state.visit().address is None


def test_back_on_a_page_its_address_is_what_counts(browser: Browser) -> None:
    browser.turn(TEXT)
    asks("a sentence")
    browser.turn(AUDIO)
    back = browser.turn(TEXT, text="Another one.", head="2.3", units="words", sentence="2")
    assert back.query == Query(FIRST.model, "Another one.")
    assert (back.view, back.segment) == (View(layer=1, head=2, units="words"), 1)
    assert browser.session["text"] == "Another one."
    # The same page has several paths: a step in the browser's history can lead from one to another.
    assert browser.turn(TEXT, "/translate", text="A third.").query.input == "A third."
    assert browser.turn(TEXT, "/translate", text="Not read by a run of the same page.").query.input == "A third."


def test_a_page_without_a_kind_leaves_all_in_place(browser: Browser) -> None:
    browser.turn(TEXT)
    sentence = asks("a sentence")
    browser.turn(None)
    browser.turn(None)
    assert (page_state.current().query, page_state.kind()) == (sentence.query, TEXT)
    assert browser.turn(TEXT).query == sentence.query
    assert page_state.visit().address == page_state.current().address()


def test_a_first_visit_to_a_page_without_a_kind_is_no_return(browser: Browser) -> None:
    page_state.enter(None)
    browser.turn(AUDIO)
    assert page_state.visit().address is None
    assert page_state.kind() == AUDIO


def test_controls_of_a_page_that_was_left_are_not_heard(browser: Browser) -> None:
    heard: list[str] = []
    callback = page_state.while_here(heard.append)
    browser.turn(TEXT)
    callback("here")
    browser.turn(None)
    callback("late")
    browser.turn(TEXT)
    callback("back")
    assert heard == ["here", "back"]


@pytest.mark.parametrize(
    "state",
    [
        PageState(Query(FIRST.model, "One cat. Two dogs."), View(layer=1, head=3, query=2), segment=1),
        PageState(Query(FIRST.model, "One cat.", whole=True, output=Output(target="Um gato."), options=(("a", True),))),
        PageState(Query(FIRST.model, "One cat.", output=Output(prefix=(3, 4))), View(noise=2), is_beside=True),
        PageState(Query(FIRST.model, "One cat.", output=Output(hypothesis=2)), View(layer=None, head="max")),
    ],
)
def test_an_address_says_a_page_and_is_read_back(browser: Browser, state: PageState) -> None:
    browser.turn(TEXT)
    read = page_state.said_by(state.address())
    assert (read.query, read.view, read.segment, read.is_beside) == (
        state.query,
        replace(state.view, colours="magma"),
        state.segment,
        state.is_beside,
    )


def test_another_query_ends_what_came_of_the_one_before_and_another_output_only_that_of_outputs() -> None:
    query = Query("model", "One cat.")
    state = PageState(query).with_outcome(Stopped(Task(query), ()))
    state = state.with_outcome(Failed(Task(replace(query, output=Output(target="a")), "One cat."), ValueError()))
    other = state.begin(replace(query, output=Output(target="b")), state.view)
    assert other.outcomes == (Stopped(Task(query), ()),)
    assert other.begin(replace(query, input="Two dogs."), state.view).outcomes == ()
    assert other.history == {"model": query}


def test_what_begins_once_more_is_told_from_what_began_before() -> None:
    state = PageState(Query("model", "One cat."), View(layer=1), first=View(layer=1))
    looked = replace(state, view=View(layer=2))
    assert looked.begin(state.query, View(layer=1)).turn == 1
    assert looked.begin(state.query, View(layer=2)).turn == 0


def test_what_only_this_visit_has_is_in_no_link(browser: Browser) -> None:
    browser.turn(TEXT, text="Hello.", model="firefox-en-pt")
    assert asks("Hello.").unlinked == ""
    assert "too long for a link" in asks("Hello. " * 200).unlinked
    state = browser.turn(AUDIO)
    assert state.unlinked == ""
    name = page_state.visit().keep("sounds", b"a sound", None)
    own = state.query.reading("sound", name)
    assert "Only this visit has" in replace(state, query=own).unlinked
    assert "Only this visit has" in replace(state, compared=own).unlinked


FIRST_TEXT = EXAMPLES[0]
OTHER = next(example for example in EXAMPLES if example.model != FIRST_TEXT.model)


def shown(app: AppTest) -> tuple[str, str]:
    return query(app).model, query(app).input


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, (FIRST_TEXT.model, FIRST_TEXT.text)),
        ({"model": "no-such-model"}, (FIRST_TEXT.model, FIRST_TEXT.text)),
        ({"model": OTHER.model}, (OTHER.model, OTHER.text)),
        ({"model": OTHER.model, "text": "   "}, (OTHER.model, OTHER.text)),
        ({"text": "Good night."}, (FIRST_TEXT.model, "Good night.")),
        ({"model": OTHER.model, "text": "Boa noite."}, (OTHER.model, "Boa noite.")),
    ],
)
def test_the_address_says_what_is_shown(said: dict[str, str], wanted: tuple[str, str]) -> None:
    app = opened(**said)
    assert shown(app) == wanted
    assert app.text_area(key="text").value == wanted[1]
    assert app.selectbox(key="direction").value == wanted[0]
    assert traces(app)[0].input == wanted[1]


def test_options_without_a_text_are_those_of_the_first_one() -> None:
    defaults = {name: Query(name, "x", options=(("kept", True),)) for name in ("one", "other")}
    for said, options in (
        ({"model": "other", "option.seed": "5"}, (("seed", "5"),)),
        ({"option.seed": "5"}, (("seed", "5"),)),
        ({"model": "other"}, (("kept", True),)),
        ({"model": "unknown", "option.seed": "5"}, (("kept", True),)),
    ):
        assert runner.parse_query(said, defaults, lambda _: False).options == options


@pytest.mark.parametrize(("said", "number"), [("2", 2), ("9", 3), ("0", 1), ("x", 1), ("²", 1), ("-1", 1)])
def test_the_address_names_a_sentence(said: str, number: int) -> None:
    app = opened(text="One cat. Two dogs. Three birds.", sentence=said)
    assert state(app).segment + 1 == number


def test_paging_and_whole_text_reach_the_address() -> None:
    app = opened(text="One cat. Two dogs. Three birds.", row="2", units="words")
    press(app, "Next ▶")
    assert dict(app.query_params) == {
        "model": FIRST_TEXT.model,
        "text": "One cat. Two dogs. Three birds.",
        "sentence": "2",
        "units": "words",
        "head": f"{FIRST_TEXT.layer + 1}.{FIRST_TEXT.head + 1}",
    }
    app.checkbox(key="whole").check().run()
    assert app.query_params["whole"] == "true"
    assert "sentence" not in app.query_params
    assert len(traces(app)) == 1
    app.text_area(key="text").set_value("One cow. Two pigs.")
    press(app, "Translate")
    assert (app.query_params["text"], app.query_params["whole"]) == ("One cow. Two pigs.", "true")


def test_a_long_text_stays_out_of_the_address() -> None:
    app = opened()
    text = "word " * (LONGEST_TEXT // 5)
    app.text_area(key="text").set_value(text.strip() + "x" * (LONGEST_TEXT - 1 - len(text.strip())))
    press(app, "Translate")
    assert len(app.query_params["text"]) == LONGEST_TEXT - 1
    app.text_area(key="text").set_value(app.query_params["text"] + "x")
    press(app, "Translate")
    assert "text" not in app.query_params
    assert len(urlencode(dict(app.query_params))) < 100


def test_each_direction_keeps_its_text_and_its_view() -> None:
    app = opened()
    app.text_area(key="text").set_value("My friend sings.")
    press(app, "Translate")
    app.selectbox(key="direction").select(OTHER.model).run()
    assert shown(app) == (OTHER.model, OTHER.text)
    assert app.query_params["head"] == f"{OTHER.layer + 1}.{OTHER.head + 1}"
    app.selectbox(key="direction").select(FIRST_TEXT.model).run()
    assert shown(app) == (FIRST_TEXT.model, "My friend sings.")
    assert app.text_area(key="text").value == "My friend sings."
