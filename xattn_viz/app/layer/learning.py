"""Watch it learn: a small encoder-decoder is trained in the page, and its cross-attention map forms in view."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import get_args

import plotly.graph_objects as go
import streamlit as st

from xattn_viz import plots
from xattn_viz.app import page_state, runner
from xattn_viz.app.layer import parts
from xattn_viz.app.page import literal
from xattn_viz.app.runner import Job
from xattn_viz.lessons.model import Order
from xattn_viz.lessons.training import (
    TASKS,
    Record,
    Setting,
    Training,
    lengths_sentence,
    map_sentence,
    orders_sentence,
    snippet,
)
from xattn_viz.models.base import Cancelled
from xattn_viz.models.registry import share_cores
from xattn_viz.models.resources import run_slot

_LOG = logging.getLogger(__name__)

#: The lengths on which both models of the view "context" are trained.
LENGTHS = (4, 8, 12, 16, 20)
_STEPS_OF_LENGTHS = 1000
#: How the page names both of them.
CROSS, FIXED = "cross-attention", "one fixed vector"
#: The least time between two records, so that one can see a map form, and others get their turn.
PACE_SECONDS = 0.15
_PATIENCE_SECONDS = 2.0
# Between two looks at one training; two of them draw twice as much.
_LOOK_SECONDS = 0.5
_HEIGHT, _LOWER = 400, 340
_VIEWS = {"one": "One model", "context": "Beside one fixed vector", "orders": "Both orders"}
_ATTEMPTS = {
    "one": "press Start, stop when the diagonal shows, and go through the updates again. Then another task, or seed.",
    "context": "press Start and watch the longest sources: which model falls behind first? Sorting is the exception.",
    "orders": "press Start: which of the two maps forms first?",
}
_CLAIMS = {
    "one": "It is never told where to look: the map comes with the task.",
    "context": "One fixed vector has room for short sources. Cross-attention reads each symbol where it is.",
    "orders": "The swapped order learns too: cross-attention first, then self-attention.",
}


def show() -> None:
    """The section."""
    view, settings = _controls()
    trainings = _current(settings)
    parts.claim(_CLAIMS[view], _ATTEMPTS[view])
    goes_on = trainings.goes_on
    st.fragment(_watch, run_every=_LOOK_SECONDS * len(settings) if goes_on else None)(view, trainings, goes_on)
    parts.in_a_notebook(snippet(settings.values()), "learning")


def _controls() -> tuple[str, dict[str, Setting]]:
    """What is trained, by the name under which the page shows it."""
    with st.container(horizontal=True, vertical_alignment="top"):
        view = st.segmented_control(
            "Show",
            list(_VIEWS),
            format_func=_VIEWS.__getitem__,
            key="learning-view",
            default="one",
            required=True,
            bind="query-params",
        )
        names = [name for name, task in TASKS.items() if task.grows or view != "context"]
        task = st.segmented_control(
            "Task",
            names,
            format_func=lambda name: TASKS[name].title,
            key="learning-task" if view != "context" else "learning-growing",
            default="reverse",
            required=True,
            bind="query-params",
        )
        order: Order = "usual"
        if view == "one":
            order = st.segmented_control(
                "Cross-attention",
                get_args(Order),
                format_func={"usual": "after self-attention", "swapped": "before it"}.__getitem__,
                key="learning-order",
                default="usual",
                required=True,
                bind="query-params",
            )
        layers = st.segmented_control(
            "Layers", [1, 2], key="learning-layers", default=1, required=True, bind="query-params"
        )
        seed = st.number_input(
            "Seed",
            0,
            9999,
            0,
            key="learning-seed",
            width=130,
            bind="query-params",
        )
    return view, _settings(view, Setting(task, layers=int(layers), order=order, seed=int(seed)))


def _settings(view: str, chosen: Setting) -> dict[str, Setting]:
    """What a view trains, by the name under which the page shows it."""
    if view == "context":
        cross = replace(chosen, lengths=LENGTHS, steps=_STEPS_OF_LENGTHS)
        return {CROSS: cross, FIXED: replace(cross, model="fixed context", layers=1)}
    if view == "orders":
        return {"usual order": chosen, "swapped order": replace(chosen, order="swapped")}
    return {CROSS: chosen}


def _current(settings: dict[str, Setting]) -> Trainings:
    """The visitor's trainings; those of other settings end."""
    here = page_state.visit().layer
    kept: Trainings | None = here.get("trainings")
    if kept is not None and kept.settings == settings:
        return kept
    if kept is not None:
        kept.stop()
    here["trainings"] = made = Trainings(settings)
    return made


