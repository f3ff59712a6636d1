"""Runs in a thread of their own, and on the page: what they make, how they end, what stays when they are stopped."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.app.visitor import state, traces
from tests.server import ROOT
from xattn_viz.app import runner
from xattn_viz.app.runner import Failed, Output, Query, Run, Running, Stopped, Task, TraceCache, size
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, Projections
from xattn_viz.core.trace import Trace
from xattn_viz.examples import EXAMPLES
from xattn_viz.inputs import InputError
from xattn_viz.models import base, registry
from xattn_viz.models.base import Adapter, Cancelled, Hooks, report
from xattn_viz.models.families import diffusion
from xattn_viz.models.provenance import Settings
from xattn_viz.models.registry import families

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


def run_of(model: Adapter, text: str = TEXT) -> Run:
    return Run(Task(Query("firefox-en-pt", text)), lambda report: model, "sentence")


def assert_same(ours: Trace, theirs: Trace) -> None:
    """The same output, with the same maps but for the order in which float32 numbers were added."""
    assert (ours.input, ours.output, ours.offset) == (theirs.input, theirs.output, theirs.offset)
    assert [step.id for step in ours.steps] == [step.id for step in theirs.steps]
    np.testing.assert_allclose(ours.cross.weights, theirs.cross.weights, atol=1e-5)


def test_a_run_makes_what_the_model_makes() -> None:
    model = registry.load("firefox-en-pt")
    run = run_of(model)
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, tuple)
    (made,) = run.outcome
    assert_same(made, model.trace(TEXT))
    assert made.cross.projections is not None
    assert run.look()
    assert run.latest is made


@pytest.mark.parametrize("is_watched", [True, False])
def test_only_a_run_that_is_watched_makes_traces_of_what_is_not_whole(
    monkeypatch: pytest.MonkeyPatch, is_watched: bool
) -> None:
    monkeypatch.setattr(base, "PARTIAL_SECONDS", 0.0)
    shown: list[Trace] = []
    monkeypatch.setattr(Run, "_keep", lambda _, trace: shown.append(trace))
    model = registry.load("firefox-en-pt")
    run = Run(Task(Query("firefox-en-pt", TEXT)), lambda report: model, is_watched=is_watched)
    wait(lambda: run.outcome)
    assert bool(shown) == is_watched


@pytest.mark.parametrize("output", [Output(target="A garça espera."), Output(prefix=(5, 9))], ids=["target", "prefix"])
def test_another_output_is_of_one_sentence_at_its_place(output: Output) -> None:
    model = registry.load("firefox-en-pt")
    best = replace(model.trace("The river rose."), offset=40)
    (made,) = Task.of_output(Query("firefox-en-pt", TEXT, output=output), best).traces(model)
    assert made.offset == 40
    wanted = model.trace("The river rose.", **output.settings())
    assert (made.output, [step.id for step in made.steps]) == (wanted.output, [step.id for step in wanted.steps])


def test_a_run_that_nobody_looks_at_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ABANDONED_SECONDS", 0.5)
    model = Held()
    run = run_of(model)
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
    run = run_of(model)
    wait(model.waits.is_set)
    run.stop()
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, Cancelled)
    assert [trace.input for trace in run.made] == [TEXT]
    assert run.latest is run.made[0]


def test_a_drawing_says_what_its_maps_take_before_it_begins() -> None:
    model = diffusion.FAMILY.example()
    task = Task(Query("any", "a cat", options=(("steps", "2"),)))
    said = task.most_bytes(model)
    assert said == model.most_bytes("a cat", steps="2")
    run = Run(task, lambda report: model, "prompt")
    wait(run.look)
    assert isinstance(run.outcome, tuple), run.outcome
    assert run.progress[1].endswith("step 1 of 2 · its maps take at most 1 MB")
    assert 0 < (said or 0) < 1e6
    assert Task(Query("any", TEXT)).most_bytes(registry.load("firefox-en-pt")) is None


def test_an_error_is_the_outcome_of_a_run() -> None:
    run = run_of(registry.load("firefox-en-pt"), " ")
    wait(lambda: run.outcome)
    assert isinstance(run.outcome, InputError)
    assert str(run.outcome) == "The text is empty: type at least one word."


def opened() -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).run()
    return app.checkbox(key="live").check().run()


def translate(app: AppTest, text: str) -> AppTest:
    app.text_area(key="text").set_value(text)
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
    look(app, lambda: state(app).running is None)
    assert not app.exception
    assert not app.error
    plain = list(registry.load(EXAMPLES[0].model).traces(text))
    assert len(traces(app)) == len(plain) == 2
    for ours, theirs in zip(traces(app), plain, strict=True):
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
    assert state(app).running is None
    assert [info.value for info in app.info] == ["Stopped after 1 sentence. Press Translate to start again."]
    assert [trace.input for trace in traces(app)] == ["A live text that is stopped."]
    assert not app.exception


def test_a_live_run_that_fails_is_a_sentence() -> None:
    app = opened()
    translate(app, "  ")
    look(app, lambda: state(app).running is None)
    assert [error.value for error in app.error] == [r"The text is empty\: type at least one word\."]
    assert traces(app) == ()
    assert not app.exception


def test_what_came_of_a_run_is_one_of_four() -> None:
    model = Held()
    run = run_of(model)
    running = Running(run.task, run)
    wait(model.waits.is_set)
    assert runner.ended(running) is running
    stopped = runner.stopped(running)
    assert stopped == Stopped(run.task, tuple(run.made))
    wait(lambda: run.outcome)
    assert runner.ended(running) == stopped
    failing = run_of(registry.load("firefox-en-pt"), " ")
    wait(lambda: failing.outcome)
    failed = runner.ended(Running(failing.task, failing))
    assert isinstance(failed, Failed)
    assert str(failed.error) == "The text is empty: type at least one word."


def test_a_run_of_another_output_that_is_stopped_leaves_none() -> None:
    model = Held()
    best = registry.load("firefox-en-pt").trace(TEXT)
    run = Run(
        Task.of_output(Query("firefox-en-pt", TEXT, output=Output(target="A garça.")), best), lambda report: model
    )
    wait(lambda: run.outcome)
    assert runner.stopped(Running(run.task, run)).traces == ()


def made(keys: int, d_k: int = 0) -> Trace:
    weights = np.full((1, 1, 2, keys), 1 / keys, np.float32)
    projections = None
    if d_k:
        projections = Projections(np.zeros((1, 1, 2, d_k), np.float32), np.zeros((1, 1, keys, d_k), np.float32), 1.0)
    maps = AttentionMaps(
        weights,
        Axis("text", labels=("a", "b")),
        Axis("text", labels=tuple(map(str, range(keys)))),
        "cross",
        (0,),
        projections=projections,
    )
    return Trace((maps,), "in", "out")


def task(text: str, **changes: Any) -> Task:
    return Task(Query("model", text, **changes))


def test_the_least_recently_used_traces_are_forgotten_beyond_the_limit() -> None:
    cache = TraceCache(limit=3 * 2 * 10 * 4)  # three traces of 2 × 10 float32
    for text in "abc":
        cache.put(task(text), "", (made(10),))
    assert cache.get(task("a")) is not None
    cache.put(task("d"), "", (made(10),))
    assert [cache.get(task(text)) is not None for text in "abcd"] == [True, False, True, True]


def test_traces_larger_than_the_limit_are_kept_alone() -> None:
    cache = TraceCache(limit=10)
    cache.put(task("a"), "", (made(10),))
    cache.put(task("b"), "", (made(10),))
    assert cache.get(task("a")) is None
    assert cache.get(task("b")) is not None


def test_another_model_or_whole_text_is_another_request_and_how_it_is_looked_at_is_not() -> None:
    cache = TraceCache(limit=10_000)
    cache.put(task("a"), "", (made(3),))
    assert cache.get(Task(Query("other", "a"))) is None
    assert cache.get(task("a", whole=True)) is None
    assert cache.get(task("a", options=(("beams", "2"),))) is None
    assert cache.get(task("a", source="picture")) is None
    assert cache.get(task("a"), "other files") is None
    assert cache.get(replace(task("a"), given=made(3))) is not None


def test_another_output_is_asked_for_anew() -> None:
    cache = TraceCache(limit=10_000)
    cache.put(replace(task("a", output=Output(target="b")), segment="a"), "", (made(3),))
    assert cache.get(replace(task("a", output=Output(target="c")), segment="a")) is None
    assert cache.get(replace(task("a", output=Output(prefix=(1, 2))), segment="a")) is None
    assert cache.get(task("a")) is None
    assert cache.get(replace(task("a", output=Output(target="b")), segment="a")) is not None


def test_queries_and_keys_count_towards_thesize() -> None:
    assert size((made(10),)) == 2 * 10 * 4
    assert size((made(10, d_k=4),)) == (2 * 10 + (2 + 10) * 4) * 4


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_held_is_left_out_once_and_garbage_before_it_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = weakref.ref(Cycle())
    monkeypatch.setattr(runner, "_seen", [])
    runner.settle()
    assert gone() is None
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    later = [Cycle() for _ in range(100)]
    runner.settle()
    assert gc.get_freeze_count() <= frozen  # none more; what nothing refers to any longer goes all the same
    monkeypatch.setitem(sys.modules, "a_module_that_was_loaded", ModuleType("a_module_that_was_loaded"))
    runner.settle()
    assert gc.get_freeze_count() > frozen
    kept = [weakref.ref(one) for one in later]
    later.clear()
    runner.settle()  # nothing was loaded since, so what was left out is not looked at
    assert any(ref() is not None for ref in kept)
    del sys.modules["a_module_that_was_loaded"]
    runner.settle()
    assert all(ref() is None for ref in kept)


def test_what_is_loaded_while_a_run_is_looked_at_is_left_out_and_garbage_goes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Held()
    run = run_of(model)
    wait(model.waits.is_set)
    monkeypatch.setattr(runner, "_seen", [])
    gc.unfreeze()
    gc.disable()
    gone = weakref.ref(Cycle())
    run.look()
    gc.enable()
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    later = weakref.ref(Cycle())
    run.look()  # nothing was loaded since
    gc.collect()
    assert gc.get_freeze_count() <= frozen
    assert (gone() is None, later() is None) == (False, True)
    runner.settle()
    assert gone() is None
    run.stop()
