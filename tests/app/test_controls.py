from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import query, state, traces
from tests.server import ROOT
from xattn_viz.app import runner
from xattn_viz.app.page import literal
from xattn_viz.app.runner import Stopped, Task
from xattn_viz.examples import EXAMPLES, Example


def opened() -> AppTest:
    return AppTest.from_file(ROOT / "app.py", default_timeout=60).run()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_an_example_brings_its_sentence_its_head_and_what_to_notice(example: Example) -> None:
    app = opened()
    if app.selectbox(key="direction").value != example.model:
        app.selectbox(key="direction").select(example.model).run()
    mine = [other for other in EXAMPLES if other.model == example.model]
    app.selectbox(key="example").select_index(mine.index(example)).run()
    assert app.text_input(key="text").value == example.text
    assert traces(app)[0].input == example.text
    assert app.query_params["head"] == f"{example.layer + 1}.{example.head + 1}"
    remark = literal(f"Layer {example.layer + 1}, head {example.head + 1}. {example.notice}")
    assert remark in [caption.value for caption in app.caption]


def test_the_page_says_what_weights_do_not_show_and_whose_model_it_is() -> None:
    said = " ".join(caption.value for caption in opened().caption)
    assert "do not show why the model chose a word" in said
    assert "Mozilla" in said
    assert "Bergamot" in said


def test_whole_text_says_what_it_risks() -> None:
    app = opened()
    app.text_input(key="text").set_value("One cat. Two dogs.")
    next(button for button in app.button if button.label == "Translate").click().run()
    assert len(traces(app)) == 2
    app.checkbox(key="whole").check().run()
    assert any(literal("it may skip, repeat or merge") in caption.value for caption in app.caption)
    assert len(traces(app)) == 1


def test_stopped_and_asked_again_runs_again() -> None:
    app = opened()
    app.text_input(key="text").set_value("A sentence that is stopped.")
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