def _control(trainings: Trainings, last: int) -> int:
    """The buttons; while nothing trains, beside them the choice of a record, the last at first."""
    with st.container(horizontal=True, vertical_alignment="center", key="learning-line"):
        if trainings.goes_on:
            if st.button("Stop", key="learning-stop", type="primary"):
                trainings.stop()
                st.rerun()  # the whole page decides whether this part repaints by itself
        elif trainings.is_done:
            st.button("Trained", key="learning-done", disabled=True)
        elif st.button("Resume" if trainings.step else "Start", key="learning-start", type="primary"):
            trainings.start()
            st.rerun()
        if st.button("Reset", key="learning-reset", disabled=not trainings.step):
            trainings.stop()
            del page_state.visit().layer["trainings"]
            st.rerun()
        if trainings.has_failed:
            st.error("The training ended with a fault of the program. The server\u2019s log says more.")
        return last if trainings.goes_on or not last else _replay(trainings, last)


def _watch(view: str, trainings: Trainings, went_on: bool) -> None:
    """How the trainings stand, or stood at the step that is chosen after them."""
    trainings.look()
    if went_on and not trainings.goes_on:
        st.rerun()
    last = min(len(made) for made in trainings.records.values()) - 1
    number = _control(trainings, last)
    first, here = (_numbers(trainings, one) for one in (0, number))
    with st.container(key="seen-learning"):
        st.markdown(f"**Just seen:** {literal(parts.changes(first, here))}")
    parts.finding(f"Update {trainings.at(number)} of {trainings.steps}. {_finding(view, trainings, number)}")
    loss = plots.lines(
        {name: ([r.step for r in made], [r.loss for r in made]) for name, made in trainings.so_far(last).items()},
        x="updates",
        y="loss, nats a symbol",
        mark=trainings.at(number),
        dark=parts.is_dark(),
        height=_HEIGHT,
    )
    loss.update_xaxes(range=[0, trainings.steps]).update_yaxes(rangemode="tozero")
    drawn = [_by_length(trainings, number)] if view == "context" else list(_maps(trainings, number))
    left, *places = st.columns([1, 1.2] if len(drawn) == 1 else [0.8, 1, 1])
    with left:
        parts.figure(loss, "learning-loss")
    for i, figure in enumerate(drawn):
        with places[i % len(places)]:
            parts.figure(figure, f"learning-figure-{i}")


def _numbers(trainings: Trainings, number: int) -> tuple[parts.Said, parts.Said]:
    """The update of a record, and how well each model does there."""
    found: dict[str, str] = {}
    for name, made in trainings.records.items():
        whose = f" ({name})" if len(trainings.records) > 1 else ""
        found[f"loss{whose}"] = f"{made[number].loss:.2f}"
        found[f"right outputs{whose}"] = f"{made[number].outputs[-1]:.2f}"
    return {"update": str(trainings.at(number))}, found


def _finding(view: str, trainings: Trainings, number: int) -> str:
    records = {name: made[number] for name, made in trainings.records.items()}
    if view == "one":
        return map_sentence(trainings.of[CROSS], records[CROSS])
    return (lengths_sentence if view == "context" else orders_sentence)(trainings.of, records)


