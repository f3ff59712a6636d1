from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.speech import FRAME, SOUNDING, START, speech_maps
from xattn_viz import export
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.store import load_trace
from xattn_viz.core.trace import Alternative, Answer, HeadGrid, Note, Step, Trace
from xattn_viz.core.view import View
from xattn_viz.plots import svg


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
    said = {"model": "planted", "nan": float("nan")}
    return Trace(
        (maps,), input, "x y", steps, provenance=said, notes=(Note("It was cut."),), answers=(Answer("a", 0.5),)
    )


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
    assert (value["format"], value["version"], value["input"], value["output"]) == ("xattn_viz", 2, 'a "b"', "x y")
    assert value["notes"] == [{"text": "It was cut.", "about": "run"}]
    assert value["answers"] == [{"text": "a", "probability": 0.5}]
    assert "speech" not in value
    assert maps["layers"] == [0, 7]
    assert maps["queries"] == {"kind": "text", "labels": ["x, y\n", "=1+1"]}
    assert maps["keys"]["spans"] == [[0, 1], [1, 2], [2, 2]]
    assert maps["keys"]["special"] == [False, False, True]
    assert maps["read"] is None
    assert value["steps"][0]["alternatives"] == [{"token": "x", "id": 1, "log_prob": -0.5}]
    assert value["steps"][1]["log_prob"] is None
    assert text.isascii()


def test_json_holds_the_evidence_of_heads() -> None:
    values = np.array([[0.1, np.nan], [1e-7, -2.0]], np.float32)
    grid = HeadGrid(
        "cost", "What each head costs", "nats a token", "cross", (0, 7), values, "Planted.", values[..., None]
    )
    (value,) = json.loads(export.json(made().with_evidence(grid)), parse_constant=refuse)["evidence"]
    arrays: Any = {name: np.array(value.pop(name), np.float32) for name in ("values", "per_query")}
    assert value.keys() == {"name", "title", "unit", "kind", "layers", "method"}
    assert HeadGrid(**{**value, "layers": tuple(value["layers"])}, **arrays) == grid


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
    assert frame["key_label"].tolist() == wanted["key_label"].tolist()
    assert frame["query_label"].tolist() == [label.replace("=1+1", "'=1+1") for label in wanted["query_label"]]
    assert set(frame["layer"]) == {0, 7}


FORMULAS = {
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(1)": "'@SUM(1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    "\n=1": "'\n=1",
    "\tcat": "'\tcat",
    "\rcat": "'\rcat",
    "  =1": "'  =1",
    "\u00a0=1": "'\u00a0=1",
    "\u3000=1": "'\u3000=1",
    "\u200b=1": "'\u200b=1",
    "\ufeff=1": "'\ufeff=1",
    "\0=1": "'\0=1",
    "\uff1d1": "'\uff1d1",
    "\uff0b1": "'\uff0b1",
    "\uff0d1": "'\uff0d1",
    "\uff20SUM(1)": "'\uff20SUM(1)",
    "\u22121": "'\u22121",
    "\ufe631": "'\ufe631",  # small hyphen-minus
    "'=1": "''=1",
    "'": "''",
    "a=1": "a=1",
    "1-1": "1-1",
    "cat": "cat",
    " cat": " cat",
    "3.5": "3.5",
    "": "",
    "\ud800": "\\ud800",
}


def test_no_cell_of_csv_is_a_formula_and_labels_can_be_had_back() -> None:
    axis = Axis("text", labels=tuple(FORMULAS))
    weights = np.zeros((1, 1, len(FORMULAS), len(FORMULAS)), np.float32)
    weights[0, 0, :, 0] = 1
    text = export.csv(Trace((AttentionMaps(weights, axis, axis, "cross", (0,)),), "", ""))
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    cells = [line["key_label"] for line in lines[: len(FORMULAS)]]
    assert cells == list(FORMULAS.values())
    assert [cell.removeprefix("'") for cell in cells[:-1]] == list(FORMULAS)[:-1]
    assert {line["weight"] for line in lines} == {"0.0", "1.0"}


def test_numbers_of_csv_stay_numbers_where_they_are_negative() -> None:
    """A recording whose times begin below 0: no apostrophe, no quotes."""
    keys = Axis("audio", times=((-0.5, 0.0), (0.0, 0.5)))
    weights = np.full((1, 1, 1, 2), 0.5, np.float32)
    text = export.csv(Trace((AttentionMaps(weights, Axis("text", labels=("-",)), keys, "cross", (0,)),), "", "-"))
    assert text.splitlines()[1] == '0,0,0,0,"\'-",-0.5,0.0,0.5'


def test_every_format_takes_a_trace_and_the_map_by_name() -> None:
    trace = made()
    both = Trace((trace.cross, replace(trace.cross, kind="encoder", layers=(3, 4))), "a", "x y")
    assert cells(export.svg(both, View(layer=0, head=1))) == cells(svg.svg(both.maps[0], 0, 1))
    assert cells(export.svg(both, View("encoder", 4, "mean"))) == cells(svg.svg(both.maps[1], 4, None))
    assert export.csv(both, kind="encoder").splitlines()[1].startswith("3,")
    assert export.html(both, View("encoder", 4, 2)) != export.html(both)
    for refused in (View("decoder"), View(layer=9), View(head=9)):
        for write in (export.svg, export.html, export.json, export.csv):
            with pytest.raises(ValueError, match=r"decoder maps|no layer 9|no head 9"):
                write(both, refused)


def cells(picture: str) -> list[str]:
    """What is drawn in a picture: its groups, the cells of the map and the colour bar."""
    return re.findall(r"<g .*?</g>", picture)


@pytest.mark.parametrize("ending", export.FORMATS)
def test_write_makes_the_file_that_its_ending_says(tmp_path: Path, ending: str) -> None:
    trace = made()
    path = tmp_path / f"map{ending}"
    export.write(trace, path)
    wanted = getattr(export, ending[1:])(trace)
    assert path.read_bytes() == (wanted if isinstance(wanted, bytes) else wanted.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_write_refuses_an_ending_that_it_does_not_know_before_it_makes_anything(tmp_path: Path) -> None:
    for name in ("map.png", "map", "map.NPZ"):
        with pytest.raises(ValueError, match=r"ends in none of \.html, \.npz, \.json, \.csv, \.svg"):
            export.write(made(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_csv_of_a_kind_that_is_not_there_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="no encoder maps; the kinds it holds: cross"):
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
