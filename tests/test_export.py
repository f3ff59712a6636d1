from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.speech import FRAME, SOUNDING, START, speech_maps
from xattn_viz import export
from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps
from xattn_viz.store import load_trace
from xattn_viz.trace import Alternative, Step, Trace


def made(dtype: str = "float32", input: Any = 'a "b"') -> Trace:
    weights = np.random.default_rng(3).dirichlet(np.ones(3), (2, 4, 2)).astype(dtype)
    maps = AttentionMaps(
        weights,
        Axis("text", labels=("x, y\n", "=1+1")),
        Axis("text", labels=('"', "NaN", "</s>"), spans=((0, 1), (1, 2), (2, 2)), special=(False, False, True)),
        "cross",
        (0, 7),
    )
    steps = (Step("x", 1, -0.5, (Alternative("x", 1, -0.5),)), Step("y", 2, float("-inf"), forced=True))
    return Trace((maps,), input, "x y", steps, provenance={"model": "planted", "nan": float("nan")})


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not standard JSON")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_json_is_standard_and_holds_every_weight_bit_for_bit(dtype: str) -> None:
    trace = made(dtype)
    text = export.json(trace)
    value = json.loads(text, parse_constant=refuse)
    (maps,) = value["maps"]
    assert maps["shape"] == [2, 4, 2, 3]
    assert np.array_equal(np.array(maps["weights"], dtype=dtype), trace.cross.weights)
    assert (value["format"], value["version"], value["input"], value["output"]) == ("xattn_viz", 1, 'a "b"', "x y")
    assert maps["layers"] == [0, 7]
    assert maps["queries"] == {"kind": "text", "labels": ["x, y\n", "=1+1"]}
    assert maps["keys"]["spans"] == [[0, 1], [1, 2], [2, 2]]
    assert maps["keys"]["special"] == [False, False, True]
    assert maps["read"] is None
    assert value["steps"][0]["alternatives"] == [{"token": "x", "id": 1, "log_prob": -0.5}]
    assert value["steps"][1]["log_prob"] is None
    assert text.isascii()


def test_json_numbers_are_as_short_as_their_value_allows() -> None:
    tenth = np.full((1, 1, 1, 10), 0.1, dtype=np.float32)
    axis = Axis("text", labels=tuple("abcdefghij"))
    text = export.json(Trace((AttentionMaps(tenth, axis.take([0]), axis, "cross", (0,)),), "", ""))
    assert '"weights":[[[[0.1,0.1,' in text


def test_json_of_a_recording_leaves_the_samples_out_and_names_positions() -> None:
    trace = made(input=np.zeros(16))
    assert json.loads(export.json(trace))["input"] is None
    frames = Axis("audio", times=((0.0, 0.5), (0.5, 1.0), (1.0, 1.5)))
    maps = AttentionMaps(trace.cross.weights, trace.cross.queries, frames, "cross", (0, 7))
    keys = json.loads(export.json(Trace((maps,), "", "")))["maps"][0]["keys"]
    assert keys == {
        "kind": "audio",
        "times": [[0, 0.5], [0.5, 1], [1, 1.5]],
        "labels": list(map(frames.name, range(3))),
    }


def test_csv_reads_back_as_the_tidy_frame() -> None:
    trace = made()
    frame = pd.read_csv(io.StringIO(export.csv(trace)), keep_default_na=False)
    wanted = trace.cross.to_frame()
    assert list(frame.columns) == list(wanted.columns)
    assert len(frame) == 2 * 4 * 2 * 3
    assert np.array_equal(frame["weight"].to_numpy().astype("f4"), trace.cross.weights.ravel())
    for labels in ("query_label", "key_label"):
        assert frame[labels].tolist() == wanted[labels].tolist()
    assert set(frame["layer"]) == {0, 7}


def test_csv_of_a_kind_that_is_not_there_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="0 encoder maps; the kinds it holds: cross"):
        export.csv(made(), kind="encoder")


def test_npz_is_what_load_trace_reads() -> None:
    trace = Trace(made().maps, "a", "b")
    assert load_trace(export.npz(trace)) == trace


def test_of_sound_json_and_csv_leave_the_padding_out_and_say_so() -> None:
    maps = speech_maps()
    trace = Trace((maps,), np.zeros((80, 24), np.float32), "t0 t1 t2 t3", offset=5.0)
    (packed,) = json.loads(export.json(trace))["maps"]
    assert np.array_equal(np.array(packed["weights"], "f4"), maps.weights[..., :SOUNDING])
    assert (packed["shape"], packed["altered"]) == ([2, 3, 4, SOUNDING], ["cropped"])
    assert packed["keys"]["times"][-1] == pytest.approx([5.14, 5.16])
    frame = pd.read_csv(io.StringIO(export.csv(trace)))
    assert len(frame) == 2 * 3 * 4 * SOUNDING
    assert np.array_equal(frame["weight"].to_numpy().astype("f4"), maps.weights[..., :SOUNDING].ravel())
    np.testing.assert_allclose(frame["key_start"], START + FRAME * frame["key"], atol=1e-6)
    np.testing.assert_allclose(frame["key_end"] - frame["key_start"], FRAME, atol=1e-6)
    assert load_trace(export.npz(trace)) == trace  # padding and all