def _replay(trainings: Trainings, last: int) -> int:
    """The record that is chosen, the last at first."""
    return int(
        st.select_slider(
            "Replay",
            range(last + 1),
            last,
            format_func=lambda number: f"update {trainings.at(number)}",
            key=f"learning-replay-{last}",
            label_visibility="collapsed",
        )
    )


def _maps(trainings: Trainings, number: int) -> Iterator[go.Figure]:
    """The map of each layer; of several trainings those of one layer after each other."""
    for layer in range(max(setting.layers for setting in trainings.settings.values())):
        for name, training in trainings.of.items():
            record, example = trainings.records[name][number], training.example
            titles = [name] if len(trainings.of) > 1 else []
            titles += [f"layer {layer + 1}"] if training.setting.layers > 1 else []
            yield plots.matrix(
                record.weights[layer, 0],
                rows=record.predicted,
                columns=example.source,
                row_title="predicted",
                column_title="source",
                title=", ".join(titles),
                dark=parts.is_dark(),
                height=_HEIGHT if len(trainings.of) * training.setting.layers <= 2 else _LOWER,
            )


def _by_length(trainings: Trainings, number: int) -> go.Figure:
    shown = plots.lines(
        {name: (training.lengths, trainings.records[name][number].outputs) for name, training in trainings.of.items()},
        x="letters in the source",
        y="share of right outputs",
        dark=parts.is_dark(),
        height=_HEIGHT,
    )
    return shown.update_yaxes(range=[-0.03, 1.03]).update_xaxes(tickvals=LENGTHS)


class Trainings:
    """One training or several by name, which go on together in the background while somebody looks at them.

    `records` are those that each has made so far.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self.settings = dict(settings)
        self.of = {name: Training(setting) for name, setting in settings.items()}
        self.records: dict[str, list[Record]] = {name: [] for name in settings}
        self._alone = threading.Lock()  # a job that was stopped may still be in its last update
        self._job: Job[int] | None = None
        self._one_more()

    @property
    def step(self) -> int:
        """How many updates all trainings have behind them."""
        return min(made[-1].step for made in self.records.values())

    @property
    def steps(self) -> int:
        """How many there will be."""
        return max(setting.steps for setting in self.settings.values())

    @property
    def is_done(self) -> bool:
        """Whether the last update is made."""
        return self.step >= self.steps

    @property
    def goes_on(self) -> bool:
        """Whether they are training now."""
        return self._job is not None and self._job.outcome is None and self._job.goes_on()

    @property
    def has_failed(self) -> bool:
        """Whether a fault of the program ended them; the log says which."""
        return self._job is not None and isinstance(self._job.outcome, Exception)

    def at(self, number: int) -> int:
        """How many updates lie before a record, counted from 0."""
        return min(made[number].step for made in self.records.values())

    def so_far(self, last: int) -> dict[str, list[Record]]:
        """The records up to one, by the name of the training."""
        return {name: made[: last + 1] for name, made in self.records.items()}

    def look(self) -> None:
        """Whoever looks keeps them going."""
        if self._job is not None:
            self._job.look()

    def start(self) -> None:
        """Begin, or go on after a stop."""
        if not self.goes_on:
            self._job = Job(self._train)

    def stop(self) -> None:
        """Pause, after the update that is being made."""
        if self._job is not None:
            self._job.stop()
            self._job.look(_PATIENCE_SECONDS)

    def _train(self, job: Job[int]) -> int:
        try:
            with self._alone:
                share_cores()
                runner.settle()
                while job.goes_on() and not self.is_done:
                    with run_slot(lambda *_: job.goes_on()):
                        self._one_more()
                    time.sleep(PACE_SECONDS)
        except Cancelled:
            pass
        except Exception:
            _LOG.exception("A training failed.")
            raise
        return self.step

    def _one_more(self) -> None:
        # The one that is behind first: after a fault they go on in step.
        for name in sorted(self.of, key=lambda name: len(self.records[name])):
            self.records[name].append(next(self.of[name]))
