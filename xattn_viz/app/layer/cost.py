"""Time and memory against length: as they were measured once, and on this machine when the visitor asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import plots
from xattn_viz.app import page_state
from xattn_viz.app.layer import parts
from xattn_viz.app.page import literal
from xattn_viz.lessons import cost
from xattn_viz.lessons.cost import D_K, EXPLICIT, FEWEST_RUNS, FUSED, HEADS, LENGTHS, MOST_RUNS, WAYS, Measured, Record
from xattn_viz.models.registry import share_cores
from xattn_viz.models.resources import run_slot

_HEIGHT = 400
#: The slope is read off the longest lengths: at short ones the time goes into what does not grow.
_FITTED = 3


@st.fragment
def show() -> None:
    """What was measured on log axes beside the slope that theory gives: what ships, until this machine is measured."""
    parts.claim(
        "Twice the length is four times the work, but only the explicit softmax needs four times the memory.",
        "read off how much longer 2,048 positions take than 1,024; then measure on this machine, and compare.",
    )
    share_cores()
    row = st.container(horizontal=True, vertical_alignment="center", key="cost-row")
    is_pressed = row.button("Measure on this machine", type="primary", key="measure")
    line, place = row.empty(), st.empty()
    if is_pressed:
        _measure(line, place)
    own: Sequence[Measured] = page_state.visit().layer.get("measured", ())
    record = cost.shipped()
    is_own = len(own) == len(LENGTHS) * len(WAYS)
    if not is_pressed:
        _draw(own if is_own else record.measured, place)
    _say_seen(record, own if is_own else None)
    parts.finding(_said(own) if is_own else f"{_said(record.measured)} {_whose(record)}")
    parts.finding(_HOW)
    parts.in_a_notebook(cost.snippet(LENGTHS[-1]), "cost")


def _measure(line: DeltaGenerator, place: DeltaGenerator) -> None:
    """Measure, one at a time with all other runs. Drawing is where Streamlit ends it when the visitor leaves."""
    total, done = len(LENGTHS) * len(WAYS), list[Measured]()

    def on_step(*_: int) -> bool:
        line.progress(len(done) / total, text="Waiting for other runs …" if not done else _next(len(done)))
        return True

    page_state.visit().layer["measured"] = done
    with run_slot(on_step), closing(cost.measure()) as measuring:
        line.progress(0.0, text=_next(0))
        for one in measuring:
            done.append(one)
            on_step()
            if len(done) % len(WAYS) == 0:
                _draw(done, place)
    line.empty()


def _next(done: int) -> str:
    return f"Length {LENGTHS[min(done // len(WAYS), len(LENGTHS) - 1)]} …"


def _draw(measured: Sequence[Measured], place: DeltaGenerator) -> None:
    time, memory = (
        _figure(measured, "milliseconds", lambda one: one.seconds * 1e3, {EXPLICIT: 2, FUSED: 2}),
        _figure(measured, "megabytes at the peak", lambda one: one.bytes / 1e6, {EXPLICIT: 2, FUSED: 1}),
    )
    left, right = place.container().columns(2)
    with left:  # a place that is drawn anew needs a new key
        parts.figure(time, f"cost-time-{len(measured)}")
    with right:
        parts.figure(memory, f"cost-memory-{len(measured)}")


def _figure(measured: Sequence[Measured], y: str, of: Callable[[Measured], float], powers: dict[str, int]) -> go.Figure:
    curves: dict[str, tuple[Sequence[float], Sequence[float]]] = {}
    theory = {f"{'n²' if power == 2 else 'n'}, through {way}": way for way, power in powers.items()}
    for way in WAYS:
        ours = [one for one in measured if one.way == way]
        curves[way] = ([one.length for one in ours], [of(one) for one in ours])
    for name, way in theory.items():
        points = list(zip(*curves[way], strict=True))[len(LENGTHS) - _FITTED :]
        curves[name] = (LENGTHS, cost.theory(LENGTHS, points[0], powers[way])) if points else ((), ())
    figure = plots.lines(
        curves,
        x="length n of queries and keys",
        y=y,
        log_x=True,
        log_y=True,
        dashed=list(theory),
        dark=parts.is_dark(),
        height=_HEIGHT,
    )
    for way, expected in zip(figure.data, figure.data[len(WAYS) :], strict=False):
        expected.update(mode="lines", line={"color": way.line.color, "width": 2})
    ends = [math.log10(0.85 * LENGTHS[0]), math.log10(LENGTHS[-1] / 0.85)]
    figure.update_xaxes(range=ends, tickvals=LENGTHS, ticktext=[str(length) for length in LENGTHS])
    return figure.update_yaxes(dtick=1, **({} if measured else {"range": [-2, 2]}))


_HOW = (
    f"Queries, keys and values [1, {HEADS}, n, {D_K}] in float32. Time is the fastest of {FEWEST_RUNS} to {MOST_RUNS} "
    "calls; memory the most that PyTorch’s allocator held beside q, k and v, read off its profiler. Measuring takes "
    "about five seconds."
)


def _say_seen(record: Record, own: Sequence[Measured] | None) -> None:
    """The longest length on this machine beside the one that ships."""
    there = {"machine": record.machine}, _longest(record.measured)
    here = ({"machine": "this one"}, _longest(own)) if own is not None else None
    with st.container(key="seen-cost"):
        said = parts.changes(there if here else None, here or there)
        st.markdown(f"**Just seen:** {literal(said)}")


def _longest(measured: Sequence[Measured]) -> dict[str, str]:
    return {
        f"{one.way} of {one.length} positions": f"{one.seconds * 1e3:.3g} ms and {one.bytes / 1e6:.3g} MB"
        for one in measured
        if one.length == LENGTHS[-1]
    }


def _whose(record: Record) -> str:
    where = f"{record.machine} with PyTorch {record.torch}, on {_threads(record.threads)}, {record.date}"
    return f"Measured on {where}: of {record.rounds} rounds the fastest."


def _said(measured: Sequence[Measured]) -> str:
    said = [_fitted(way, [one for one in measured if one.way == way][-_FITTED:]) for way in WAYS]
    return (
        f"From {LENGTHS[-_FITTED]} to {LENGTHS[-1]}, {'; '.join(said)}. Theory (dashed) counts multiplications and "
        "values held, not what it takes to move them."
    )


def _fitted(way: str, longest: Sequence[Measured]) -> str:
    lengths = [one.length for one in longest]
    times = cost.slope(lengths, [one.seconds for one in longest])
    memory = cost.slope(lengths, [one.bytes for one in longest])
    return (
        f"{way}: time grows as n^{times:.2f} and memory as n^{memory:.2f}, to {longest[-1].seconds * 1e3:.3g} ms and "
        f"{longest[-1].bytes / 1e6:.3g} MB"
    )


def _threads(threads: int) -> str:
    return f"{threads} thread{'' if threads == 1 else 's'}"
