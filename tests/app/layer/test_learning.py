from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from xattn_viz.app import runner
from xattn_viz.app.layer import learning
from xattn_viz.app.layer.learning import Trainings
from xattn_viz.lessons.training import Setting, Training
from xattn_viz.models import resources

PATIENCE = 60.0
LONG = Setting(steps=1500)


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "PACE_SECONDS", 0.0)


def wait(until: Callable[[], object], look: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "It never came."
        look()
        time.sleep(0.01)


def test_two_go_on_together_and_make_what_each_makes_alone() -> None:
    settings = {"usual": Setting(steps=12), "swapped": Setting(steps=12, order="swapped")}
    both = Trainings(settings)
    assert (both.step, both.goes_on, both.is_done) == (0, False, False)
    both.start()
    both.start()  # a second start changes nothing
    wait(lambda: both.is_done)
    wait(lambda: not both.goes_on)
    for name, setting in settings.items():
        alone = list(Training(setting))
        assert [record.step for record in both.records[name]] == [record.step for record in alone]
        # The order in which numbers are added may depend on the number of threads.
        assert both.records[name][-1].loss == pytest.approx(alone[-1].loss, rel=1e-3)
    assert [both.at(number) for number in range(4)] == [0, 5, 10, 12]


def test_a_stop_holds_until_the_next_start() -> None:
    one = Trainings({"": LONG})
    one.start()
    wait(lambda: one.step > 0)
    one.stop()
    assert not one.goes_on
    stopped = one.step
    time.sleep(0.2)
    assert one.step == stopped
    one.start()
    wait(lambda: one.step > stopped)
    one.stop()
    assert [record.step for record in one.records[""]] == [5 * i for i in range(len(one.records[""]))][:21] + [
        100 + 25 * (i - 20) for i in range(21, len(one.records[""]))
    ]


def test_what_nobody_looks_at_pauses_and_can_be_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ABANDONED_SECONDS", 0.5)
    one = Trainings({"": LONG})
    one.start()
    end = time.monotonic() + 1.2
    while time.monotonic() < end:  # more than twice as long as it lasts without a look
        one.look()
        time.sleep(0.02)
    assert one.goes_on
    wait(lambda: not one.goes_on)
    left = one.step
    assert 0 < left < LONG.steps
    one.start()
    wait(lambda: one.step > left, one.look)
    one.stop()


def test_a_fault_is_said_and_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    one = Trainings({"": LONG})

    def fail(_: Training) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(Training, "update", fail)
    one.start()
    wait(lambda: one.has_failed)
    wait(lambda: not one.goes_on)
    assert "planted" in caplog.text


def test_it_waits_for_its_turn_and_can_be_stopped_while_it_waits() -> None:
    one = Trainings({"": LONG})
    held = [resources.run_slot() for _ in range(resources.RUNS_AT_ONCE)]
    for place in held:
        place.__enter__()
    try:
        one.start()
        time.sleep(0.3)
        assert one.goes_on
        assert one.step == 0
        one.stop()
        assert one._job is not None
        assert one._job.look()  # it ended while it waited
        assert not one.has_failed
    finally:
        for place in held:
            place.__exit__(None, None, None)
    assert not one.goes_on
