"""Runs in a thread of their own, and on the page: what they make, how they end, what stays when they are stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz.app import runs
from xattn_viz.app.address import Output, Request
from xattn_viz.app.runs import Asked, Run
from xattn_viz.core.trace import Trace
from xattn_viz.examples import EXAMPLES
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled, Hooks, InputError, report
from xattn_viz.models.registry import families
from xattn_viz.models.settings import Settings

PATIENCE = 60.0
TEXT = "The grey heron waits beside the water."


class Held(Adapter):
    """The tiny Firefox model, which waits before its second sentence for as long as the run goes on."""

    def __init__(self) -> None:
        self.real = families()["firefox"].example()
        self.card, self.size = self.real.card, self.real.size
        self.waits = threading.Event()

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        return self.real.trace(input, **settings.as_keywords(), on_step=hooks.on_step)

    def _traces(self, input: Any, **settings: Any) -> Iterator[Trace]:
        yield self.real.trace(input, **{name: settings[name] for name in ("on_step", "on_partial") if name in settings})
        self.waits.set()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            report(settings["on_step"], 0, 1)
            time.sleep(0.01)
        raise AssertionError("The run was not ended.")


def wait(until: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "It never came."
        time.sleep(0.01)


def asked(**changes: Any) -> Asked:
    return Asked(Request("firefox-en-pt", TEXT), **changes)


def assert_same(ours: Trace, theirs: Trace) -> None:
    """The same output, with the same maps but for the order in which float32 numbers were added."""
    assert (ours.input, ours.output, ours.offset) == (theirs.input, theirs.output, theirs.offset)
    assert [step.id for step in ours.steps] == [step.id for step in theirs.steps]
    np.testing.assert_allclose(ours.cross.weights, theirs.cross.weights, atol=1e-5)


def test_a_run_makes_what_the_model_makes() -> None:
    model = registry.load("firefox-en-pt")
    run = Run(asked(), model)
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, tuple)
    (made,) = run.outcome
    assert_same(made, model.trace(TEXT))
    assert made.cross.projections is not None
    assert run.look() is made


@pytest.mark.parametrize("output", [Output(target="A garça espera."), Output(prefix=(5, 9))], ids=["target", "prefix"])
def test_another_output_is_of_one_sentence_at_its_place(output: Output) -> None:
    model = registry.load("firefox-en-pt")
    best = replace(model.trace("The river rose."), offset=40)
    (made,) = Asked.of(asked().request, best, output).traces(model)
    assert made.offset == 40
    wanted = model.trace("The river rose.", **output.settings())
    assert (made.output, [step.id for step in made.steps]) == (wanted.output, [step.id for step in wanted.steps])


def test_a_run_that_nobody_looks_at_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ABANDONED_SECONDS", 0.5)
    model = Held()
    run = Run(asked(), model)
    wait(model.waits.is_set)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:  # more than twice as long as it lasts without a look
        run.look()
        time.sleep(0.02)
    assert run.outcome is None
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, Cancelled)


def test_stop_keeps_the_sentences_that_are_made() -> None:
    model = Held()
    run = Run(asked(), model)
    wait(model.waits.is_set)
    run.stop()
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, Cancelled)
    assert [trace.input for trace in run.made] == [TEXT]
    assert run.latest is run.made[0]


def test_an_error_is_the_outcome_of_a_run() -> None:
    run = Run(Asked(Request("firefox-en-pt", " ")), registry.load("firefox-en-pt"))
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, InputError)
    assert str(run.outcome) == "The text is empty: type at least one word."


def opened() -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).run()
    return app.checkbox(key="live").check().run()


def translate(app: AppTest, text: str) -> AppTest:
    app.text_input(key="text").set_value(text)
    return next(button for button in app.button if button.label == "Translate").click().run()


def look(app: AppTest, until: Callable[[], object]) -> None:
    """Run the page again and again, as its fragment does in a browser."""
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "It never came."
        time.sleep(0.1)
        app.run()


def test_what_was_written_live_is_what_a_plain_run_writes() -> None:
    app = opened()
    text = "The live crane flies. The live stork walks."
    translate(app, text)
    look(app, lambda: app.session_state["run"] is None)
    assert not app.exception
    assert not app.error
    plain = list(registry.load(EXAMPLES[0].model).traces(text))
    assert len(app.session_state["shown"]) == len(plain) == 2
    for ours, theirs in zip(app.session_state["shown"], plain, strict=True):
        assert_same(ours, theirs)
        assert not ours.remarks


def test_a_live_run_that_is_stopped_leaves_its_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened()
    model = Held()
    monkeypatch.setattr(registry, "load", lambda name, **_: model)
    translate(app, "A live text that is stopped.")
    wait(model.waits.is_set)
    app.run()
    app.button(key="stop-writing").click().run()
    assert app.session_state["run"] is None
    assert [info.value for info in app.info] == ["Stopped after 1 sentence. Press Translate to start again."]
    assert [trace.input for trace in app.session_state["shown"]] == ["A live text that is stopped."]
    assert not app.exception


def test_a_live_run_that_fails_is_a_sentence() -> None:
    app = opened()
    translate(app, "  ")
    look(app, lambda: app.session_state["run"] is None)
    assert [error.value for error in app.error] == [r"The text is empty\: type at least one word\."]
    assert app.session_state["shown"] is None
    assert not app.exception
