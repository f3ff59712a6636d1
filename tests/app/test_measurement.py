"""What is asked about heads runs by the side, is kept with its trace, and ends when nobody wants it any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.app.visitor import opened, press, state
from xattn_viz.app import runner
from xattn_viz.app.runner import Done, Measurement, Query, Stopped, Task, Whose
from xattn_viz.core.trace import HeadGrid
from xattn_viz.models.base import Adapter, Cancelled, OnStep, report
from xattn_viz.models.registry import families

GRID = HeadGrid("cost", "What each head costs", "nats a token", "cross", (0,), np.ones((1, 1), np.float32), "By hand.")
PATIENCE = 60.0


def model() -> Adapter:
    """A tiny one."""
    return families()["firefox"].example()


def asked(work: Callable[[Adapter, OnStep], Any], text: str) -> Measurement:
    """A measurement of the only trace of a text, which is kept."""
    task = Task(Query("tiny", text))
    runner.keep(task, "", (model().trace(text),))
    return Measurement(Whose(task, 0, ""), ("costs", "zero"), 1, lambda _: model(), work)


def test_what_is_found_is_kept_and_becomes_evidence_of_the_trace() -> None:
    measurement = asked(lambda *_: ("found", (GRID,)), "The cat sat.")
    assert measurement.look(PATIENCE)
    whose = measurement.whose
    assert measurement.outcome == "found" == runner.measured(whose, ("costs", "zero"))
    assert runner.asked_of(whose) == (("costs", "zero"),)
    kept = runner.kept(whose.task)
    assert kept is not None
    assert kept[0].evidence == (GRID,)
    assert runner.measured(Whose(whose.task, 0, "other files"), ("costs", "zero")) is None


def test_one_that_is_stopped_ends_at_its_next_run_and_leaves_nothing() -> None:
    def work(_: Adapter, on_step: OnStep) -> Any:
        while True:
            report(on_step, 1, 2)
            time.sleep(0.01)

    measurement = asked(work, "The dog sat.")
    while measurement.progress[0] == 0:
        time.sleep(0.01)
    assert measurement.progress == (0.5, "1 of 2 runs of the model")
    measurement.stop()
    assert measurement.look(PATIENCE)
    assert isinstance(measurement.outcome, Cancelled)
    assert runner.measured(measurement.whose, ("costs", "zero")) is None
    kept = runner.kept(measurement.whose.task)
    assert kept is not None
    assert kept[0].evidence == ()


def test_the_tab_asks_before_it_runs_and_a_new_sentence_empties_it() -> None:
    app = opened(tab="evidence")
    assert state(app).tab == "evidence"
    assert state(app).measurement is None
    assert any("nothing runs until you do" in one.value for one in app.markdown)
    app = next(button for button in app.button if button.label.startswith("Measure each head")).click().run()
    measurement = state(app).measurement
    assert measurement is not None
    assert measurement.look(PATIENCE)
    app.run()
    assert any("matters most" in one.value for one in app.markdown)
    shown = state(app).shown
    assert shown is not None
    assert shown.trace.grid("cost") is not None
    app.text_area(key="text").set_value("The river is cold.")
    app = press(app, "Translate")
    assert state(app).measurement is None
    assert not any("matters most" in one.value for one in app.markdown)
    assert not app.exception


def test_traces_of_a_stopped_run_get_their_evidence_too() -> None:
    task = Task(Query("tiny", "The fox sat."))
    made = (model().trace("The fox sat."),)
    measurement = Measurement(Whose(task, 0, ""), ("costs", "zero"), 1, lambda _: model(), lambda *_: ("", (GRID,)))
    assert measurement.look(PATIENCE)
    before = state(opened())
    for outcome, wanted in ((Stopped(task, made), (GRID,)), (Done(task, made), ())):
        after = before.with_outcome(outcome).with_measured(measurement).outcome_of(task)
        assert isinstance(after, Stopped | Done)
        assert after.traces[0].evidence == wanted
