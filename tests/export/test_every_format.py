"""Every trace that can be saved goes through every format, and what can be read back comes back equal."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.random_traces import NASTY, traces
from xattn_viz import export, plots
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Deletion, DeletionCurve
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.store import load_trace
from xattn_viz.core.trace import Alternative, Hypothesis, Step, Trace, probability
from xattn_viz.core.view import View
from xattn_viz.export import figures
from xattn_viz.inputs import InputError
from xattn_viz.web.explorer import pack


def labelled(*labels: str, **fields: Any) -> Trace:
    axis = Axis("text", labels=labels)
    weights = np.full((1, 1, len(labels), len(labels)), 1 / len(labels), np.float32)
    return Trace((AttentionMaps(weights, axis, axis, "cross", (0,)),), **{"input": "", "output": "", **fields})


def scored(log_prob: float) -> Trace:
    step = Step("a", 1, log_prob, (Alternative("b", 2, log_prob),))
    return labelled("a", steps=(step,), hypotheses=(Hypothesis("c", log_prob),))


def timed(start: float, frame: float, sound: Any) -> Trace:
    keys = Axis("audio", times=tuple((start + i * frame, start + (i + 1) * frame) for i in range(3)))
    weights = np.full((1, 1, 1, 3), 1 / 3, np.float32)
    return Trace((AttentionMaps(weights, Axis("text", labels=("a",)), keys, "cross", (0,)),), sound, "a")


def followed(name: str) -> Trace:
    curves = [
        DeletionCurve(of, (0,), np.array([0.0, 1.0]), np.array([-0.5, end])) for of, end in ((name, -9), ("", -1))
    ]
    return labelled("a").with_evidence(Deletion((curves[0],), (curves[1],), ((0,),)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(traces())
@example(labelled(*NASTY, input="\ud800", output="One. \ud800 Two."))
@example(followed("\ud800"))
@example(scored(float("inf")))
@example(scored(float("-inf")))
@example(timed(1e300, 0.02, np.zeros((4, 0), np.float32)))  # no frame lasts any time, no sound to show
@example(timed(0, 1e12, np.zeros(900)))  # as samples, these frames would take petabytes
@example(timed(0, 0.02, np.full((4, 6), np.inf)))
@example(labelled("a", input=np.zeros((2, 2, 3), np.uint8), provenance={"layers": "no such list"}))
def test_every_trace_goes_through_every_format(trace: Trace) -> None:
    again = load_trace(export.npz(trace))
    np.testing.assert_equal(export.npz(again), export.npz(trace))  # NaN in an input is equal to itself here
    assert export.html(again).encode()
    told = json.loads(export.json(trace), parse_constant=pytest.fail)
    assert len(told["maps"]) == len(trace.maps)
    for number, maps in enumerate(trace.maps):
        bare = maps.without_padding()
        assert np.array_equal(np.array(told["maps"][number]["weights"], maps.weights.dtype), bare.weights)
        check_csv(export.csv(trace, kind=maps.kind), bare)
        for view in views(maps.kind):
            ET.fromstring(export.svg(trace, view).encode())  # noqa: S314 - our own text
            assert json.loads(export.json(trace, view), parse_constant=pytest.fail)["view"]["head"]
            assert export.csv(trace, view).encode()
            assert "/" not in export.file_name(trace, view)
        assert export.html(trace, View(maps.kind, -1, 0)).encode()
        for what in ("map", figures.WHAT[len(trace.output) % len(figures.WHAT)]):  # each of them in some example
            with suppress(InputError):  # what the trace does not have, or has no room for
                figure = figures.draw(trace, View(maps.kind, -1, 0), what, width="page")
                assert figure.tikz()[0].encode()
                ET.fromstring(figure.svg().encode())  # noqa: S314 - our own text
        assert plots.heatmap(maps).to_json()
        assert plots.heatmap(maps, head=None, rows="input", scale="common").to_json()


def views(kind: MapKind) -> tuple[View, ...]:
    """What can be looked at: each unit, reading, reduction and scale once."""
    return (
        View(kind, -1, 0, query=0, key=0),
        View(kind, None, "max", units="words", rows="input", special=False, query=9),
        View(kind, -1, "mean", units="sentences", scale="common", key=0),
    )


def check_csv(text: str, maps: AttentionMaps) -> None:
    lines = list(csv.DictReader(io.StringIO(text.encode().decode(), newline="")))
    assert np.array_equal(np.array([line["weight"] for line in lines], maps.weights.dtype), maps.weights.ravel())
    wanted = maps.to_frame()
    for column in wanted.columns.intersection(["query_label", "key_label"]):
        cells = [line[column] for line in lines]
        plain = [label.encode("utf-8", "backslashreplace").decode() for label in wanted[column]]
        assert [cell[1:] if cell.startswith("'") else cell for cell in cells] == plain
        assert not any(cell.lstrip()[:1] in tuple("=+-@＝＋－＠−") for cell in cells if cell.lstrip())
        assert not any(cell[:1] in tuple("\t\r\n") for cell in cells if cell)


@pytest.mark.parametrize(
    ("log_prob", "wanted"),
    [
        (0.0, 1.0),
        (-0.5, 0.6065306597126334),
        (1e-7, 1.0),
        (float("-inf"), 0.0),
        (float("inf"), 1.0),
        (10**400, 1.0),
        (-(10**400), 0.0),
    ],
)
def test_a_log_probability_of_any_size_becomes_a_probability(log_prob: float, wanted: float) -> None:
    assert probability(log_prob) == wanted
    page = pack(scored(log_prob))
    header = json.loads(page[4 : 4 + int.from_bytes(page[:4], "little")])
    assert header["steps"][0]["p"] == header["steps"][0]["alternatives"][0][1] == wanted
    assert export.html(scored(log_prob))
