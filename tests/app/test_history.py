"""What was seen in a visit: kept over pages, errors and a reload, in bounded memory, each one click back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.app.visitor import opened, press, query, state, traces
from xattn_viz import examples
from xattn_viz.app import history, page_state, runner
from xattn_viz.app.page_state import Seen
from xattn_viz.core.view import View
from xattn_viz.models import registry
from xattn_viz.plots.colours import table

SENTENCE = "A grey cat sleeps."


def visit(app: AppTest) -> page_state.Visit:
    found: page_state.Visit = app.session_state["visit"]
    return found


def seen(app: AppTest) -> list[Seen]:
    """What is remembered of a visit, the last first."""
    name = visit(app).name
    found = [one for (whose, *_), one in page_state._seen.items() if whose == name]
    return sorted(found, key=lambda one: -one.number)


def strip(app: AppTest) -> list[str]:
    """Open the strip: what its cards say, the last first."""
    app.session_state["past"] = True
    app.run()
    return [one.label for one in app.button if (one.key or "").startswith("return-")]


def say(app: AppTest, text: str) -> AppTest:
    app.text_area(key="text").set_value(text)
    return press(app, "Translate")


def test_each_trace_is_one_click_back_with_its_view_and_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    app = say(opened(head="2.3", row="1"), SENTENCE)
    first = seen(app)[-1].state.view
    assert (first.layer, first.head, first.query) == (1, 3 - 1, 1)
    say(app, "  ")  # an error
    assert len(app.error) == 1
    app.switch_page("pages/speech.py").run()
    assert strip(app)[1:] == ["A grey cat sleeps\\.", "The cat sat on the mat\\."]
    before = visit(app).name

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("No model is to run.")

    monkeypatch.setattr(registry, "load", fail)
    monkeypatch.setattr(runner, "kept", lambda *_: None)
    monkeypatch.setattr("xattn_viz.app.runner.shipped", lambda _: None)
    next(one for one in app.button if one.label.startswith("A grey cat")).click().run()
    assert not app.exception
    assert not app.error
    assert (visit(app).kind.name, query(app).input, len(traces(app))) == ("text", SENTENCE, 1)  # type: ignore[union-attr]
    assert not [one for one in app.button if (one.key or "").startswith("return-")]  # closed behind it
    app.switch_page("pages/translate.py").run()  # where a browser is by now
    strip(app)
    next(one for one in app.button if one.label.startswith("The cat")).click().run()
    assert not app.error
    assert state(app).view == first
    assert app.query_params["head"] == "2.3"
    assert visit(app).name == before
    # Beside what is on screen stands another one, without a run; it is part of what is gone back to.
    strip(app)
    next(one for one in app.button if (one.key or "").startswith("compare-")).click().run()
    shown = state(app).shown
    assert not app.error
    assert shown is not None
    assert shown.beside is not None
    assert (shown.query.input, shown.beside.input) == ("The cat sat on the mat.", SENTENCE)
    # Cleared, it holds what is on screen and nothing else.
    strip(app)
    app.button(key="clear-past").click().run()
    assert [one.state.query for one in seen(app)] == [query(app)]


def test_after_a_reload_the_visit_goes_on_and_no_other_is_found() -> None:
    left = say(opened(), SENTENCE)
    name = visit(left).name
    again = opened()
    assert len(name) >= 20
    assert visit(again).name != name
    calls = iter([lambda: history.go_on_as("guessed"), lambda: history.go_on_as(name)])
    for wanted in (1, 2):
        app = AppTest.from_function(_run, default_timeout=60)
        app.session_state["visit"], app.session_state["text-page"] = visit(again), state(again)
        app.session_state["call"] = next(calls)
        app.run()
        assert not app.exception
        assert len(seen(app)) == wanted
    assert visit(again).name == name


def _run() -> None:
    import streamlit as st

    st.session_state["call"]()


def test_memory_is_bounded_in_traces_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_state, "MOST_SEEN", 2)
    app = opened()
    for text in ("One dog.", "Two dogs."):
        say(app, text)
    assert [one.state.query.input for one in seen(app)] == ["Two dogs.", "One dog."]
    total = sum(page_state._bytes(one) for one in page_state._seen.values())
    assert total <= page_state._seen.currsize <= page_state.SEEN_BYTES
    assert page_state._bytes(seen(app)[0]) >= runner.size(traces(app))


@pytest.mark.parametrize("dark", [True, False])
def test_a_small_map_is_the_map_in_its_colours(dark: bool) -> None:
    trace = examples.load("cat")
    assert trace is not None
    view = View(layer=1, head=0)
    png = history.small_map(trace, view, dark=dark)
    assert png is not None
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    weights = trace.cross.head(1, 0)
    times = len(pixels) // len(weights)
    assert pixels.shape == (*(times * side for side in weights.shape), 3)
    levels = np.rint(255 * weights / weights.max()).astype(int)
    assert (pixels[::times, ::times] == table("magma", dark=dark)[levels]).all()
    for slug in ("forward", "boat"):  # sound is pooled; whatever the page shows has a picture
        other = examples.load(slug)
        assert other is not None
        made = history.small_map(other, View().on(other), dark=dark)
        assert made is not None
        assert max(Image.open(io.BytesIO(made)).size) <= 2 * history._SIDE
